#include "guard/child.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

namespace guard {
namespace {

constexpr int kPipeBytes = 1 << 20;  // etcd must not wait for a guard that waits for a disk

std::vector<char*> clean_environment() {
  std::vector<char*> out;
  for (char** e = environ; e != nullptr && *e != nullptr; ++e)
    if (!std::string_view(*e).starts_with("ETCD_")) out.push_back(*e);
  out.push_back(nullptr);
  return out;
}

void say(std::string_view text) {
  (void)!::write(STDERR_FILENO, text.data(), text.size());
}

[[noreturn]] void run_child(const std::vector<char*>& argv, const std::vector<char*>& env,
                            pid_t parent, int out, int null) {
  // Set before the check of the parent, so that its death in between is not missed.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(126);
  ::dup2(null, STDIN_FILENO);
  ::dup2(out, STDOUT_FILENO);
  ::dup2(out, STDERR_FILENO);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  ::execve(argv[0], argv.data(), env.data());
  const int number = errno;
  std::array<char, 128> buffer{};
  say(kCannotRun);
  say(argv[0]);
  say(": ");
  say(strerror_r(number, buffer.data(), buffer.size()));
  say("\n");
  ::_exit(127);
}

}  // namespace

base::Result<Child> spawn(const std::vector<std::string>& argv) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return std::unexpected(errno_error("pipe", errno));
  Fd in(ends[0]);
  const Fd out(ends[1]);
  ::fcntl(out.get(), F_SETPIPE_SZ, kPipeBytes);
  ::fcntl(in.get(), F_SETFL, O_NONBLOCK);
  const Fd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  std::vector<char*> args;
  for (const auto& arg : argv) args.push_back(const_cast<char*>(arg.c_str()));
  args.push_back(nullptr);
  const auto env = clean_environment();
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return std::unexpected(errno_error("fork", errno));
  if (pid == 0) run_child(args, env, parent, out.get(), null.get());
  return Child{pid, std::move(in)};
}

}  // namespace guard
