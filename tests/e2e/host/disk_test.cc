// The state directory read-only, and on a full disk; backups on a full disk. Needs the right to
// mount: CI runs as root, and a test that cannot mount fails. Each mounts in a namespace of its
// own, which ends with it.
#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "e2e/host/bucket_fixture.h"
#include "e2e/host/fixture.h"

namespace e2e {
namespace {

namespace fs = std::filesystem;

void fill(const fs::path& filler) {
  std::ofstream out(filler, std::ios::binary);
  const std::string block(size_t{1} << 20, 'x');
  while (out.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
  }
  std::ofstream rest(filler.string() + "-rest");
  while (rest.write("xxxxxxxxxxxxxxxx", 16).flush()) {
  }
}

void empty(const fs::path& filler) {
  fs::remove(filler.string() + "-rest");
  fs::remove(filler);
}

class DiskTest : public ClusterTest {
 protected:
  void SetUp() override {
    ASSERT_EQ(unshare(CLONE_NEWNS), 0) << std::strerror(errno);
    ASSERT_EQ(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0)
        << std::strerror(errno);
    fs::create_directories(sandbox_.state());
  }
  void TearDown() override {
    sandbox_.kill_everything();
    umount2(sandbox_.state().c_str(), MNT_DETACH);  // fails where nothing is mounted
    umount2(store().c_str(), MNT_DETACH);
  }
  [[nodiscard]] fs::path store() const { return sandbox_.root() / "store"; }
  bool says_not_stored(const std::string& why) const {
    return sandbox_.condition("c", "Degraded") == "True" &&
           sandbox_.reason("c", "Degraded") == "StateNotStored" && says("Degraded", why);
  }
};

TEST_F(DiskTest, AReadOnlyStateDirectoryIsSaidAndNothingIsLost) {
  create(3, "3.5.33");
  ASSERT_FALSE(HasFatalFailure());
  const auto before = sandbox_.members("c");
  std::map<std::string, pid_t> pids;
  for (const auto& m : before) pids[m.name] = sandbox_.etcd_pid("c", m.name);
  const std::string state = sandbox_.state();
  ASSERT_EQ(mount(state.c_str(), state.c_str(), nullptr, MS_BIND, nullptr), 0);
  ASSERT_EQ(mount(nullptr, state.c_str(), nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY, nullptr), 0);
  declare(5);
  ASSERT_TRUE(eventually(60s, [&] { return says_not_stored("ead-only"); })) << say();
  const std::size_t count = writer_->count();
  ASSERT_TRUE(eventually(120s, [&] { return writer_->count() > count + 400; }));
  EXPECT_EQ(listed(sandbox_, "c").size(), 3U);
  for (const auto& [name, pid] : pids) EXPECT_EQ(sandbox_.etcd_pid("c", name), pid) << name;
  // An operator that begins on such a disk says so and ends; the members are not its children.
  EXPECT_EQ(sandbox_.stop_operator(), 0);
  const size_t from = sandbox_.operator_log().size();
  sandbox_.start_operator();
  const auto code = sandbox_.wait_operator(60s);
  EXPECT_TRUE(code && *code != 0);
  EXPECT_NE(sandbox_.operator_log().find("ead-only", from), std::string::npos)
      << sandbox_.operator_log().substr(from);
  ASSERT_EQ(umount2(state.c_str(), MNT_DETACH), 0);
  sandbox_.start_operator();
  ASSERT_TRUE(eventually(120s, [&] { return settled(5); })) << say();
  for (const auto& m : before) EXPECT_EQ(id_of(m.name), m.id) << m.name;
  for (const auto& [name, pid] : pids) EXPECT_EQ(sandbox_.etcd_pid("c", name), pid) << name;
  const Written written = finish();
  EXPECT_TRUE(written.failed.empty()) << written.failed.size() << " writes failed";
}

TEST_F(DiskTest, AFullDiskIsSaidAndNothingIsLost) {
  // Each member of three, and of five, reserves 128 MB for its log.
  ASSERT_EQ(mount("tmpfs", sandbox_.state().c_str(), "tmpfs", 0, "size=1g"), 0);
  create(3, "3.5.33");
  ASSERT_FALSE(HasFatalFailure());
  const auto before = sandbox_.members("c");
  const fs::path filler = sandbox_.state() / "filler";
  fill(filler);
  declare(5);
  ASSERT_TRUE(eventually(60s, [&] { return says_not_stored("o space left"); })) << say();
  // Members go on in the room that they reserved, or end and are started again and again.
  const std::size_t count = writer_->count();
  ASSERT_TRUE(eventually(60s, [&] {
    return writer_->count() > count + 500 || std::ranges::any_of(before, [&](const auto& m) {
             return sandbox_.etcd_pid("c", m.name) == 0;
           });
  })) << say();
  EXPECT_NE(sandbox_.condition("c", "Degraded"), "False") << say();
  for (const auto& m : before) EXPECT_TRUE(fs::exists(sandbox_.data_dir("c", m.name))) << m.name;
  empty(filler);
  ASSERT_TRUE(eventually(180s, [&] { return settled(5); })) << say();
  for (const auto& m : before) EXPECT_EQ(id_of(m.name), m.id) << m.name;
  finish();
}

TEST_F(DiskTest, AStoreOnAFullDiskIsToldAndNothingHalfIsTakenForABackup) {
  fs::create_directories(store());
  ASSERT_EQ(mount("tmpfs", store().c_str(), "tmpfs", 0, "size=16m"), 0);
  create(1, "3.6.16",
         "  backup:\n    backupPolicy:\n      backupIntervalInSecond: 5\n      maxBackups: 3\n"
         "      storageSource:\n        local:\n          path: " +
             store().string() + "\n");
  ASSERT_FALSE(HasFatalFailure());
  const fs::path own = store() / "default" / "c", filler = store() / "filler";
  const auto healthy = [&](const std::string& truth) {
    return sandbox_.condition("c", "BackupHealthy") == truth;
  };
  ASSERT_TRUE(eventually(90s, [&] { return !backups_below(own).empty() && healthy("True"); }))
      << say();
  fill(filler);
  ASSERT_TRUE(eventually(120s, [&] { return healthy("False"); })) << say();
  EXPECT_TRUE(says("BackupHealthy", "o space left")) << sandbox_.message("c", "BackupHealthy");
  const std::size_t count = writer_->count();
  EXPECT_TRUE(eventually(60s, [&] { return writer_->count() > count + 100 && settled(1); }))
      << say();
  const auto then = backups_below(own);
  EXPECT_FALSE(then.empty());
  const auto verified = sandbox_.cli({"archive", "verify", "--store", own.string()}, 60s);
  EXPECT_EQ(verified.exit_code, 0) << verified.out << verified.err;
  empty(filler);
  ASSERT_TRUE(eventually(120s, [&] { return healthy("True") && backups_below(own) != then; }))
      << say();
  finish();
}

}  // namespace
}  // namespace e2e
