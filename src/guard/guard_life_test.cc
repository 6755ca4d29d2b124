// The guard itself: starting, stopping, dying, adopting.
#include <elf.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <csignal>
#include <cstring>
#include <filesystem>

#include "base/text.h"
#include "guard/child.h"
#include "guard/supervisor.h"
#include "guard/testing/harness.h"

namespace guard::testing {
namespace {

namespace fs = std::filesystem;

class Life : public ::testing::TestWithParam<std::string> {
 protected:
  ScratchDir dir;
  Node node{dir.path(), "m1", GetParam()};
};
INSTANTIATE_TEST_SUITE_P(Etcd, Life, ::testing::ValuesIn(etcd_versions()),
                         [](const auto& p) { return test_suffix(p.param); });

TEST_P(Life, StartsServesAndStops) {
  node.start();
  ASSERT_TRUE(node.wait_healthy());
  EXPECT_TRUE(node.put("k", "v"));
  EXPECT_EQ(node.get("k"), "v");
  const State s = node.state();
  EXPECT_EQ(s.phase, Phase::kRunning);
  EXPECT_EQ(s.guard_pid, node.guard_pid());
  EXPECT_TRUE(is_alive(static_cast<pid_t>(s.etcd_pid)));
  EXPECT_EQ(s.version, GetParam());
  EXPECT_EQ(s.template_hash, "hash-1");
  EXPECT_EQ(s.starts, 1U);
  EXPECT_EQ(node.stop(), 0);
  EXPECT_EQ(node.verdict().klass, Class::kStopped);
  EXPECT_EQ(node.state().phase, Phase::kEnded);
  EXPECT_FALSE(is_alive(static_cast<pid_t>(s.etcd_pid)));
  EXPECT_TRUE(node.marker().started);
  EXPECT_GT(node.marker().last_index, 0U);
}

TEST_P(Life, EtcdDiesWithItsGuard) {
  node.start();
  ASSERT_TRUE(node.wait_healthy());
  const pid_t etcd = node.etcd_pid();
  ::kill(node.guard_pid(), SIGKILL);
  EXPECT_TRUE(eventually([&] { return !is_alive(etcd); }, 10));
}

TEST_P(Life, ASecondGuardOnTheSameDirectoryRefusesAndTouchesNothing) {
  node.start();
  ASSERT_TRUE(node.wait_healthy());
  const std::string state = read(node.paths.state());
  const auto second = run({GUARD_PROGRAM, "run", "--member-dir", node.paths.member});
  EXPECT_EQ(second.code, 75) << second.output;
  EXPECT_EQ(read(node.paths.state()), state);
  EXPECT_TRUE(node.healthy());
}

TEST_P(Life, AnotherGuardAdoptsTheDataOfAKilledOne) {
  node.start();
  ASSERT_TRUE(node.wait_healthy());
  ASSERT_TRUE(node.put("k", "before"));
  ASSERT_TRUE(node.wait_noted());
  const auto id = node.marker().member_id;
  node.kill_guard();
  node.ticket.permit = Permit::kData;
  node.start();
  ASSERT_TRUE(node.wait_healthy());
  EXPECT_EQ(node.get("k"), "before");
  ASSERT_TRUE(node.wait_noted());
  EXPECT_EQ(node.marker().member_id, id);
}

// Stands in for etcd where only what a guard does with its child counts.
class FakeEtcd : public ::testing::Test {
 protected:
  void script(const std::string& text) {
    const std::string path = dir.path() + "/etcd";
    write(path, "#!/bin/sh\n" + text);
    fs::permissions(path, fs::perms::owner_all);
    node.ticket.etcd = path;
  }
  ScratchDir dir;
  Node node{dir.path(), "m1", "3.6.16"};
};

TEST_F(FakeEtcd, OneThatDoesNotStopIsKilledAfterTheGrace) {
  script("trap '' TERM\necho ready\nexec sleep 1000\n");
  node.guard_flags = {"--stop-grace", "1"};
  node.start();
  ASSERT_TRUE(eventually([&] { return node.etcd_log() == "ready\n"; }));
  const pid_t etcd = node.etcd_pid();
  EXPECT_EQ(node.stop(), 0);
  EXPECT_EQ(node.verdict().klass, Class::kStopped);
  EXPECT_EQ(node.verdict().signal, SIGKILL);
  EXPECT_FALSE(is_alive(etcd));
}

TEST_F(FakeEtcd, ItsLogIsKeptWithinBounds) {
  script(
      "yes aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa | head -c 50000000\n"
      "echo the end\nexec sleep 1000\n");
  node.start();
  ASSERT_TRUE(eventually([&] { return node.etcd_log().ends_with("the end\n"); }));
  std::uintmax_t total = 0;
  for (const auto& e : fs::directory_iterator(node.paths.logs())) total += e.file_size();
  EXPECT_LT(total, std::uintmax_t{27} << 20);
  EXPECT_EQ(node.stop(), 0);
}

TEST_F(FakeEtcd, OneThatKeepsEndingIsTriedAgainAndCounted) {
  script("mkdir -p \"${1#--data-dir=}/member/wal\"\nexit 3\n");
  node.ticket.permit = Permit::kBootstrap;
  node.start();
  // It made a log directory without a log: blank, and it may have voted.
  EXPECT_EQ(node.wait_end(), 10);
  script("exit 3\n");
  fs::remove_all(node.paths.volume());
  node.start();
  ASSERT_TRUE(eventually([&] { return node.verdict().failures >= 3; }));
  EXPECT_EQ(node.verdict().klass, Class::kRetry);
  EXPECT_EQ(node.verdict().exit_code, 3);
  EXPECT_FALSE(node.marker().started);
  EXPECT_EQ(node.stop(), 0);
}

TEST_F(FakeEtcd, AsProcess1ItCollectsOrphans) {
  // The middle shell ends at once and leaves its child to process 1.
  script("sh -c 'sleep 0.1 & echo left' \nexec sleep 1000\n");
  node.write_ticket();
  auto unshared = spawn({"/usr/bin/unshare", "--pid", "--fork", "--kill-child", GUARD_PROGRAM,
                         "run", "--member-dir", node.paths.member});
  ASSERT_TRUE(unshared);
  ASSERT_TRUE(eventually([&] { return node.etcd_log() == "left\n"; }));
  EXPECT_EQ(node.state().guard_pid, 1);
  const auto children = [](pid_t pid) {
    return read(fmt::format("/proc/{}/task/{}/children", pid, pid));
  };
  const pid_t guard = std::atoi(children(unshared->pid).c_str());
  ASSERT_GT(guard, 0);
  // Only etcd is left, no zombie.
  EXPECT_TRUE(eventually([&] {
    const std::string text = children(guard);
    const auto left = base::split(base::trim(text), ' ');
    return left.size() == 1 && is_alive(std::atoi(std::string(left[0]).c_str()));
  }));
  ::kill(guard, SIGTERM);
  int status = 0;
  EXPECT_TRUE(
      eventually([&] { return ::waitpid(unshared->pid, &status, WNOHANG) == unshared->pid; }, 10));
  EXPECT_EQ(node.verdict().klass, Class::kStopped);
}

TEST(Program, IsSmallAndNeedsNoLibrary) {
  const std::string bytes = read(GUARD_PROGRAM);
  ASSERT_GT(bytes.size(), sizeof(Elf64_Ehdr));
  Elf64_Ehdr head{};
  std::memcpy(&head, bytes.data(), sizeof head);
  bool dynamic = false;
  std::uint64_t loaded = 0;
  for (std::size_t i = 0; i < head.e_phnum; ++i) {
    Elf64_Phdr part{};
    std::memcpy(&part, bytes.data() + head.e_phoff + i * sizeof part, sizeof part);
    dynamic = dynamic || part.p_type == PT_INTERP;
    if (part.p_type == PT_LOAD) loaded += part.p_filesz;
  }
  fmt::print("etcd-guard: {} bytes, {} of them loaded\n", bytes.size(), loaded);
  if (GUARD_STATIC) {
    EXPECT_FALSE(dynamic);
    EXPECT_LT(loaded, 3'000'000U);
  }
}

TEST_P(Life, SaysWhyItEndedWhereAContainerIsExplained) {
  const std::string message = dir.path() + "/termination-log";
  write(message, std::string(5000, 'x'));
  node.guard_flags = {"--termination-message", message, "--echo", "yes"};
  node.start();
  ASSERT_TRUE(node.wait_healthy());
  EXPECT_EQ(node.stop(), 0);
  const auto verdict = decode_verdict(read(message));
  ASSERT_TRUE(verdict.has_value()) << verdict.error().message;
  EXPECT_EQ(verdict->klass, Class::kStopped);
}

TEST(Install, CopiesItselfAndLinksTheTicket) {
  const ScratchDir dir;
  const Paths paths{dir.path() + "/member"};
  fs::create_directory(paths.member);
  const std::string to = dir.path() + "/copy", ticket = dir.path() + "/shown/ticket";
  for (int time = 0; time < 2; ++time) {  // an init container may run again
    const auto done = run(
        {GUARD_PROGRAM, "install", "--member-dir", paths.member, "--to", to, "--ticket", ticket});
    ASSERT_EQ(done.code, 0) << done.output;
  }
  EXPECT_EQ(run({to, "version"}).code, 0);
  EXPECT_EQ(fs::read_symlink(paths.ticket()), ticket);
  EXPECT_EQ(run({GUARD_PROGRAM, "install", "--member-dir", paths.member, "--to", "copy", "--ticket",
                 ticket})
                .code,
            kExitUsage);
}

}  // namespace
}  // namespace guard::testing
