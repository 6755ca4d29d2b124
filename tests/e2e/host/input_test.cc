#include <sys/mount.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "e2e/host/fixture.h"

namespace e2e {
namespace {

namespace fs = std::filesystem;

class InputTest : public ClusterTest {};

TEST_F(InputTest, EveryBrokenManifestGetsAMessageAndTouchesNobodyElse) {
  create(1, "3.5.12");
  ASSERT_FALSE(HasFatalFailure());
  const std::string first = with_role("leader");
  const pid_t pid = sandbox_.etcd_pid("c", first);
  ASSERT_GT(pid, 0);
  size_t files = 0;
  for (const auto& entry :
       fs::directory_iterator(std::string(EO_SOURCE_DIR) + "/tests/manifests/bad")) {
    const auto extension = entry.path().extension();
    if (extension != ".yaml" && extension != ".json") continue;
    ++files;
    const Ran ran = sandbox_.cli({"validate", "-f", entry.path().string()});
    EXPECT_NE(ran.exit_code, 0) << entry.path() << " was accepted";
    EXPECT_LT(ran.exit_code, 128) << entry.path() << " crashed the program";
    EXPECT_FALSE(ran.err.empty() && ran.out.empty()) << entry.path() << " got no message";
    fs::copy_file(entry.path(), sandbox_.manifests() / entry.path().filename());
  }
  EXPECT_GE(files, 60U);
  ASSERT_TRUE(sandbox_.operator_runs());
  // The good cluster is still served and still follows edits.
  resize(3);
  EXPECT_EQ(sandbox_.etcd_pid("c", first), pid) << first << " was restarted for another's file";
  finish();
}

TEST_F(InputTest, AHalfWrittenManifestKeepsTheLastGoodIntent) {
  create(1, "3.5.12");
  ASSERT_FALSE(HasFatalFailure());
  const pid_t pid = sandbox_.etcd_pid("c", with_role("leader"));
  std::ofstream(sandbox_.manifests() / "c.yaml", std::ios::trunc) << "apiVersion: operator.etcd";
  ASSERT_TRUE(eventually(60s, [&] { return sandbox_.condition("c", "SpecValid") == "False"; }))
      << say();
  EXPECT_TRUE(always(3000ms, [&] { return sandbox_.condition("c", "Available") == "True"; }))
      << say();
  // SpecValid is False already: the words tell that the next file was read.
  sandbox_.write("c.yaml", manifest("c", 99, "3.5.12"));
  EXPECT_TRUE(eventually(60s, [&] { return says("SpecValid", "spec.size"); })) << say();
  resize(1);
  EXPECT_TRUE(eventually(60s, [&] { return sandbox_.condition("c", "SpecValid") != "False"; }))
      << say();
  EXPECT_EQ(sandbox_.etcd_pid("c", with_role("leader")), pid);
  finish();
}

TEST_F(InputTest, AnEmptiedOrVanishedFolderDeletesNothing) {
  create(1, "3.5.12");
  ASSERT_FALSE(HasFatalFailure());
  const std::string member = with_role("leader");
  const pid_t pid = sandbox_.etcd_pid("c", member);
  fs::rename(sandbox_.manifests(), sandbox_.root() / "gone");
  EXPECT_TRUE(always(14'000ms, [&] { return sandbox_.etcd_pid("c", member) == pid; }));
  fs::rename(sandbox_.root() / "gone", sandbox_.manifests());
  sandbox_.remove("c.yaml");  // the only file: emptied, not deleted
  EXPECT_TRUE(always(14'000ms, [&] { return sandbox_.etcd_pid("c", member) == pid; }));
  resize(1);
  finish();
}

TEST_F(InputTest, ADeletedManifestStopsItsMembersKeepsTheDataAndComesBack) {
  create(1, "3.5.12");
  ASSERT_FALSE(HasFatalFailure());
  sandbox_.write("other.yaml", manifest("other", 1, "3.5.12"));
  ASSERT_TRUE(eventually(60s, [&] { return sandbox_.settled("other", 1); }));
  const Written before = writer_->stop();
  const std::string member = with_role("leader");
  const std::string id = id_of(member);
  sandbox_.remove("c.yaml");
  ASSERT_TRUE(eventually(60s, [&] { return sandbox_.etcd_pid("c", member) == 0; }));
  EXPECT_TRUE(eventually(60s, [&] { return sandbox_.settled("other", 1); }));
  declare(1);
  ASSERT_TRUE(eventually(90s, [&] { return sandbox_.etcd_pid("c", member) != 0 && settled(1); }))
      << say();
  EXPECT_EQ(sandbox_.members("c").front().id, id);
  expect_nothing_lost(sandbox_, "c", before);
}

TEST_F(InputTest, OneNameInBothGroupsIsAConflictAndTheFirstKeepsRunning) {
  create(1, "3.5.12");
  ASSERT_FALSE(HasFatalFailure());
  sandbox_.write("z.yaml",
                 "apiVersion: etcd.database.coreos.com/v1beta2\nkind: EtcdCluster\n"
                 "metadata:\n  name: c\nspec:\n  size: 3\n  version: \"3.5.12\"\n");
  ASSERT_TRUE(eventually(60s, [&] {
    return sandbox_.cli({"status", "-o", "json"}).out.find("NameConflict") != std::string::npos;
  })) << sandbox_.cli({"status", "-o", "json"}).out;
  EXPECT_TRUE(always(3000ms, [&] { return sandbox_.members("c").size() == 1; }));
  finish();
}

}  // namespace
}  // namespace e2e
