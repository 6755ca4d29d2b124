// The waiting half of the supervisor: signals, the child's output, the stop.
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

#include "guard/clock.h"
#include "guard/supervisor.h"

namespace guard {
namespace {

constexpr std::int64_t kNoteMs = 2'000;     // between two notes of the log's end
constexpr std::int64_t kFirstNoteMs = 200;  // until the ids are known
constexpr std::int64_t kNever = INT64_MAX;
constexpr std::size_t kMaxBytesARound = std::size_t{1} << 20;

}  // namespace

void Supervisor::wait(int child_output, std::int64_t until_ms) {
  std::array<pollfd, 2> fds{pollfd{signals_.get(), POLLIN, 0}, pollfd{child_output, POLLIN, 0}};
  const std::int64_t left = std::clamp<std::int64_t>(until_ms - monotonic_ms(), 0, 60'000);
  if (::poll(fds.data(), child_output >= 0 ? 2 : 1, static_cast<int>(left)) > 0 &&
      fds[0].revents != 0)
    take_signals();
}

void Supervisor::take_signals() {
  signalfd_siginfo info{};
  while (::read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT) stopping_ = true;
    if (info.ssi_signo == SIGHUP) nudged_ = true;
    if (info.ssi_signo == SIGCHLD) reap();
  }
}

// As process 1 of a container orphans come here too.
void Supervisor::reap() {
  int status = 0;
  for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
    if (pid != child_) continue;
    Exit e;
    if (WIFEXITED(status)) e.code = WEXITSTATUS(status);
    if (WIFSIGNALED(status)) e.signal = WTERMSIG(status);
    exited_ = e;
    child_ = 0;
  }
}

void Supervisor::read_output(const Child& child, LogScanner& scanner) {
  static_assert(kMaxBytesARound >= 65536);
  std::array<char, 65536> buffer{};
  for (std::size_t total = 0; total < kMaxBytesARound;) {
    const ssize_t n = ::read(child.output.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    const std::string_view bytes(buffer.data(), static_cast<std::size_t>(n));
    etcd_log_.write(bytes);
    scanner.feed(bytes, monotonic_ms());
    total += bytes.size();
  }
}

Exit Supervisor::watch(Child& child, LogScanner& scanner, base::Duration grace, WalCursor* cursor) {
  child_ = child.pid;
  exited_.reset();
  bool told = false;
  std::int64_t kill_at = kNever;
  std::int64_t note_at = cursor == nullptr ? kNever : monotonic_ms() + kFirstNoteMs;
  while (!exited_) {
    if (stopping_ && !told) {
      told = true;
      kill_at = monotonic_ms() + grace.count();
      ::kill(child.pid, SIGTERM);
    }
    wait(child.output.get(), std::min({kill_at, note_at, monotonic_ms() + 60'000}));
    read_output(child, scanner);
    const std::int64_t now = monotonic_ms();
    if (!exited_ && now >= kill_at) {
      ::kill(child.pid, SIGKILL);
      kill_at = kNever;
    }
    if (!exited_ && now >= note_at) {
      note_log(*cursor);
      if (state_owed_) write_state(state_.phase, state_.etcd_pid);
      note_at = now + (marker_.member_id && marker_.last_index > 0 ? kNoteMs : kFirstNoteMs);
    }
  }
  read_output(child, scanner);
  return *exited_;
}

}  // namespace guard
