#include "e2e/host/fixture.h"

namespace e2e {
namespace {

class UpgradeTest : public ClusterTest {
 protected:
  void upgrade(const std::string& version) {
    declare(3, version);
    ASSERT_TRUE(eventually(180s, [&] { return sandbox_.settled("c", 3, version); }))
        << "to " << version << ": " << say();
    version_ = version;
  }
  // How many members say that they run it, asked one by one.
  int running(const std::string& version) const {
    int out = 0;
    for (const auto& member : listed(sandbox_, "c"))
      eventually(60s, [&] {
        const auto access = sandbox_.access("c");
        if (!access || member.client_urls.empty()) return false;
        const auto api = etcd::connect(member.client_urls.front(), access->tls);
        const auto status = api->status(base::Duration(5'000));
        out += status && status->version == version ? 1 : 0;
        return status.has_value();
      });
    return out;
  }
  void expect_refused(const std::string& version, const std::string& way) {
    declare(3, version);
    ASSERT_TRUE(eventually(60s,
                           [&] {
                             return sandbox_.condition("c", "UpgradeBlocked") == "True" &&
                                    says("UpgradeBlocked", way);
                           }))
        << sandbox_.message("c", "UpgradeBlocked") << say();
    EXPECT_TRUE(always(3000ms, [&] {
      for (const auto& m : sandbox_.members("c"))
        if (!m.version.empty() && m.version != version_) return false;
      return true;
    }));
    declare(3, version_);
    ASSERT_TRUE(
        eventually(60s, [&] { return sandbox_.condition("c", "UpgradeBlocked") != "True"; }));
  }
};

// Two of the three are promoted by 3.5.12, which does not tell 3.6 of it.
TEST_F(UpgradeTest, ThroughEveryMinorWithoutAFailedWrite) {
  create(1, "3.5.12");
  ASSERT_FALSE(HasFatalFailure());
  declare(3, "3.5.12");
  ASSERT_TRUE(eventually(120s, [&] { return sandbox_.settled("c", 3, "3.5.12"); })) << say();
  expect_refused("3.6.16", "3.5.33");
  for (const char* version : {"3.5.33", "3.6.16", "3.7.3"}) {
    if (HasFatalFailure()) return;
    if (std::string_view(version) == "3.6.16") expect_refused("3.7.3", "3.6");
    upgrade(version);
  }
  ASSERT_FALSE(HasFatalFailure());
  expect_refused("3.6.16", "downgrade");
  const Written written = finish();
  EXPECT_TRUE(written.failed.empty()) << written.failed.size() << " writes failed";
  RecordProperty("worst_write_ms", static_cast<int>(written.worst_stall.count()));
}

TEST_F(UpgradeTest, PuttingTheVersionBackHalfWayAborts) {
  create(3, "3.5.33");
  ASSERT_FALSE(HasFatalFailure());
  // It dies before it stops the second member: one runs the new version, and never all three.
  sandbox_.kill_operator();
  declare(3, "3.6.16");
  sandbox_.start_operator({"--fault-point", "StopMember.before:2"});
  ASSERT_TRUE(sandbox_.wait_operator(180s)) << say();
  ASSERT_EQ(running("3.6.16"), 1);
  declare(3, "3.5.33");
  sandbox_.start_operator();
  ASSERT_TRUE(eventually(120s, [&] { return sandbox_.settled("c", 3, "3.5.33"); })) << say();
  const Written written = finish();
  EXPECT_TRUE(written.failed.empty());
}

TEST_F(UpgradeTest, AFlagThatEtcdRefusesHaltsAfterOneMemberAndPuttingItBackHeals) {
  create(3, "3.5.12");
  ASSERT_FALSE(HasFatalFailure());
  more_ = "  etcdOptions:\n    - --auth-token=jwt,pub-key=/no/such/file,sign-method=RS256\n";
  declare(3);
  ASSERT_TRUE(eventually(150s, [&] {
    size_t healthy = 0;
    for (const auto& m : sandbox_.members("c")) healthy += m.healthy ? 1 : 0;
    return healthy == 2;
  })) << say();
  EXPECT_TRUE(always(10'000ms, [&] { return sandbox_.condition("c", "Available") == "True"; }))
      << say();
  more_.clear();
  declare(3);
  ASSERT_TRUE(eventually(90s, [&] { return settled(3); })) << say();
  finish();
}

}  // namespace
}  // namespace e2e
