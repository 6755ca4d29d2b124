#include "posix/signals.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <limits>
#include <thread>

#include "posix/errors.h"
#include "posix/wakeup.h"

namespace posix {
namespace {

class SignalThread final : public StopOnSignal {
 public:
  explicit SignalThread(Fd fd)
      : fd_(std::move(fd)), thread_([this](const std::stop_token& stop) { loop(stop); }) {}
  std::stop_source& source() override { return source_; }
  [[nodiscard]] int signal() const override { return signal_.load(); }

 private:
  void loop(const std::stop_token& stop) {
    for (;;) {
      PollItem item{fd_.get(), POLLIN, 0};
      const auto ready = poll_until({&item}, base::Tick::max(), stop);
      if (!ready && ready.error().code == base::Code::kCancelled) return;
      signalfd_siginfo info{};
      if (!ready || ::read(fd_.get(), &info, sizeof info) != sizeof info) continue;
      const auto number = static_cast<int>(info.ssi_signo);
      if (signal_.load() != 0) ::_exit(128 + number);
      signal_ = number;
      source_.request_stop();
    }
  }

  Fd fd_;
  std::atomic<int> signal_{0};
  std::stop_source source_;
  std::jthread thread_;  // last: it uses all of the above
};

}  // namespace

base::Result<std::unique_ptr<StopOnSignal>> StopOnSignal::install() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  if (const int number = ::pthread_sigmask(SIG_BLOCK, &set, nullptr); number != 0)
    return fail_errno(number, "block signals");
  ::signal(SIGPIPE, SIG_IGN);
  Fd fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd.open()) return fail_errno(errno, "signalfd");
  return std::unique_ptr<StopOnSignal>(std::make_unique<SignalThread>(std::move(fd)));
}

}  // namespace posix
