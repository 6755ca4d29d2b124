#include <filesystem>
#include <map>

#include "e2e/host/fixture.h"

namespace e2e {
namespace {

namespace fs = std::filesystem;

const char* const kQuick = "  recovery:\n    waitSeconds: 5\n";
const char* const kApprove = "  recovery:\n    onQuorumLoss: Approve\n    waitSeconds: 5\n";

class RecoveryTest : public VersionedTest {
 protected:
  // Deletes the data of all members but `kept` (empty: of all) and kills their etcd.
  std::vector<MemberStatus> lose_all_but(const std::string& kept) {
    const auto members = sandbox_.members("c");
    for (const auto& m : members) {
      if (m.name == kept) continue;
      fs::remove_all(sandbox_.data_dir("c", m.name));
    }
    for (const auto& m : members)
      if (m.name != kept) sandbox_.kill_etcd("c", m.name);
    return members;
  }
  void expect_recovered(const std::vector<MemberStatus>& before) {
    ASSERT_TRUE(eventually(150s, [&] {
      if (!settled(3)) return false;
      for (const auto& m : sandbox_.members("c"))
        for (const auto& old : before)
          if (m.id == old.id) return false;
      return true;
    })) << say();
    EXPECT_TRUE(eventually(60s, [&] { return has_event("Recovered"); }))
        << sandbox_.cli({"events", "c"}).out;
  }
};

TEST_P(RecoveryTest, TwoOfThreeLostAreRecoveredFromTheSurvivor) {
  create(3, GetParam(), kQuick);
  ASSERT_FALSE(HasFatalFailure());
  ASSERT_TRUE(eventually(120s, [&] { return writer_->count() > 300; }));
  const Written before = writer_->stop();  // all of it is on every live member or none
  ASSERT_TRUE(eventually(60s, [&] { return settled(3); }));
  expect_nothing_lost(sandbox_, "c", before);
  const auto members = lose_all_but(with_role("leader"));
  expect_recovered(members);
  ASSERT_FALSE(HasFatalFailure());
  expect_nothing_lost(sandbox_, "c", before);
  start_writer();
  finish();
}

TEST_P(RecoveryTest, WithApproveItWaitsAndSaysHow) {
  create(3, GetParam(), kApprove);
  ASSERT_FALSE(HasFatalFailure());
  const Written before = writer_->stop();
  ASSERT_TRUE(eventually(60s, [&] { return settled(3); }));
  const auto members = lose_all_but(with_role("leader"));
  ASSERT_TRUE(eventually(60s,
                         [&] {
                           return sandbox_.condition("c", "NeedsApproval") == "True" &&
                                  says("NeedsApproval", "etcd-operator approve");
                         }))
      << sandbox_.message("c", "NeedsApproval") << say();
  EXPECT_TRUE(always(8000ms, [&] { return sandbox_.condition("c", "Available") != "True"; }));
  const Ran approved = sandbox_.cli({"approve", "c"});
  ASSERT_EQ(approved.exit_code, 0) << approved.err;
  expect_recovered(members);
  expect_nothing_lost(sandbox_, "c", before);
}

TEST_P(RecoveryTest, AllDataLostNeedsApprovalAndNeverStartsEmpty) {
  create(3, GetParam(), kQuick);
  ASSERT_FALSE(HasFatalFailure());
  writer_->stop();
  lose_all_but("");
  ASSERT_TRUE(eventually(60s, [&] { return sandbox_.condition("c", "NeedsApproval") == "True"; }))
      << say();
  EXPECT_TRUE(always(10'000ms, [&] {
    for (const auto& both : sandbox_.all_members())
      if (sandbox_.etcd_pid("c", both.substr(both.find('/') + 1)) != 0) return false;
    return sandbox_.condition("c", "Available") != "True";
  })) << say();
}

TEST_P(RecoveryTest, TwoOfThreeMerelyStoppedAreStartedAndNothingElse) {
  create(3, GetParam(), kQuick);
  ASSERT_FALSE(HasFatalFailure());
  const auto before = sandbox_.members("c");
  const std::string leader = with_role("leader");
  std::map<std::string, pid_t> stopped;
  for (const auto& m : before)
    if (m.name != leader) stopped[m.name] = sandbox_.etcd_pid("c", m.name);
  for (const auto& [name, pid] : stopped) sandbox_.kill_guard("c", name);
  // The status may be older than the loss: both must run again, and serve.
  const std::size_t count = writer_->count();
  ASSERT_TRUE(eventually(60s, [&] {
    for (const auto& [name, pid] : stopped)
      if (const pid_t now = sandbox_.etcd_pid("c", name); now == 0 || now == pid) return false;
    return settled(3) && writer_->count() > count + 50;
  })) << say();
  for (const auto& m : before) EXPECT_EQ(id_of(m.name), m.id);
  finish();
}

std::vector<std::string> two() {
  return {"3.5.12", "3.6.16"};
}
INSTANTIATE_TEST_SUITE_P(Versions, RecoveryTest, testing::ValuesIn(two()), version_name);

}  // namespace
}  // namespace e2e
