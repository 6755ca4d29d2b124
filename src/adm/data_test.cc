// Whose the data is: an etcd that runs on it, recoveries that go on.
#include <gtest/gtest.h>

#include <csignal>

#include "adm/adopt_process.h"
#include "adm/certificates.h"
#include "adm/commands.h"
#include "adm/node.h"
#include "adm/steps.h"
#include "posix/clock.h"
#include "posix/files.h"
#include "posix/link.h"
#include "posix/socket.h"
#include "posix/test_dir.h"

namespace adm {
namespace {

using base::Code;

struct Bench {
  posix::TestDir dir;
  posix::SystemClock clock;
  std::vector<std::string> said;
  Context context{Flags{},
                  clock,
                  {},
                  "guard",
                  [this](const auto& s) { said.push_back(s); },
                  [](const auto&) { return false; }};
  Host host;

  Bench() {
    Flags& f = context.flags;
    f.state_dir = dir.path("state");
    f.name = "etcd-1";
    f.bind_address = "127.0.0.1";
    f.init_system = "none";
    f.certs_dir = dir.path("pki");
    f.install_dir = dir.path("bin");
    f.data_dir = dir.path("data");
    configure(host, f);
    host.stage = Stage::kMember;
    host.member_id = {7};
    host.cluster_id = {8};
    host.token = "etcd-abc";
    for (const char* folder : {"/data", "/bin"})
      EXPECT_TRUE(posix::make_dirs(dir.path("") + folder));
  }
  void leave_journal(const std::string& command) {
    const std::vector<Step> stuck{{"one", "", [] { return base::Status{}; }},
                                  {"two", "", [] { return base::fail(Code::kInternal, "x"); }}};
    EXPECT_FALSE(run_steps(context, {command, {}}, stuck));
  }
};

// A program that has the name of etcd, and was told the same.
class FakeEtcd {
 public:
  explicit FakeEtcd(const Bench& b) {
    const std::string program = b.dir.path("bin/etcd");
    EXPECT_TRUE(posix::link_to("/bin/sleep", program));
    const auto started =
        posix::spawn_detached({{{program, "600"}, {"ETCD_DATA_DIR=" + b.dir.path("data")}, "/"}});
    EXPECT_TRUE(started) << started.error().text();
    if (started) process = *started;
  }
  FakeEtcd(const FakeEtcd&) = delete;
  FakeEtcd& operator=(const FakeEtcd&) = delete;
  ~FakeEtcd() { (void)posix::send_signal(process, SIGKILL); }
  [[nodiscard]] bool runs() const { return posix::is_alive(process) == base::Fact<bool>(true); }

  posix::ProcessId process;
};

TEST(Data, AnEtcdThatRunsOnItIsFound) {
  const Bench b;
  const FakeEtcd etcd(b);
  ASSERT_TRUE(posix::link_to(b.dir.path("data"), b.dir.path("link")));
  ASSERT_TRUE(posix::link_to(".", b.dir.path("data/data")));  // of an adopted member
  for (const char* name : {"data", "data//", "link", "data/data"}) {
    const auto found = etcd_on(b.dir.path(name), 0);
    ASSERT_TRUE(found && found->has_value()) << name;
    EXPECT_EQ((*found)->process, etcd.process);
  }
  for (const char* name : {"bin", "absent"}) EXPECT_FALSE(*etcd_on(b.dir.path(name), 0)) << name;
}

TEST(Data, OfAnAdoptedMemberTheEtcdWithoutAGuardIsEndedWithIt) {
  Bench b;
  const FakeEtcd etcd(b);
  const auto other = stop_member(b.context, b.host);
  ASSERT_FALSE(other);
  EXPECT_NE(other.error().message.find("pid " + std::to_string(etcd.process.pid)),
            std::string::npos);
  EXPECT_TRUE(etcd.runs());
  b.host.token = "adopted-8";
  const auto ended = stop_member(b.context, b.host);
  EXPECT_TRUE(ended) << ended.error().text();
  EXPECT_FALSE(etcd.runs());
}

TEST(Data, ResetTouchesNothingUnderARunningEtcd) {
  Bench b;
  const FakeEtcd etcd(b);
  ASSERT_TRUE(posix::write_atomic(b.dir.path("data/x"), "x"));
  ASSERT_TRUE(save_host(b.context.places(), b.host));
  b.context.flags.yes = b.context.flags.skip_remove_member = b.context.flags.delete_data = true;
  const auto refused = reset(b.context);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kFailedPrecondition) << refused.error().text();
  EXPECT_TRUE(etcd.runs());
  EXPECT_EQ(posix::exists(b.dir.path("data/x")), base::Fact<bool>(true));
}

TEST(Data, ARecoveryThatGoesOnLooksAgainWhoElseRuns) {
  Bench b;
  const auto other = posix::TcpListener::listen("127.0.0.1", 0);
  ASSERT_TRUE(other);
  b.host.endpoints = {"https://127.0.0.1:3"};  // started again, it opens its peer port only
  b.host.client_port = 1;
  b.host.peer_port = other->port();
  ASSERT_TRUE(make_certificates(b.host, b.clock.now()));
  ASSERT_TRUE(save_host(b.context.places(), b.host));
  b.context.flags.yes = true;
  const std::string recovery = b.context.places().recovery(), kept = b.dir.path("data.survivor-1");
  const auto begin = [&] {
    ASSERT_TRUE(posix::make_dirs(recovery));
    ASSERT_TRUE(
        posix::write_atomic(recovery + "/choice.json",
                            R"({"oldCluster": "8", "bound": "x", "kept": ")" + kept + "\"}"));
    ASSERT_TRUE(posix::write_atomic(recovery + "/survivor.db", "of an earlier time"));
    b.leave_journal("member recover");
  };
  begin();
  const auto refused = member_recover(b.context);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("still runs"), std::string::npos)
      << refused.error().text();
  EXPECT_NE(refused.error().message.find("is given up"), std::string::npos);
  EXPECT_EQ(*unfinished(b.context.places()), "");
  EXPECT_EQ(posix::exists(recovery), base::Fact<bool>(false));
  // Where the data was moved already there is no way back but a reset.
  ASSERT_TRUE(posix::make_dirs(kept));
  begin();
  const auto late = member_recover(b.context);
  ASSERT_FALSE(late);
  EXPECT_NE(late.error().message.find("etcdadm reset --keep-config"), std::string::npos)
      << late.error().text();
  EXPECT_EQ(*unfinished(b.context.places()), "member recover");
  EXPECT_EQ(posix::exists(recovery + "/survivor.db"), base::Fact<bool>(true));
}

TEST(Data, ARestartUnderTheGuardThatWasKilledInBetweenGoesOn) {
  Bench b;
  b.host.token = "adopted-8";
  ASSERT_TRUE(save_host(b.context.places(), b.host));
  ASSERT_TRUE(write_member(b.context, b.host));
  b.context.flags.restart = true;
  // There is no program to start: that it is tried is what this shows.
  const auto tried = adopt(b.context);
  ASSERT_FALSE(tried);
  EXPECT_NE(tried.error().message.find("etcd-guard"), std::string::npos) << tried.error().text();
}

}  // namespace
}  // namespace adm
