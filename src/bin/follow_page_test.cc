// Whether what a follower read when it began has changed since, as its page tells it.
#include "bin/follow_page.h"

#include <gtest/gtest.h>

#include "posix/clock.h"
#include "posix/files.h"
#include "posix/test_dir.h"

namespace bin {
namespace {

class FollowPageTest : public testing::Test {
 protected:
  FollowPageTest() {
    secret_ = dir_.path("secret");
    EXPECT_TRUE(posix::make_dirs(secret_));
    write("credentials", "one");
    job_.run.common.store.secret = secret_;
  }
  void write(const std::string& name, const std::string& text) const {
    EXPECT_TRUE(posix::write_atomic(secret_ + "/" + name, text));
  }
  static bool outdated(const FollowPage& page) {
    const auto said = archive::parse_follow_status(page.page().body);
    EXPECT_TRUE(said);
    return said && said->outdated;
  }

  posix::TestDir dir_;
  std::string secret_;
  archive::FollowJob job_;
  posix::SystemClock clock_;
};

TEST_F(FollowPageTest, ASecretThatHoldsSomethingElseIsTold) {
  FollowPage page(job_, clock_);
  page.tell({});
  EXPECT_FALSE(outdated(page));
  write("credentials", "two");
  EXPECT_TRUE(outdated(page));
  write("credentials", "one");
  EXPECT_FALSE(outdated(page));
  // A profile of the store that was not there when it began, and the kubelet's own names.
  write("..data", "of the kubelet");
  EXPECT_FALSE(outdated(page));
  write("config", "[default]");
  EXPECT_TRUE(outdated(page));
}

TEST_F(FollowPageTest, ASecretThatCannotBeReadSaysNothing) {
  FollowPage page(job_, clock_);
  page.tell({});
  ASSERT_TRUE(posix::remove_tree(secret_));
  EXPECT_FALSE(outdated(page));
}

}  // namespace
}  // namespace bin
