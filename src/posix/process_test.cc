#include "posix/process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <latch>
#include <stop_token>
#include <thread>

#include "base/text.h"
#include "posix/clock.h"
#include "posix/env.h"
#include "posix/file_limit.h"
#include "posix/lock.h"
#include "posix/signals.h"
#include "posix/test_dir.h"
#include "posix/wakeup.h"

namespace posix {
namespace {

using base::Code;

bool eventually(const std::function<bool()>& condition) {
  for (const auto deadline = deadline_in(base::Duration(10'000));
       deadline_in(base::Duration(0)) < deadline; ::poll(nullptr, 0, 5))
    if (condition()) return true;
  return false;
}

// While it lives this process may open no further file.
class NoDescriptors {
 public:
  explicit NoDescriptors(rlim_t left = 0) {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    rlimit limit = before_;
    limit.rlim_cur = left;
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;
  ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

Launch shell(const std::string& script) {
  return {.argv = {"/bin/sh", "-c", script}, .env = {"PATH=/usr/bin:/bin", "WORD=hello"}};
}

TEST(Run, GivesExitCodeSignalAndOutput) {
  const auto result = run(shell("echo $WORD; pwd; echo oops >&2; exit 3"), {}, {});
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->exit_code, 3);
  EXPECT_EQ(result->out, "hello\n/\n");
  EXPECT_EQ(result->err, "oops\n");
  EXPECT_FALSE(result->truncated);
  const auto killed = run(shell("kill -TERM $$"), {}, {});
  EXPECT_EQ(killed->signal, SIGTERM);
  EXPECT_EQ(killed->exit_code, -1);
}

TEST(Run, OutputHasALimitAndTheChildStillEnds) {
  const auto result = run(shell("head -c 3000000 /dev/zero; echo end >&2"), {.output = 1000}, {});
  ASSERT_TRUE(result);
  EXPECT_EQ(result->exit_code, 0);
  EXPECT_EQ(result->out.size(), 1000U);
  EXPECT_EQ(result->err, "end\n");
  EXPECT_TRUE(result->truncated);
}

TEST(Run, AllOfTheGroupIsKilledAtTheDeadlineAndOnStop) {
  const TestDir dir;
  const auto script = "sleep 1000 & echo $! > " + dir.path("pid") + "; wait";
  const auto late = run(shell(script), {.deadline = base::Duration(3'000)}, {});
  EXPECT_EQ(late.error().code, Code::kDeadlineExceeded);
  const auto text = read_file(dir.path("pid"), 99);
  ASSERT_TRUE(text) << text.error().text();
  const auto pid = base::parse_int(base::trim(*text));
  ASSERT_TRUE(pid);
  EXPECT_TRUE(eventually([&] { return !identify(*pid); }));
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(run(shell("sleep 1000"), {}, stop.get_token()).error().code, Code::kCancelled);
}

TEST(Run, AGrandchildThatKeepsThePipeDoesNotHoldUs) {
  const auto result = run(shell("sleep 1000 & echo done"), {}, {});
  ASSERT_TRUE(result);
  EXPECT_EQ(result->out, "done\n");
}

TEST(Run, ErrorsOfExecAreTold) {
  EXPECT_EQ(run({.argv = {"/nonexistent/x"}}, {}, {}).error().code, Code::kNotFound);
  EXPECT_EQ(run({.argv = {"/etc/passwd"}}, {}, {}).error().code, Code::kPermissionDenied);
  EXPECT_EQ(run({.argv = {"sh"}}, {}, {}).error().code, Code::kInvalidArgument);
  EXPECT_FALSE(run({.argv = {"/bin/true"}, .env = {}, .cwd = "/nonexistent"}, {}, {}));
  EXPECT_EQ(spawn_detached({.launch = {.argv = {"/nonexistent/x"}}}).error().code, Code::kNotFound);
}

TEST(Run, NoDescriptorLeaksIntoTheChild) {
  const int leaked = ::open("/dev/null", O_RDONLY);  // without O_CLOEXEC
  ASSERT_GE(leaked, 3);
  const auto result = run(shell("ls /proc/self/fd | wc -l"), {}, {});
  ::close(leaked);
  EXPECT_EQ(result->out, "4\n");  // 0, 1, 2 and the one of ls itself
}

TEST(Detached, LivesInItsOwnSessionWithALogAndTheLockItWasGiven) {
  const TestDir dir;
  auto lock = FileLock::try_lock(dir.path("lock"));
  ASSERT_TRUE(lock);
  Detached what{.launch = shell("echo out; echo err >&2; exec sleep 1000")};
  what.log_file = dir.path("log");
  what.keep_fds = {lock->fd()};
  const auto child = spawn_detached(what);
  ASSERT_TRUE(child) << child.error().message;
  *lock = *FileLock::try_lock(dir.path("other"));  // our own hold ends here
  EXPECT_EQ(is_locked(dir.path("lock")), base::Fact<bool>(true));
  EXPECT_NE(::getsid(static_cast<pid_t>(child->pid)), ::getsid(0));
  EXPECT_EQ(is_alive(*child), base::Fact<bool>(true));
  EXPECT_TRUE(eventually([&] { return *read_file(dir.path("log"), 99) == "out\nerr\n"; }));

  auto stranger = *child;
  ++stranger.start_ticks;
  EXPECT_EQ(is_alive(stranger), base::Fact<bool>(false));
  EXPECT_EQ(send_signal(stranger, SIGKILL).error().code, Code::kNotFound);
  EXPECT_EQ(is_alive(*child), base::Fact<bool>(true));

  ASSERT_TRUE(send_signal(*child, SIGKILL));
  EXPECT_TRUE(eventually([&] { return is_alive(*child) == base::Fact<bool>(false); }));
  EXPECT_TRUE(eventually([&] { return is_locked(dir.path("lock")) == base::Fact<bool>(false); }));
  EXPECT_EQ(send_signal(*child, SIGKILL).error().code, Code::kNotFound);
}

TEST(Process, TellsAboutItself) {
  const auto self = identify(own_pid());
  ASSERT_TRUE(self);
  EXPECT_GT(self->start_ticks, 0U);
  EXPECT_EQ(identify(0).error().code, Code::kNotFound);
  EXPECT_EQ(identify(-1).error().code, Code::kNotFound);
  EXPECT_EQ(boot_id()->size(), 36U);
  EXPECT_EQ(*boot_id(), *boot_id());
  EXPECT_GT(*rss_bytes(), 100'000U);
  EXPECT_GE(*cpu_seconds(), 0.0);
  EXPECT_TRUE(own_executable()->ends_with("posix_test"));
}

TEST(Process, AZombieIsNotAlive) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  EXPECT_TRUE(eventually([&] { return !identify(child); }));
  ::waitpid(child, nullptr, 0);
}

TEST(Signals, TheFirstAsksToStopAndTheSecondEnds) {
  const pid_t child = ::fork();
  if (child == 0) {
    auto stop = StopOnSignal::install();
    if (!stop || (*stop)->signal() != 0) ::_exit(1);
    ::kill(::getpid(), SIGINT);
    if (!eventually([&] { return (*stop)->source().stop_requested(); })) ::_exit(2);
    if ((*stop)->signal() != SIGINT) ::_exit(3);
    ::kill(::getpid(), SIGTERM);
    eventually([] { return false; });
    ::_exit(4);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 128 + SIGTERM);
}

TEST(Clock, MovesForwardAndRandomDiffers) {
  SystemClock clock;
  const auto first = clock.tick();
  EXPECT_TRUE(eventually([&] { return clock.tick() > first; }));
  EXPECT_GT(clock.now(), base::Instant(std::chrono::sys_days(std::chrono::year(2024) / 1 / 1)));
  SystemRandom a;
  SystemRandom b;
  EXPECT_NE(a.next(), b.next());
}

TEST(Descriptors, WithoutOneAWaitIsStillAWait) {
  std::stop_source stop;
  base::Status late, stopped;
  // Begun before: a sanitizer looks at the thread's own object through a descriptor.
  std::latch begun(1);
  std::atomic<bool> ask = false;
  std::jthread asks([&] {
    begun.count_down();
    ask.wait(false);
    stop.request_stop();
  });
  begun.wait();
  {
    const NoDescriptors none;
    late = poll_until({}, deadline_in(base::Duration(1)), stop.get_token());
    ask = true;
    ask.notify_one();
    stopped = poll_until({}, base::Tick::max(), stop.get_token());
  }
  EXPECT_EQ(late.error().code, Code::kDeadlineExceeded) << late.error().message;
  EXPECT_EQ(stopped.error().code, Code::kCancelled) << stopped.error().message;
}

TEST(Descriptors, WithoutOneNoProcessCountsAsGone) {
  base::Result<ProcessId> self;
  {
    const NoDescriptors none;
    self = identify(own_pid());
  }
  ASSERT_FALSE(self);
  EXPECT_EQ(self.error().code, Code::kResourceExhausted) << self.error().message;
}

TEST(Descriptors, AsManyAsAllowedAreTaken) {
  rlimit now{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &now), 0);
  const NoDescriptors few(64);
  ASSERT_TRUE(raise_file_limit());
  rlimit raised{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &raised), 0);
  EXPECT_EQ(raised.rlim_cur, now.rlim_max);
}

}  // namespace
}  // namespace posix
