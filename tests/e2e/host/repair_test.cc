#include <filesystem>
#include <fstream>

#include "e2e/host/fixture.h"

namespace e2e {
namespace {

namespace fs = std::filesystem;

class RepairTest : public VersionedTest {
 protected:
  // Holds the operator back, ends the member with its guard, changes its disk, lets go.
  void tamper(const std::string& member, const std::function<void(const fs::path& data)>& change) {
    ASSERT_EQ(sandbox_.cli({"pause", "c"}).exit_code, 0);
    sandbox_.kill_guard("c", member);
    change(sandbox_.data_dir("c", member));
    ASSERT_EQ(sandbox_.cli({"resume", "c"}).exit_code, 0);
  }
  bool all_run(const std::vector<MemberStatus>& members) const {
    for (const auto& m : members)
      if (sandbox_.etcd_pid("c", m.name) == 0) return false;
    return true;
  }
  // Three voters again, and `old_id` is in no list.
  void expect_replaced(const std::string& old_id) {
    ASSERT_TRUE(eventually(120s,
                           [&] {
                             if (!settled(3)) return false;
                             for (const auto& m : sandbox_.members("c"))
                               if (m.id == old_id) return false;
                             return true;
                           }))
        << "member " << old_id << " was not replaced: " << say();
    for (const auto& m : listed(sandbox_, "c")) EXPECT_NE(base::to_text(m.id), old_id);
  }
};

TEST_P(RepairTest, KilledMemberComesBackUnderItsOwnId) {
  create(3, GetParam());
  ASSERT_FALSE(HasFatalFailure());
  const std::string member = with_role("follower");
  const std::string id = id_of(member);
  const pid_t before = sandbox_.etcd_pid("c", member);
  sandbox_.kill_etcd("c", member);
  ASSERT_TRUE(eventually(60s, [&] {
    const pid_t now = sandbox_.etcd_pid("c", member);
    return now != 0 && now != before && settled(3);
  })) << say();
  EXPECT_EQ(id_of(member), id);
  finish();
}

TEST_P(RepairTest, DeletedDataIsReplacedAndTheOldIdIsGone) {
  create(3, GetParam());
  ASSERT_FALSE(HasFatalFailure());
  const std::string member = with_role("follower");
  const std::string id = id_of(member);
  fs::remove_all(sandbox_.data_dir("c", member));
  sandbox_.kill_etcd("c", member);
  expect_replaced(id);
  finish();
}

TEST_P(RepairTest, AnOlderCopyOfTheDataIsRefusedAndReplaced) {
  create(3, GetParam());
  ASSERT_FALSE(HasFatalFailure());
  const std::string member = with_role("follower");
  const std::string id = id_of(member);
  const fs::path copy = sandbox_.root() / "copy";
  tamper(member, [&](const fs::path& data) { fs::copy(data, copy, fs::copy_options::recursive); });
  const std::size_t before = writer_->count();
  ASSERT_TRUE(eventually(120s, [&] {
    return sandbox_.etcd_pid("c", member) != 0 && settled(3) && writer_->count() > before + 200;
  }));
  tamper(member, [&](const fs::path& data) {
    fs::remove_all(data);
    fs::copy(copy, data, fs::copy_options::recursive);
  });
  expect_replaced(id);
  finish();
}

TEST_P(RepairTest, ACutLogIsRefusedAndReplaced) {
  create(3, GetParam());
  ASSERT_FALSE(HasFatalFailure());
  const std::string member = with_role("follower");
  const std::string id = id_of(member);
  ASSERT_TRUE(eventually(180s, [&] { return writer_->count() > 600; }));
  tamper(member, [&](const fs::path& data) {
    // A quarter of what was written is cut off; the preallocated rest is zeros.
    for (const auto& file : fs::directory_iterator(data / "member" / "wal")) {
      if (file.path().extension() != ".wal") continue;
      std::ifstream in(file.path(), std::ios::binary);
      std::string bytes((std::istreambuf_iterator<char>(in)), {});
      bytes.resize(bytes.find_last_not_of('\0') + 1);
      fs::resize_file(file.path(), bytes.size() * 3 / 4);
    }
  });
  expect_replaced(id);
  finish();
}

TEST_P(RepairTest, DataOfARemovedMemberIsRefusedAndReplaced) {
  create(3, GetParam());
  ASSERT_FALSE(HasFatalFailure());
  // The first victim is replaced; its old data then appears in the place of another member.
  const std::string first = with_role("follower");
  const std::string first_id = id_of(first);
  const fs::path old = sandbox_.root() / "removed";
  tamper(first, [&](const fs::path& data) { fs::rename(data, old); });
  expect_replaced(first_id);
  ASSERT_FALSE(HasFatalFailure());
  const std::string second = with_role("follower");
  const std::string second_id = id_of(second);
  tamper(second, [&](const fs::path& data) {
    fs::remove_all(data);
    fs::rename(old, data);
  });
  expect_replaced(second_id);
  finish();
}

TEST_P(RepairTest, DataOfAnotherClusterIsRefusedAndReplaced) {
  create(3, GetParam());
  ASSERT_FALSE(HasFatalFailure());
  sandbox_.write("other.yaml", manifest("other", 1, GetParam()));
  ASSERT_TRUE(eventually(60s, [&] { return sandbox_.settled("other", 1); }));
  const auto others = sandbox_.members("other");
  ASSERT_EQ(others.size(), 1U);
  const std::string member = with_role("follower");
  const std::string id = id_of(member);
  tamper(member, [&](const fs::path& data) {
    fs::remove_all(data);
    fs::copy(sandbox_.data_dir("other", others[0].name), data, fs::copy_options::recursive);
  });
  expect_replaced(id);
  EXPECT_TRUE(eventually(60s, [&] { return sandbox_.settled("other", 1); }));
  finish();
}

TEST_P(RepairTest, KilledLeaderAndThenAllMembersComeBackByThemselves) {
  create(3, GetParam());
  ASSERT_FALSE(HasFatalFailure());
  const auto before = sandbox_.members("c");
  const std::string leader = with_role("leader");
  const pid_t pid = sandbox_.etcd_pid("c", leader);
  sandbox_.kill_etcd("c", leader);
  ASSERT_TRUE(eventually(60s, [&] {
    const pid_t now = sandbox_.etcd_pid("c", leader);
    return now != 0 && now != pid && settled(3);
  })) << say();
  for (const auto& m : before) sandbox_.kill_etcd("c", m.name);
  const std::size_t count = writer_->count();
  ASSERT_TRUE(eventually(60s, [&] {
    return all_run(before) && settled(3) && writer_->count() > count + 50;
  })) << say();
  for (const auto& m : before) EXPECT_EQ(id_of(m.name), m.id);
  finish();
}

TEST_P(RepairTest, AfterARebootEverythingComesBackWithItsData) {
  create(3, GetParam());
  ASSERT_FALSE(HasFatalFailure());
  const auto before = sandbox_.members("c");
  sandbox_.kill_everything();
  sandbox_.start_operator();
  const std::size_t count = writer_->count();
  ASSERT_TRUE(eventually(90s, [&] {
    return all_run(before) && settled(3) && writer_->count() > count + 50;
  })) << say();
  for (const auto& m : before) EXPECT_EQ(id_of(m.name), m.id);
  finish();
}

TEST_P(RepairTest, TheOperatorEndsInTwoSecondsAndAdoptsItsMembersAgain) {
  create(3, GetParam());
  ASSERT_FALSE(HasFatalFailure());
  std::map<std::string, pid_t> pids;
  for (const auto& m : sandbox_.members("c")) pids[m.name] = sandbox_.etcd_pid("c", m.name);
  EXPECT_EQ(sandbox_.stop_operator(), 0);
  const std::size_t count = writer_->count();
  ASSERT_TRUE(eventually(90s, [&] { return writer_->count() > count + 50; }))
      << "members must serve while the operator is away";
  sandbox_.start_operator();
  ASSERT_TRUE(eventually(60s, [&] { return settled(3); })) << say();
  for (const auto& [name, pid] : pids) EXPECT_EQ(sandbox_.etcd_pid("c", name), pid) << name;
  finish();
}

INSTANTIATE_TEST_SUITE_P(Versions, RepairTest, testing::ValuesIn(versions()), version_name);

}  // namespace
}  // namespace e2e
