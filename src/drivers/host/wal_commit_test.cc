#include "drivers/host/wal_commit.h"

#include <gtest/gtest.h>

#include "drivers/host/wal_testing.h"
#include "guard/files.h"
#include "posix/files.h"
#include "posix/process.h"

namespace host {
namespace {

using testing::Log;

class WalCommitTest : public ::testing::Test {
 protected:
  void SetUp() override {
    dir_ = ::testing::TempDir() + "wal-commit-" + std::to_string(posix::own_pid()) + "-" +
           ::testing::UnitTest::GetInstance()->current_test_info()->name();
    ASSERT_TRUE(posix::remove_tree(dir_));
    ASSERT_TRUE(posix::make_dirs(dir_));
  }
  void TearDown() override { EXPECT_TRUE(posix::remove_tree(dir_)); }
  void write(const std::string& name, const std::string& bytes) {
    ASSERT_TRUE(posix::write_atomic(dir_ + "/" + name, bytes));
  }
  std::string read(const std::string& name) {
    return posix::read_file(dir_ + "/" + name, 1 << 20).value_or("");
  }
  std::string dir_;
};

TEST_F(WalCommitTest, TheLastEntryBecomesCommitted) {
  Log log;
  log.begin();
  log.entry(2, 300);
  log.state(2, 7, 299);
  log.entry(3, 301);
  Log expected = log;
  expected.state(2, 7, 301);
  write("0000000000000000-0000000000000000.wal", log.bytes + std::string(4096, '\0'));
  const auto got = commit_whole_log(dir_, {});
  ASSERT_TRUE(got) << got.error().text();
  EXPECT_EQ(*got, 301U);
  EXPECT_EQ(read("0000000000000000-0000000000000000.wal"), expected.bytes);
}

TEST_F(WalCommitTest, ALogTellsWhoseItIs) {
  Log log;
  log.begin();
  log.state(1, 1, 1);
  log.entry(1, 5);
  write("a.wal", log.bytes);
  EXPECT_EQ(owner_of_log(dir_).value_or(LogOwner{}), (LogOwner{{1}, {2}}));
  Log nobodys;
  nobodys.record(4, "");
  nobodys.state(1, 1, 1);
  nobodys.entry(1, 5);
  write("a.wal", nobodys.bytes);
  EXPECT_EQ(owner_of_log(dir_).error().code, base::Code::kDataLoss);
}

TEST_F(WalCommitTest, ASegmentWithoutEntriesLooksIntoTheOneBefore) {
  Log first;
  first.begin();
  first.state(1, 1, 4);
  first.entry(1, 9);
  Log second;
  second.crc = first.crc;
  second.begin();
  second.state(1, 1, 4);
  write("0000000000000000-0000000000000000.wal", first.bytes);
  write("0000000000000001-000000000000000a.wal", second.bytes);
  EXPECT_EQ(commit_whole_log(dir_, {}).value_or(0), 9U);
  second.state(1, 1, 9);
  EXPECT_EQ(read("0000000000000001-000000000000000a.wal"), second.bytes);
  EXPECT_EQ(read("0000000000000000-0000000000000000.wal"), first.bytes);
}

TEST_F(WalCommitTest, ATornTailIsCut) {
  Log log;
  log.begin();
  log.state(1, 1, 1);
  log.entry(1, 5);
  Log whole = log;
  log.entry(1, 6);
  write("a.wal", log.bytes.substr(0, log.bytes.size() - 9));
  EXPECT_EQ(commit_whole_log(dir_, {}).value_or(0), 5U);
  whole.state(1, 1, 5);
  EXPECT_EQ(read("a.wal"), whole.bytes);
}

TEST_F(WalCommitTest, DamageIsNotPapedOver) {
  Log log;
  log.begin();
  log.state(1, 1, 1);
  log.entry(1, 5);
  log.entry(1, 6);
  const auto at = log.bytes.find("hello");
  log.bytes[at] = 'j';
  write("a.wal", log.bytes);
  EXPECT_EQ(commit_whole_log(dir_, {}).error().code, base::Code::kDataLoss);
  EXPECT_EQ(read("a.wal"), log.bytes);
}

// Entries 5 to 14, of which number `hole` begins at the offset that is given back.
size_t ten_entries(Log& log, std::uint64_t hole) {
  log.begin();
  log.state(1, 1, 4);
  size_t at = 0;
  for (std::uint64_t i = 5; i < 15; ++i) {
    if (i == hole) at = log.bytes.size();
    log.entry(1, i);
  }
  return at;
}

TEST_F(WalCommitTest, AHoleIsNotTheEndOfALogThatIsKnownToGoOn) {
  Log log;
  const size_t at = ten_entries(log, 9);
  std::string bytes = log.bytes;
  bytes.replace(at, 16, 16, '\0');
  write("a.wal", bytes);
  for (const LogFloor& floor : {LogFloor{1, 14, 0, 0}, LogFloor{0, 0, 12, 0}, LogFloor{0, 0, 0, 9},
                                LogFloor{2, 3, 0, 0}, LogFloor{}}) {
    EXPECT_EQ(commit_whole_log(dir_, floor).error().code, base::Code::kDataLoss) << floor.index;
    EXPECT_EQ(end_of_log(dir_, floor).error().code, base::Code::kDataLoss) << floor.index;
  }
  EXPECT_EQ(read("a.wal"), bytes);
}

// A crash may write the later sectors of what was never synced, and not the first: etcd drops them.
TEST_F(WalCommitTest, AHoleBehindAllThatIsKnownIsATornWrite) {
  Log log;
  const size_t at = ten_entries(log, 9);
  log.bytes.replace(at, 16, 16, '\0');
  write("a.wal", log.bytes);
  EXPECT_EQ(end_of_log(dir_, {1, 8, 6, 7}).value_or(0), 8U);
  EXPECT_EQ(commit_whole_log(dir_, {1, 8, 6, 7}).value_or(0), 8U);
}

TEST_F(WalCommitTest, ALengthBeyondTheFileBeforeWholeRecordsIsDamage) {
  Log log;
  const size_t at = ten_entries(log, 9);
  std::string bytes = log.bytes;
  bytes[at + 4] = 1;  // 4 GiB more
  write("a.wal", bytes);
  EXPECT_EQ(commit_whole_log(dir_, {1, 8, 6, 7}).error().code, base::Code::kDataLoss);
  EXPECT_EQ(read("a.wal"), bytes);
  // As the last it may be one of which the file had not been made longer yet.
  bytes.resize(at + 24);
  write("a.wal", bytes);
  EXPECT_EQ(commit_whole_log(dir_, {1, 8, 6, 7}).value_or(0), 8U);
}

TEST_F(WalCommitTest, ATailThatANewLeaderCutAndASnapshotReachAsFar) {
  Log log;
  log.begin();
  log.state(2, 1, 10);
  log.entry(3, 11);
  write("a.wal", log.bytes);
  EXPECT_EQ(end_of_log(dir_, {2, 20, 10, 10}).value_or(0), 11U) << "of an older term";
  log.snapshot(3, 500);
  log.state(3, 1, 500);
  write("a.wal", log.bytes);
  EXPECT_EQ(end_of_log(dir_, {3, 500, 500, 500}).value_or(0), 500U);
  EXPECT_EQ(end_of_log(dir_, {3, 501, 500, 500}).error().code, base::Code::kDataLoss);
}

TEST_F(WalCommitTest, TheMarkerAndTheAuditTellHowFarItReached) {
  EXPECT_EQ(floor_of(dir_ + "/marker", 3)->audited, 3U);
  EXPECT_EQ(floor_of(dir_ + "/marker", 3)->index, 0U);
  guard::Marker marker;
  marker.last_term = 4;
  marker.last_index = 5;
  marker.commit = 6;
  write("marker", guard::encode(marker));
  const auto floor = floor_of(dir_ + "/marker", 3);
  ASSERT_TRUE(floor) << floor.error().message;
  EXPECT_EQ(floor->term, 4U);
  EXPECT_EQ(floor->index, 5U);
  EXPECT_EQ(floor->commit, 6U);
  EXPECT_FALSE(floor_of(dir_, 3)) << "what cannot be read is not absent";
}

TEST_F(WalCommitTest, ALogWithoutAnEntryIsNoData) {
  Log log;
  log.begin();
  log.state(2, 0, 0);
  write("0000000000000000-0000000000000000.wal", log.bytes);
  EXPECT_EQ(end_of_log(dir_, {}).value_or(9), 0U);
  EXPECT_EQ(commit_whole_log(dir_, {}).error().code, base::Code::kDataLoss);
  EXPECT_EQ(read("0000000000000000-0000000000000000.wal"), log.bytes);
}

TEST_F(WalCommitTest, NoLogIsAnError) {
  EXPECT_FALSE(commit_whole_log(dir_, {}));
  write("a.wal", "");
  EXPECT_FALSE(commit_whole_log(dir_, {}));
}

}  // namespace
}  // namespace host
