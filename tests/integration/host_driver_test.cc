// The planner, the engine, the host driver, the guard and real etcd processes together.
#include <cstdlib>
#include <string_view>

#include "integration/host_cluster.h"

namespace integration {
namespace {

class HostDriverTest : public HostCluster {};

TEST_F(HostDriverTest, FormsThreeMembersOverTlsAndRefusesWhoHasNoCertificate) {
  ASSERT_TRUE(run_until([&] { return healthy(3); }));
  ASSERT_TRUE(put("a", "1"));
  expect_everywhere("a", "1");
  const auto connection = platform_->connection(intent_.cluster.key);
  ASSERT_TRUE(connection);
  EXPECT_EQ(connection->endpoints.size(), 3U);
  const std::string url = connection->endpoints[0];
  EXPECT_FALSE(etcd::connect(url, {})->status(2s));
  EXPECT_FALSE(etcd::connect("http" + url.substr(5), {})->status(2s));
  for (const auto& [name, member] : record().members) {
    const auto bytes = posix::read_file(files(name).ticket, 1 << 20);
    ASSERT_TRUE(bytes);
    EXPECT_EQ(guard::decode_ticket(*bytes)->permit, guard::Permit::kData) << name;
    EXPECT_EQ(guard::decode_ticket(*bytes)->member_id, member.id) << name;
  }
}

TEST_F(HostDriverTest, ScalesOneThreeFiveThreeOneAndKeepsEveryWrite) {
  intent_.cluster.spec.size = 1;
  ASSERT_TRUE(run_until([&] { return healthy(1); }));
  int written = 0;
  for (const int size : {3, 5, 3, 1}) {
    intent_.cluster.spec.size = size;
    ASSERT_TRUE(put(fmt::format("k{}", written++), "v"));
    ASSERT_TRUE(run_until([&] { return healthy(size); })) << size;
    for (int i = 0; i < written; ++i) expect_everywhere(fmt::format("k{}", i), "v");
  }
  EXPECT_EQ(platform_->connection(intent_.cluster.key)->endpoints.size(), 1U);
}

TEST_F(HostDriverTest, AKilledMemberComesBackUnderItsIdAndAnEmptiedOneIsReplaced) {
  ASSERT_TRUE(run_until([&] { return healthy(3); }));
  ASSERT_TRUE(put("a", "1"));
  const auto before = record();
  const std::string name = before.members.begin()->first;
  kill_member(name);
  ASSERT_TRUE(run_until([&] { return !healthy(3); }));
  ASSERT_TRUE(run_until([&] { return healthy(3); }));
  EXPECT_EQ(record().members.at(name).id, before.members.at(name).id);

  kill_member(name);
  ASSERT_TRUE(posix::remove_tree(files(name).data));
  ASSERT_TRUE(run_until([&] { return healthy(3) && !record().members.contains(name); }));
  expect_everywhere("a", "1");
  for (const auto& [other, member] : record().members)
    EXPECT_NE(member.id, before.members.at(name).id);
}

TEST_F(HostDriverTest, AnotherOperatorAdoptsTheMembersWithoutARestart) {
  ASSERT_TRUE(run_until([&] { return healthy(3); }));
  std::map<std::string, std::int64_t> pids;
  for (const auto& [name, member] : record().members) pids[name] = state(name).etcd_pid;
  end();
  begin();
  ASSERT_TRUE(run_until([&] { return healthy(3); }));
  for (const auto& [name, pid] : pids) EXPECT_EQ(state(name).etcd_pid, pid) << name;
}

TEST_F(HostDriverTest, TwoOfThreeDataDirectoriesLostAreRecoveredFromTheSurvivor) {
  intent_.cluster.spec.recovery.wait = 1s;
  ASSERT_TRUE(run_until([&] { return healthy(3); }));
  ASSERT_TRUE(put("a", "1"));
  expect_everywhere("a", "1");
  const auto before = record();
  int lost = 0;
  for (const auto& [name, member] : before.members) {
    if (++lost > 2) break;
    kill_member(name);
    ASSERT_TRUE(posix::remove_tree(files(name).data));
  }
  ASSERT_TRUE(run_until([&] { return healthy(3) && record().epoch > before.epoch; }));
  expect_everywhere("a", "1");
  EXPECT_NE(record().cluster_id, before.cluster_id);
  EXPECT_NE(record().token, before.token);
}

TEST_F(HostDriverTest, ANewPatchReachesEveryMember) {
  ASSERT_TRUE(run_until([&] { return healthy(3); }));
  ASSERT_TRUE(put("a", "1"));
  intent_.cluster.spec.version = *api::parse_version("3.5.33");
  ASSERT_TRUE(run_until([&] {
    return healthy(3) && std::ranges::all_of(status().members, [](const auto& m) {
             return m.version && m.version->text() == "3.5.33";
           });
  }));
  intent_.cluster.spec.version = *api::parse_version("3.6.16");
  ASSERT_TRUE(run_until([&] {
    return healthy(3) && reconciler_->last()->seen.cluster_version.known() &&
           reconciler_->last()->seen.cluster_version->minor == 6;
  }));
  expect_everywhere("a", "1");
}

// No program is there to look; what matters is what was done before.
TEST_F(HostDriverTest, WhoLooksForBackupsDoesNotMakeTheirFolderAgain) {
  intent_.cluster.spec.backup.emplace();
  plan::Record record;
  record.key = intent_.cluster.key;
  const std::string folder = host::Layout(scratch_.root() + "/state").backups(intent_.cluster.key);
  const auto makes = [&](const plan::Action& action) {
    (void)driver_->apply({action, plan::Reason::kRestoreLookup}, {intent_, record}, {});
    const bool made = posix::exists(folder) == base::Fact<bool>(true);
    EXPECT_TRUE(posix::remove_tree(folder));
    return made;
  };
  EXPECT_FALSE(makes(plan::StartDrill{1}));
  record.restore.after_loss = true;
  EXPECT_FALSE(makes(plan::FetchBackup{1}));
  // A new cluster may begin from its own backups, if there are any.
  record.restore.after_loss = false;
  intent_.cluster.spec.restore.emplace();
  EXPECT_TRUE(makes(plan::FetchBackup{2}));
  EXPECT_FALSE(makes(plan::FetchBackup{3}));
  EXPECT_TRUE(makes(plan::StartBackup{1}));
}

TEST_F(HostDriverTest, ADeletedClusterStopsKeepsItsDataAndGoesOnWhenItIsWantedAgain) {
  ASSERT_TRUE(run_until([&] { return healthy(3); }));
  ASSERT_TRUE(put("a", "1"));
  const auto id = record().cluster_id;
  intent_.wish = plan::Wish::kDeleted;
  ASSERT_TRUE(run_until([&] {
    return std::ranges::all_of(record().members, [&](const auto& m) {
      return posix::is_locked(files(m.first).lock) == base::Fact<bool>(false);
    });
  }));
  intent_.wish = plan::Wish::kPresent;
  ASSERT_TRUE(run_until([&] { return healthy(3); }));
  EXPECT_EQ(record().cluster_id, id);
  expect_everywhere("a", "1");
}

// Flags, metrics and answers differ by version.
class HostVersionTest : public HostCluster, public ::testing::WithParamInterface<const char*> {};

TEST_P(HostVersionTest, FormsOverTlsAndReplacesALostMember) {
  intent_.cluster.spec.version = *api::parse_version(GetParam());
  ASSERT_TRUE(run_until([&] { return healthy(3); }));
  ASSERT_TRUE(put("a", "1"));
  expect_everywhere("a", "1");
  EXPECT_TRUE(run_until([&] {
    const auto& version = reconciler_->last()->seen.cluster_version;
    return version.known() && version->same_minor(intent_.cluster.spec.version);
  }));
  const std::string name = record().members.begin()->first;
  kill_member(name);
  ASSERT_TRUE(posix::remove_tree(files(name).data));
  ASSERT_TRUE(run_until([&] { return healthy(3) && !record().members.contains(name); }));
  expect_everywhere("a", "1");
}

// The oldest version is fetched for the full depth only.
std::vector<const char*> versions() {
  std::vector<const char*> out{"3.5.33", "3.6.16", "3.7.3"};
  const char* depth = std::getenv("EO_DEPTH");
  if (depth != nullptr && std::string_view(depth) == "full") out.push_back("3.4.23");
  return out;
}
INSTANTIATE_TEST_SUITE_P(Versions, HostVersionTest, ::testing::ValuesIn(versions()));

}  // namespace
}  // namespace integration
