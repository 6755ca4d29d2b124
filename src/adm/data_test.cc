// Whose the data is: an etcd that runs on it.
#include <gtest/gtest.h>

#include <csignal>

#include "adm/adopt_process.h"
#include "adm/commands.h"
#include "adm/node.h"
#include "posix/clock.h"
#include "posix/files.h"
#include "posix/link.h"
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
