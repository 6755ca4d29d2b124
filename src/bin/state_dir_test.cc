#include "bin/state_dir.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "drivers/host/layout.h"
#include "manager/saved_intent.h"
#include "posix/files.h"
#include "posix/lock.h"
#include "posix/process.h"

namespace bin {
namespace {

class StateDirTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(posix::make_dirs(layout_.cluster(key_).members + "/a-0"));
    save({});
  }
  ~StateDirTest() override { (void)posix::remove_tree(layout_.root()); }
  void save(manager::SavedIntent saved) {
    saved.text = "text";
    ASSERT_TRUE(posix::write_atomic(layout_.cluster(key_).intent, manager::encode(saved)));
  }
  manager::SavedIntent saved() {
    return manager::decode_saved_intent(
               posix::read_file(layout_.cluster(key_).intent, 1 << 20).value())
        .value();
  }
  const base::ClusterKey key_{"default", "a"};
  const host::Layout layout_{::testing::TempDir() + "bin-state-" +
                             std::to_string(posix::own_pid())};
};

TEST_F(StateDirTest, WhatIsStoppedWithoutAnOperatorStaysStoppedUnderTheNext) {
  ASSERT_TRUE(stop_guards(layout_.root(), key_, {}));
  EXPECT_TRUE(saved().stop);
  EXPECT_EQ(saved().text, "text");
  ASSERT_TRUE(command_offline(layout_.root(), key_, {.stopped = false, .paused = {}}, {}));
  EXPECT_FALSE(saved().stop);
}

TEST_F(StateDirTest, StoppingAllIsForThisTimeOnly) {
  ASSERT_TRUE(stop_guards(layout_.root(), std::nullopt, {}));
  EXPECT_FALSE(saved().stop);
}

TEST_F(StateDirTest, ACommandChangesNothingElse) {
  manager::SavedIntent before;
  before.stop = true;
  save(before);
  ASSERT_TRUE(command_offline(layout_.root(), key_, {.stopped = {}, .paused = true}, {}));
  EXPECT_TRUE(saved().stop);
  EXPECT_TRUE(saved().paused);
}

TEST_F(StateDirTest, WhatAnotherUserCommandsStaysReadableForWhoRunsTheOperator) {
  const auto folder = layout_.cluster(key_).dir;
  // Only root can be another user than the owner here; anybody else is the owner.
  if (::geteuid() == 0) ASSERT_EQ(::chown(folder.c_str(), 65534, 65534), 0);
  const auto owner = posix::file_info(folder)->owner;
  ASSERT_TRUE(command_offline(layout_.root(), key_, {.stopped = {}, .paused = true}, {}));
  EXPECT_TRUE(saved().paused);
  const auto file = posix::file_info(layout_.cluster(key_).intent);
  EXPECT_EQ(file->owner, owner);
  EXPECT_EQ(file->mode, 0600U);
}

TEST_F(StateDirTest, WhatCannotBeStoredIsSaid) {
  const auto file = layout_.cluster(key_).intent;
  ASSERT_TRUE(posix::write_atomic(file, "damaged"));
  const auto damaged = stop_guards(layout_.root(), key_, {});
  ASSERT_FALSE(damaged);
  EXPECT_NE(damaged.error().message.find("will start them again"), std::string::npos)
      << damaged.error().message;
  ASSERT_TRUE(posix::remove_file(file));
  EXPECT_FALSE(stop_guards(layout_.root(), key_, {}));
  EXPECT_EQ(command_offline(layout_.root(), {"default", "b"}, {}, {}).error().code,
            base::Code::kNotFound);
}

TEST(Connection, TheShellGetsNoVariableThatEtcdctlWarnsOf) {
  const json::Value connection = json::Object{{"endpoints", json::Array{"https://a:1"}},
                                              {"cacert", "/ca"},
                                              {"cert", "/cert"},
                                              {"key", "/key"}};
  EXPECT_EQ(etcdctl_environment(connection),
            "export ETCDCTL_ENDPOINTS='https://a:1'\nexport ETCDCTL_CACERT='/ca'\n"
            "export ETCDCTL_CERT='/cert'\nexport ETCDCTL_KEY='/key'\n");
}

}  // namespace
}  // namespace bin
