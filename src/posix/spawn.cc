// The two ways to start a program. Between fork and exec only async-signal-safe calls are made: the
// other threads are gone, and with them whatever locks they held.
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <span>

#include "posix/errors.h"
#include "posix/process.h"
#include "posix/wakeup.h"

namespace posix {
namespace {

using base::Code;

// argv and envp in the form of execve; points into `launch`.
struct ExecArgs {
  explicit ExecArgs(const Launch& launch) : cwd(launch.cwd.c_str()) {
    for (const auto& a : launch.argv) argv.push_back(const_cast<char*>(a.c_str()));
    for (const auto& e : launch.env) envp.push_back(const_cast<char*>(e.c_str()));
    argv.push_back(nullptr);
    envp.push_back(nullptr);
  }
  const char* cwd;
  std::vector<char*> argv, envp;
};

base::Status check(const Launch& launch) {
  if (launch.argv.empty() || !launch.argv[0].starts_with('/'))
    return base::fail(Code::kInvalidArgument, "a program needs an absolute path");
  return {};
}

// --- in the child ---

void reset_signals() {
  for (int s = 1; s < NSIG; ++s) ::signal(s, SIG_DFL);  // fails for KILL and STOP, rightly
  sigset_t none;
  sigemptyset(&none);
  ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
}

[[noreturn]] void report_and_exit(int report_fd) {
  const int number = errno;
  [[maybe_unused]] const auto n = ::write(report_fd, &number, sizeof number);
  ::_exit(127);
}

// Everything above stderr goes at exec; `report_fd` stays usable until then.
void close_on_exec_from_3() {
  if (::syscall(SYS_close_range, 3U, ~0U, 4U /* CLOSE_RANGE_CLOEXEC */) == 0) return;
  for (int fd = 3; fd < 65536; ++fd) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
}

[[noreturn]] void exec_program(const ExecArgs& args, std::span<const int> keep, int report_fd) {
  close_on_exec_from_3();
  for (const int fd : keep)
    if (::fcntl(fd, F_SETFD, 0) != 0) report_and_exit(report_fd);
  if (::chdir(args.cwd) != 0) report_and_exit(report_fd);
  reset_signals();
  ::execve(args.argv[0], args.argv.data(), args.envp.data());
  report_and_exit(report_fd);
}

void use_as_stdio(int in, int out, int err, int report_fd) {
  if (::dup2(in, 0) < 0 || ::dup2(out, 1) < 0 || ::dup2(err, 2) < 0) report_and_exit(report_fd);
}

// --- in the parent ---

struct Pipe {
  Fd read, write;
};

// Descriptors above 9, so that none of them is in the way of a child's stdin, stdout and stderr.
base::Result<Pipe> make_pipe(int flags) {
  std::array<int, 2> fds{};
  if (::pipe2(fds.data(), O_CLOEXEC | flags) != 0) return fail_errno(errno, "pipe");
  const Fd read(fds[0]);
  const Fd write(fds[1]);
  Pipe pipe{Fd(::fcntl(read.get(), F_DUPFD_CLOEXEC, 10)),
            Fd(::fcntl(write.get(), F_DUPFD_CLOEXEC, 10))};
  if (!pipe.read.open() || !pipe.write.open()) return fail_errno(errno, "pipe");
  return pipe;
}

base::Result<Fd> open_high(const std::string& path, int flags) {
  const Fd fd(::open(path.c_str(), flags | O_CLOEXEC, 0600));
  if (!fd.open()) return fail_errno(errno, "open " + path);
  Fd high(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 10));
  if (!high.open()) return fail_errno(errno, "open " + path);
  return high;
}

// Reads as much as comes until the end of file; the writers close at exec or exit.
ssize_t read_all(int fd, void* data, size_t size) {
  size_t have = 0;
  while (have < size) {
    const ssize_t n = ::read(fd, static_cast<char*>(data) + have, size - have);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    have += static_cast<size_t>(n);
  }
  return static_cast<ssize_t>(have);
}

int wait_for(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

void append_some(std::string& text, int fd, size_t limit, bool& truncated, bool& open) {
  std::array<char, 16384> buffer{};
  const ssize_t n = ::read(fd, buffer.data(), buffer.size());
  if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (n <= 0) {
    open = false;
    return;
  }
  const auto got = static_cast<size_t>(n);
  const size_t room = limit > text.size() ? limit - text.size() : 0;
  truncated = truncated || got > room;
  text.append(buffer.data(), std::min(got, room));
}

// What is in the pipe now; another process may hold its other end open for ever.
void drain(std::string& text, int fd, size_t limit, bool& truncated) {
  bool open = true;
  for (int i = 0; i < 1024 && open; ++i) {
    pollfd item{fd, POLLIN, 0};
    if (::poll(&item, 1, 0) <= 0) return;
    append_some(text, fd, limit, truncated, open);
  }
}

// Collects output until the child has ended. The pidfd becomes readable then.
base::Status collect(int pidfd, const Pipe& out, const Pipe& err, const RunLimits& limits,
                     const std::stop_token& stop, RunResult& result) {
  const auto deadline = deadline_in(limits.deadline);
  bool out_open = true;
  bool err_open = true;
  for (;;) {
    PollItem ended{pidfd, POLLIN, 0};
    PollItem out_item{out_open ? out.read.get() : -1, POLLIN, 0};
    PollItem err_item{err_open ? err.read.get() : -1, POLLIN, 0};
    TRY_OK(poll_until({&ended, &out_item, &err_item}, deadline, stop));
    if (out_item.revents != 0)
      append_some(result.out, out.read.get(), limits.output, result.truncated, out_open);
    if (err_item.revents != 0)
      append_some(result.err, err.read.get(), limits.output, result.truncated, err_open);
    if (ended.revents != 0) return {};
  }
}

}  // namespace

base::Result<ProcessId> spawn_detached(const Detached& what) {
  TRY_OK(check(what.launch));
  const ExecArgs args(what.launch);
  TRY(Pipe pid_pipe, make_pipe(0));
  TRY(Pipe report, make_pipe(0));
  TRY(const Fd null, open_high("/dev/null", O_RDWR));
  Fd log;
  if (!what.log_file.empty()) {
    TRY(log, open_high(what.log_file, O_WRONLY | O_CREAT | O_APPEND));
  }
  const int out = log.open() ? log.get() : null.get();

  const pid_t middle = ::fork();
  if (middle < 0) return fail_errno(errno, "fork");
  if (middle == 0) {
    ::setsid();
    const pid_t child = ::fork();
    if (child < 0) report_and_exit(report.write.get());
    if (child > 0) {
      [[maybe_unused]] const auto n = ::write(pid_pipe.write.get(), &child, sizeof child);
      ::_exit(0);
    }
    use_as_stdio(null.get(), out, out, report.write.get());
    exec_program(args, what.keep_fds, report.write.get());
  }
  pid_pipe.write.reset();
  report.write.reset();
  wait_for(middle);
  int number = 0;
  pid_t child = 0;
  if (read_all(report.read.get(), &number, sizeof number) == sizeof number)
    return fail_errno(number, "start " + what.launch.argv[0]);
  if (read_all(pid_pipe.read.get(), &child, sizeof child) != sizeof child)
    return base::fail(Code::kInternal, "start " + what.launch.argv[0] + ": no pid came back");
  auto process = identify(child);
  if (!process && process.error().code == Code::kNotFound)
    return base::fail(Code::kAborted, what.launch.argv[0] + " ended as soon as it was started");
  return process;
}

base::Result<RunResult> run(const Launch& launch, const RunLimits& limits,
                            const std::stop_token& stop) {
  TRY_OK(check(launch));
  const ExecArgs args(launch);
  TRY(Pipe report, make_pipe(0));
  TRY(Pipe out, make_pipe(0));
  TRY(Pipe err, make_pipe(0));
  TRY(const Fd null, open_high("/dev/null", O_RDONLY));
  const pid_t parent = ::getpid();

  const pid_t child = ::fork();
  if (child < 0) return fail_errno(errno, "fork");
  if (child == 0) {
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(127);  // it ended before the line above
    use_as_stdio(null.get(), out.write.get(), err.write.get(), report.write.get());
    exec_program(args, {}, report.write.get());
  }
  ::setpgid(child, child);  // whoever comes first; both are right
  report.write.reset();
  out.write.reset();
  err.write.reset();
  const Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
  int number = 0;
  if (read_all(report.read.get(), &number, sizeof number) == sizeof number || !pidfd.open()) {
    if (!pidfd.open()) ::kill(-child, SIGKILL);
    wait_for(child);
    return fail_errno(number == 0 ? EMFILE : number, "start " + launch.argv[0]);
  }
  RunResult result;
  const auto collected = collect(pidfd.get(), out, err, limits, stop, result);
  ::kill(-child, SIGKILL);  // the child is not reaped yet, so the group is still its own
  const int status = wait_for(child);
  if (!collected) return std::unexpected(collected.error().in(launch.argv[0]));
  drain(result.out, out.read.get(), limits.output, result.truncated);
  drain(result.err, err.read.get(), limits.output, result.truncated);
  if (WIFEXITED(status)) result.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) result.signal = WTERMSIG(status);
  return result;
}

}  // namespace posix
