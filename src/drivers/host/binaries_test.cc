#include "drivers/host/binaries.h"

#include <gtest/gtest.h>

#include "posix/env.h"
#include "posix/files.h"
#include "posix/process.h"

namespace host {
namespace {

// A folder of this test alone.
class BinariesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    dir_ = ::testing::TempDir() + "host-binaries-" + std::to_string(posix::own_pid()) + "-" +
           ::testing::UnitTest::GetInstance()->current_test_info()->name();
    ASSERT_TRUE(posix::remove_tree(dir_));
    ASSERT_TRUE(posix::make_dirs(dir_));
  }
  void TearDown() override { EXPECT_TRUE(posix::remove_tree(dir_)); }

  static void fake(const std::string& path, const std::string& version) {
    ASSERT_TRUE(
        posix::write_atomic(path, "#!/bin/sh\necho 'etcd Version: " + version + "'\n", 0755));
  }
  // A release archive under `url`, with the given sum or, without one, the right sum.
  void release(const std::string& version, const std::string& says, const std::string& sum) {
    const std::string name = "etcd-v" + version + "-linux-amd64", at = dir_ + "/url/v" + version;
    ASSERT_TRUE(posix::make_dirs(at + "/" + name));
    fake(at + "/" + name + "/etcd", says);
    const std::string script = "cd " + at + " && tar czf " + name + ".tar.gz " + name +
                               " && sha256sum " + name + ".tar.gz >SHA256SUMS";
    ASSERT_EQ(posix::run({{"/bin/sh", "-c", script}, posix::environment()}, {}, {})->exit_code, 0);
    if (!sum.empty()) {
      ASSERT_TRUE(posix::write_atomic(at + "/SHA256SUMS", sum + "  " + name + ".tar.gz\n"));
    }
  }
  base::Result<EtcdPrograms> fetch(const api::Version& version) {
    return fetch_etcd(version, {dir_ + "/etcd", "file://" + dir_ + "/url", false},
                      [this](const std::string& line) { said_ += line + "\n"; }, {});
  }
  std::string dir_, said_;
};

const api::Version kOdd{3, 5, 9001, ""};

TEST_F(BinariesTest, FoundByWhatItSaysNotByItsFolder) {
  Binaries binaries(dir_);
  ASSERT_TRUE(posix::make_dirs(dir_ + "/v3.5.9001"));
  fake(dir_ + "/v3.5.9001/etcd", "3.5.1");
  EXPECT_EQ(binaries.find(kOdd, {}).error().code, base::Code::kNotFound);
  fake(dir_ + "/etcd", "3.5.9001");
  fake(dir_ + "/etcdctl", "3.5.9001");
  const auto found = binaries.find(kOdd, {});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->etcd, dir_ + "/etcd");
  EXPECT_EQ(found->etcdctl, dir_ + "/etcdctl");
  EXPECT_EQ(found->etcdutl, "");
}

TEST_F(BinariesTest, AReplacedFileIsAskedAgain) {
  Binaries binaries(dir_);
  fake(dir_ + "/etcd", "3.5.9001");
  ASSERT_TRUE(binaries.find(kOdd, {}));
  fake(dir_ + "/etcd", "3.5.9002");
  EXPECT_FALSE(binaries.find(kOdd, {}));
}

TEST_F(BinariesTest, FetchedFromAReleaseAndThenThere) {
  release("3.5.9001", "3.5.9001", "");
  const auto got = fetch(kOdd);
  ASSERT_TRUE(got) << got.error().text();
  EXPECT_EQ(got->etcd, dir_ + "/etcd/v3.5.9001/etcd");
  said_.clear();
  EXPECT_TRUE(fetch(kOdd));
  EXPECT_EQ(said_, "") << "the second time there is nothing to do";
}

TEST_F(BinariesTest, AWrongSumIsRefused) {
  release("3.5.9001", "3.5.9001", std::string(64, 'a'));
  const auto got = fetch(kOdd);
  ASSERT_FALSE(got);
  EXPECT_NE(got.error().message.find("SHA-256"), std::string::npos) << got.error().message;
  EXPECT_EQ(posix::exists(dir_ + "/etcd/v3.5.9001"), base::Fact<bool>(false));
}

TEST_F(BinariesTest, AnArchiveOfAnotherVersionIsRefused) {
  release("3.5.9001", "3.5.9002", "");
  const auto got = fetch(kOdd);
  ASSERT_FALSE(got);
  EXPECT_NE(got.error().message.find("another version"), std::string::npos) << got.error().message;
}

TEST_F(BinariesTest, AMissingReleaseIsAnErrorThatNamesTheUrl) {
  const auto got = fetch(kOdd);
  ASSERT_FALSE(got);
  EXPECT_NE(got.error().message.find(dir_ + "/url/v3.5.9001/SHA256SUMS"), std::string::npos)
      << got.error().message;
}

}  // namespace
}  // namespace host
