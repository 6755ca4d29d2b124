#include "drivers/host/wal_commit.h"

#include <gtest/gtest.h>

#include "drivers/host/wal_testing.h"
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
  const auto got = commit_whole_log(dir_);
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
  EXPECT_EQ(commit_whole_log(dir_).value_or(0), 9U);
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
  EXPECT_EQ(commit_whole_log(dir_).value_or(0), 5U);
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
  EXPECT_EQ(commit_whole_log(dir_).error().code, base::Code::kDataLoss);
  EXPECT_EQ(read("a.wal"), log.bytes);
}

TEST_F(WalCommitTest, ALogWithoutAnEntryIsNoData) {
  Log log;
  log.begin();
  log.state(2, 0, 0);
  write("0000000000000000-0000000000000000.wal", log.bytes);
  EXPECT_EQ(end_of_log(dir_).value_or(9), 0U);
  EXPECT_EQ(commit_whole_log(dir_).error().code, base::Code::kDataLoss);
  EXPECT_EQ(read("0000000000000000-0000000000000000.wal"), log.bytes);
}

TEST_F(WalCommitTest, NoLogIsAnError) {
  EXPECT_FALSE(commit_whole_log(dir_));
  write("a.wal", "");
  EXPECT_FALSE(commit_whole_log(dir_));
}

}  // namespace
}  // namespace host
