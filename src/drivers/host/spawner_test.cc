// What systemd is asked, and what is made of its answers; systemd itself is a script here.
#include "drivers/host/spawner.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>

#include "base/text.h"

namespace host {
namespace {

GuardLaunch launch() {
  GuardLaunch out;
  out.launch = {{"/opt/etcd-guard", "run", "--member-dir", "/s/a$b/c-0"}, {"TZ=UTC"}, "/"};
  out.log_file = "/s/a$b/c-0/log/start.log";
  out.cluster_ns = "shop";
  out.member = "c-0";
  out.member_dir = "/s/a$b/c-0";
  out.deadline = std::chrono::seconds(10);
  return out;
}

// Answers each call with the next line: exit code and words.
struct Script {
  struct Answer {
    int exit_code = 0;
    std::string out, err;
  };
  std::deque<Answer> answers;
  std::vector<std::string> calls;

  RunProgram program() {
    return [this](const posix::Launch& what, const posix::RunLimits&,
                  const std::stop_token&) -> base::Result<posix::RunResult> {
      calls.push_back(base::join(what.argv, " "));
      if (answers.empty()) return base::fail(base::Code::kInternal, "nothing more is scripted");
      const Answer answer = answers.front();
      answers.pop_front();
      posix::RunResult out;
      out.exit_code = answer.exit_code;
      out.out = answer.out;
      out.err = answer.err;
      return out;
    };
  }
};

const Systemd kSystem{"/usr/bin/systemd-run", "/usr/bin/systemctl", false};
const std::string kOwnPid = std::to_string(posix::own_pid());

TEST(Spawner, AUnitIsNamedAfterTheMemberAndItsDirectory) {
  auto a = launch(), b = launch();
  b.member_dir = "/other/c-0";
  EXPECT_TRUE(unit_name(a).starts_with("etcd-shop-c-0-"));
  EXPECT_TRUE(unit_name(a).ends_with(".service"));
  EXPECT_NE(unit_name(a), unit_name(b));
  EXPECT_EQ(unit_name(a), unit_name(launch()));
}

TEST(Spawner, SystemdRunGetsEverythingThatAGuardNeeds) {
  const auto argv = systemd_run_argv(kSystem, launch());
  const std::vector<std::string> wanted{"/usr/bin/systemd-run",
                                        "--quiet",
                                        "--collect",
                                        "--no-ask-password",
                                        "--service-type=exec",
                                        "--unit=" + unit_name(launch()),
                                        "--description=etcd member shop/c-0",
                                        "--property=KillMode=mixed",
                                        "--property=Restart=no",
                                        "--property=OOMPolicy=continue",
                                        "--property=TimeoutStopSec=45",
                                        "--property=LimitNOFILE=65536",
                                        "--property=UMask=0077",
                                        "--property=StandardOutput=append:/s/a$b/c-0/log/start.log",
                                        "--property=StandardError=append:/s/a$b/c-0/log/start.log",
                                        "--working-directory=/",
                                        "--setenv=TZ=UTC",
                                        "--",
                                        "/opt/etcd-guard",
                                        "run",
                                        "--member-dir",
                                        "/s/a$$b/c-0"};
  EXPECT_EQ(argv, wanted);
  auto user = kSystem;
  user.user = true;
  EXPECT_EQ(systemd_run_argv(user, launch()).at(1), "--user");
}

TEST(Spawner, WithoutSystemdTheAnswerSaysWhy) {
  Script script;
  script.answers = {{1, "", "System has not been booted with systemd as init system.\n"}};
  const auto made = make_systemd_spawner(kSystem, script.program());
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, base::Code::kFailedPrecondition);
  EXPECT_EQ(made.error().message,
            "--supervisor systemd: systemd does not answer: System has not been booted with "
            "systemd as init system.; --supervisor process needs none");
}

TEST(Spawner, TheUnitsMainProcessIsTheGuard) {
  Script script;
  script.answers = {{0, "Version=252\n", ""}, {0, "", ""}, {0, kOwnPid + "\n", ""}};
  const auto made = make_systemd_spawner(kSystem, script.program());
  ASSERT_TRUE(made);
  const auto started = (*made)->start(launch(), {});
  ASSERT_TRUE(started) << started.error().text();
  ASSERT_TRUE(started->has_value());
  EXPECT_EQ((*started)->pid, posix::own_pid());
  EXPECT_EQ(script.calls.back(),
            "/usr/bin/systemctl show --property=MainPID --value " + unit_name(launch()));
}

TEST(Spawner, AGuardThatEndedAtOnceHasNoProcess) {
  Script script;
  script.answers = {{0, "", ""}, {0, "", ""}, {0, "0\n", ""}};
  const auto made = make_systemd_spawner(kSystem, script.program());
  const auto started = (*made)->start(launch(), {});
  ASSERT_TRUE(started);
  EXPECT_FALSE(started->has_value());
}

TEST(Spawner, TheUnitOfAnEarlierLifeIsWaitedFor) {
  Script script;
  script.answers = {{0, "", ""},
                    {1, "", "Unit was already loaded or has a fragment file.\n"},
                    {0, "deactivating\n", ""},
                    {1, "", "Unit was already loaded or has a fragment file.\n"},
                    {0, "failed\n", ""},
                    {0, "", ""},
                    {0, "", ""},
                    {0, kOwnPid, ""}};
  const auto made = make_systemd_spawner(kSystem, script.program());
  const auto started = (*made)->start(launch(), {});
  ASSERT_TRUE(started) << started.error().text();
  EXPECT_TRUE(started->has_value());
  EXPECT_TRUE(std::ranges::any_of(script.calls, [](const std::string& call) {
    return call == "/usr/bin/systemctl reset-failed " + unit_name(launch());
  }));
}

TEST(Spawner, ARefusalThatWillNotPassIsTold) {
  Script script;
  script.answers = {
      {0, "", ""}, {1, "", "Failed to start: Access denied\n"}, {0, "inactive\n", ""}};
  const auto made = make_systemd_spawner(kSystem, script.program());
  const auto started = (*made)->start(launch(), {});
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().message,
            "systemd did not start " + unit_name(launch()) + ": Failed to start: Access denied");
}

}  // namespace
}  // namespace host
