// Several members: the rows of the table of start situations that need a cluster around the member.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "guard/testing/harness.h"

namespace guard::testing {
namespace {

namespace fs = std::filesystem;

class ClusterRow : public ::testing::TestWithParam<std::string> {
 protected:
  void start(int size) {
    cluster = std::make_unique<Cluster>(GetParam(), size);
    ASSERT_TRUE(cluster->start());
  }
  Node& at(std::size_t i) { return cluster->at(i); }
  void copy_volume(const Node& node, const std::string& to) const {
    fs::copy(node.paths.volume(), cluster->root() + "/" + to, fs::copy_options::recursive);
  }
  void put_back(const Node& node, const std::string& from) const {
    fs::remove_all(node.paths.volume());
    fs::copy(cluster->root() + "/" + from, node.paths.volume(), fs::copy_options::recursive);
  }
  std::string raft_term() {
    const auto text = at(0).ctl({"endpoint", "status", "-w=fields"}).output;
    const auto from = text.find("\"RaftTerm\"");
    return from == std::string::npos ? "" : text.substr(from, text.find('\n', from) - from);
  }
  // The index of a follower, so that stopping it moves no leader.
  std::size_t follower() { return cluster->leader().ticket.member_name == "m3" ? 1 : 2; }

  std::unique_ptr<Cluster> cluster;
};
INSTANTIATE_TEST_SUITE_P(Etcd, ClusterRow, ::testing::ValuesIn(etcd_versions()),
                         [](const auto& p) { return test_suffix(p.param); });

TEST_P(ClusterRow, ExistingAndEmptyFreshJoin) {
  start(1);
  ASSERT_TRUE(at(0).put("k", "v"));
  Node& learner = cluster->add("m2", true);
  learner.start();
  ASSERT_TRUE(learner.wait_noted(3));
  EXPECT_TRUE(learner.marker().started);
  EXPECT_EQ(learner.marker().cluster_id, at(0).marker().cluster_id);
  EXPECT_TRUE(eventually([&] {
    return at(0).ctl({"member", "promote", base::to_text(learner.marker().member_id)}).code == 0;
  }));
  ASSERT_TRUE(learner.wait_healthy());
  EXPECT_EQ(learner.get("k"), "v");
}

TEST_P(ClusterRow, ExistingAndEmptyNoPeerAnswers) {
  start(1);
  Node& joiner = cluster->add("m2", true);
  joiner.ticket.initial_cluster =
      fmt::format("m1=http://127.0.0.1:{},m2={}", free_port(), joiner.peer_url());
  joiner.start();
  ASSERT_TRUE(joiner.wait_verdict(Class::kRetry)) << joiner.etcd_log();
  EXPECT_TRUE(eventually([&] { return !joiner.marker().started; }));
  joiner.ticket.initial_cluster = cluster->member_list();
  joiner.write_ticket();
  joiner.hang_up();
  EXPECT_TRUE(joiner.wait_noted(3));
}

TEST_P(ClusterRow, ExistingAndEmptyMemberListTooLong) {
  start(1);
  Node& joiner = cluster->add("m2", true);
  joiner.ticket.initial_cluster = cluster->member_list() + ",m3=http://127.0.0.1:20999";
  joiner.start();
  ASSERT_TRUE(joiner.wait_verdict(Class::kRetry));
  EXPECT_NE(joiner.verdict().signature.find("member count is unequal"), std::string::npos)
      << joiner.verdict().signature;
  joiner.ticket.initial_cluster = cluster->member_list();
  joiner.write_ticket();
  joiner.hang_up();
  EXPECT_TRUE(joiner.wait_noted(3));
}

TEST_P(ClusterRow, WipedMemberWhileTheLeaderRemembers) {
  start(3);
  Node& victim = at(follower());
  victim.ticket.permit = Permit::kData;
  victim.write_ticket();
  ASSERT_TRUE(at(0).put("k", "v"));
  fs::remove_all(victim.paths.data());
  victim.kill_etcd();
  EXPECT_EQ(victim.wait_end(), 10);
  EXPECT_EQ(victim.verdict().klass, Class::kDataLost);
  EXPECT_EQ(victim.state().starts, 1U);
  EXPECT_TRUE(at(0).put("k2", "v"));
}

TEST_P(ClusterRow, OlderCopyOfTheWholeVolume) {
  start(3);
  Node& victim = at(follower());
  victim.stop_and_make_data();
  copy_volume(victim, "copy");
  // The marker goes back with the data: only etcd itself can tell, while the leader remembers.
  // Another leader, elected meanwhile, would let it in: then once more.
  int end = 0;
  for (int tries = 0; tries < 5 && end != 10; ++tries) {
    victim.start();
    ASSERT_TRUE(victim.wait_healthy());
    if (&cluster->leader() == &victim) {
      victim.stop();
      continue;
    }
    const auto term = raft_term();
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(at(0).put(fmt::format("k{}", i), "v"));
    ASSERT_TRUE(victim.wait_healthy());
    victim.stop();
    put_back(victim, "copy");
    victim.start();
    end = victim.wait_end();
    if (raft_term() == term) break;
  }
  EXPECT_EQ(end, 10) << victim.verdict().signature;
  EXPECT_EQ(victim.verdict().klass, Class::kDataLost) << victim.verdict().signature;
  EXPECT_NE(victim.verdict().signature.find("tocommit("), std::string::npos);
  EXPECT_EQ(victim.state().starts, 1U) << "tried again";
  EXPECT_EQ(victim.marker().condemned, Class::kDataLost);
  // After a change of the leader etcd would let it in; a new ticket must not either.
  ASSERT_EQ(cluster->leader().stop(), 0);
  victim.ticket.template_hash = "hash-2";
  victim.start();
  EXPECT_EQ(victim.wait_end(), 10);
  EXPECT_EQ(victim.state().starts, 0U);
}

TEST_P(ClusterRow, NewAndEmptyMemberKnownAndStarted) {
  start(3);
  Node& victim = at(follower());
  victim.stop();
  fs::remove_all(victim.paths.volume());
  victim.start();  // still with a bootstrap ticket, on a fresh volume
  EXPECT_EQ(victim.wait_end(), 10) << victim.verdict().signature;
  EXPECT_EQ(victim.verdict().klass, Class::kDataLost);
  EXPECT_NE(victim.verdict().signature.find("has already been bootstrapped"), std::string::npos)
      << victim.verdict().signature;
  victim.start();
  EXPECT_EQ(victim.wait_end(), 10);
  EXPECT_EQ(victim.state().starts, 0U) << "it could join blank at another time";
}

TEST_P(ClusterRow, RemovedWhileRunning) {
  start(3);
  Node& victim = at(follower());
  const std::string id = base::to_text(victim.marker().member_id);
  ASSERT_TRUE(eventually([&] { return at(0).ctl({"member", "remove", id}).code == 0; }));
  EXPECT_EQ(victim.wait_end(), 13) << victim.verdict().signature << victim.etcd_log();
  EXPECT_EQ(victim.verdict().klass, Class::kRemoved);
  victim.ticket.permit = Permit::kData;
  victim.start();
  EXPECT_EQ(victim.wait_end(), 13);
  EXPECT_EQ(victim.state().starts, 0U);
}

TEST_P(ClusterRow, RemovedEarlierRestartWithItsData) {
  start(3);
  Node& victim = at(follower());
  const std::string id = base::to_text(victim.marker().member_id);
  victim.stop_and_make_data();
  ASSERT_TRUE(eventually([&] { return at(0).ctl({"member", "remove", id}).code == 0; }));
  victim.start();
  EXPECT_EQ(victim.wait_end(), 13) << victim.verdict().signature;
  EXPECT_EQ(victim.verdict().klass, Class::kRemoved) << victim.etcd_log();
}

TEST_P(ClusterRow, RemovedAndEmpty) {
  start(3);
  Node& victim = at(follower());
  const std::string id = base::to_text(victim.marker().member_id);
  victim.stop();
  ASSERT_TRUE(eventually([&] { return at(0).ctl({"member", "remove", id}).code == 0; }));
  fs::remove_all(victim.paths.volume());
  victim.ticket.permit = Permit::kJoin;
  victim.start();
  EXPECT_TRUE(victim.wait_verdict(Class::kRetry));
  EXPECT_EQ(victim.stop(), 0);
}

TEST_P(ClusterRow, RemovedMembersDataIsMovedAsideWhenItsVolumeJoinsAgain) {
  start(1);
  Node& joiner = cluster->add("m2", true);
  joiner.start();
  ASSERT_TRUE(joiner.wait_noted(3));
  joiner.stop();
  const Marker old = joiner.marker();
  ASSERT_EQ(at(0).ctl({"member", "remove", base::to_text(old.member_id)}).code, 0);
  ASSERT_TRUE(eventually([&] {
    const auto added =
        at(0).ctl({"member", "add", "m2", "--learner", "--peer-urls=" + joiner.peer_url()});
    const std::size_t at = added.output.find("Member ");
    if (added.code != 0 || at == std::string::npos) return false;
    joiner.ticket.member_id.value = std::strtoull(added.output.c_str() + at + 7, nullptr, 16);
    return true;
  }));
  ASSERT_NE(joiner.ticket.member_id, old.member_id);
  joiner.start();
  EXPECT_TRUE(eventually([&] {
    const Marker m = joiner.marker();
    return m.member_id == joiner.ticket.member_id && m.last_index >= 3;
  })) << joiner.verdict().signature;
  EXPECT_TRUE(fs::exists(joiner.paths.stale() + "/member/wal"));
}

TEST_P(ClusterRow, AllKilledComeBackByThemselves) {
  start(3);
  ASSERT_TRUE(at(0).put("k", "v"));
  for (std::size_t i = 0; i < 3; ++i) at(i).kill_etcd();
  for (std::size_t i = 0; i < 3; ++i) {
    ASSERT_TRUE(eventually([&] { return at(i).state().starts == 2 && at(i).healthy(); }));
    EXPECT_EQ(at(i).get("k"), "v");
  }
}

}  // namespace
}  // namespace guard::testing
