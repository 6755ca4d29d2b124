// The calls that few lives come to.
#include <sys/utsname.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "e2e/host/crash_fixture.h"

namespace e2e {
namespace {

namespace fs = std::filesystem;

fs::path local_cache() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && *cache != '\0') return cache;
  const char* home = std::getenv("HOME");
  return fs::path(home == nullptr ? "/" : home) / ".cache";
}

// Below `url` a release archive of this version, made of the local cache's programs.
void release(const fs::path& url, const std::string& version) {
  const fs::path from = local_cache() / "etcd-operator" / "etcd" / ("v" + version);
  ASSERT_TRUE(fs::exists(from / "etcd")) << from << " is missing: make etcd";
  utsname names{};
  ASSERT_EQ(uname(&names), 0);
  const std::string name =
      fmt::format("etcd-v{}-linux-{}", version,
                  std::string_view(names.machine) == "aarch64" ? "arm64" : "amd64");
  const fs::path at = url / ("v" + version);
  fs::create_directories(at / name);
  for (const char* program : {"etcd", "etcdctl", "etcdutl"})
    fs::copy_file(from / program, at / name / program);
  const std::string script = fmt::format(
      "cd {0} && tar --create {1} | gzip -1 >{1}.tar.gz && sha256sum {1}.tar.gz >SHA256SUMS",
      at.string(), name);
  ASSERT_EQ(std::system(script.c_str()), 0);
}

class RareCrashTest : public CrashTest {
 protected:
  // It must have seen the manifest: one that was never seen there is not believed to be deleted.
  void arm_for_deletion() {
    sandbox_.kill_operator();
    arm({"DeleteCluster.before", "DeleteCluster.after"});
    const auto seen = [&] { return logged_since_step("IntentChanged") && settled(1); };
    step_as_armed("armed for a deletion", seen);
  }
};

TEST_F(RareCrashTest, ThroughTheLookIntoAStoreAndABackup) {
  version_ = "3.5.33";
  const fs::path store = sandbox_.root() / "store";
  fs::create_directories(store);
  const std::string place = "local:\n          path: " + store.string() + "\n";
  more_ = "  restore:\n    restorePolicy:\n        " + place +
          "  backup:\n    backupPolicy:\n      backupIntervalInSecond: 30\n      storageSource:\n"
          "        " +
          place;
  const std::string backed_up = more_;
  more_ += "    continuous:\n      maxLagSeconds: 10\n";
  die_around(kFetchedAndBackedUp);
  declare(1);
  ASSERT_NO_FATAL_FAILURE(step("begun empty, backed up, proven and followed", [&] {
    return settled(1) && sandbox_.condition("c", "BackupHealthy") == "True" &&
           sandbox_.condition("c", "BackupProven") == "True" &&
           sandbox_.condition("c", "BackupContinuous") == "True";
  }));
  more_ = backed_up;
  declare(1);
  ASSERT_NO_FATAL_FAILURE(step("not followed any more", [&] {
    return settled(1) && sandbox_.follower_pid("c") == 0 &&
           sandbox_.condition("c", "BackupContinuous").empty();
  }));
  expect_all_met();
}

TEST_F(RareCrashTest, ThroughAFullDatabaseAndTheLogOfAnUpgrade) {
  version_ = "3.5.33";
  more_ = "  etcdOptions:\n    - --quota-backend-bytes=33554432\n";
  declare(3);
  ASSERT_NO_FATAL_FAILURE(step("create", [&] { return settled(3); }));
  start_writer();
  const auto link = [&] {
    const auto access = sandbox_.access("c");
    return access ? etcd::connect(access->endpoints.front(), access->tls) : nullptr;
  };
  sandbox_.kill_operator();
  die_around(kFullAndUpgraded);
  const std::string big(200 * 1024, 'x');
  const auto api = link();
  ASSERT_TRUE(api);
  bool full = false;
  for (int i = 0; i < 400 && !full; ++i) {
    const auto put = api->put("big/" + std::to_string(i % 8), big, base::Duration(5'000));
    full = !put && put.error().error.code == base::Code::kResourceExhausted;
  }
  ASSERT_TRUE(full) << "the quota was never reached";
  ASSERT_NO_FATAL_FAILURE(step("no space", [&] {
    const auto now = link();
    return now && now->put("after", "healed", base::Duration(2'000)) && settled(3);
  }));
  for (const char* version : {"3.6.16", "3.7.3"}) {
    declare(3, version);
    ASSERT_NO_FATAL_FAILURE(step(std::string("upgrade to ") + version,
                                 [&] { return sandbox_.settled("c", 3, version); }));
  }
  const Written written = finish();
  EXPECT_TRUE(written.failed.empty()) << written.failed.size() << " writes failed";
  expect_all_met();
}

TEST_F(RareCrashTest, ThroughAFetchAFormationThrownAwayLeavesAndDeletion) {
  version_ = "3.6.16";
  more_ =
      "  tls:\n    provider: auto\n    providerCfg:\n      autoCfg:\n"
      "        validityDuration: 60s\n";
  // Nothing of the local cache is found: the version has to be fetched.
  const fs::path releases = sandbox_.root() / "releases";
  ASSERT_NO_FATAL_FAILURE(release(releases, version_));
  sandbox_.set_environment("XDG_CACHE_HOME", sandbox_.root() / "cache");
  flags_ = {"--etcd-dir", sandbox_.root() / "etcd", "--release-url", "file://" + releases.string()};
  std::ofstream(sandbox_.manifests() / ".keep") << "";  // the folder is there without a manifest
  declare(3);
  for (const char* point : {"FetchBinary.before", "FetchBinary.after"})
    ASSERT_NO_FATAL_FAILURE(die_at(point));
  // One founder was started and no other: the cluster cannot have formed.
  ASSERT_NO_FATAL_FAILURE(die_at("StartMember.after"));
  declare(1);
  die_around(kBegunAgainAndDeleted);
  ASSERT_NO_FATAL_FAILURE(step("a formation thrown away", [&] { return settled(1); }));
  start_writer();
  const std::string member = with_role("leader"), id = id_of(member);
  ASSERT_NO_FATAL_FAILURE(
      step("leaves", [&] { return done_since_step("IssueCertificates") && settled(1); }));
  const Written written = finish();
  EXPECT_TRUE(written.failed.empty()) << written.failed.size() << " writes failed";

  ASSERT_NO_FATAL_FAILURE(arm_for_deletion());
  sandbox_.remove("c.yaml");
  ASSERT_NO_FATAL_FAILURE(
      step_as_armed("deletion, data kept", [&] { return done_since_step("DeleteCluster"); }));
  EXPECT_EQ(sandbox_.guard_pid("c", member), 0);
  more_ += "  persistentVolumeClaimRetentionPolicy:\n    whenDeleted: Delete\n";
  declare(1);
  ASSERT_NO_FATAL_FAILURE(
      step("return", [&] { return sandbox_.etcd_pid("c", member) != 0 && settled(1); }));
  EXPECT_EQ(id_of(member), id);
  expect_nothing_lost(sandbox_, "c", written);

  ASSERT_NO_FATAL_FAILURE(arm_for_deletion());
  sandbox_.remove("c.yaml");
  const auto deleted = [&] {
    return logged_since_step("fault-point-hit DeleteCluster.after") &&
           !fs::exists(sandbox_.member_dir("c", member));
  };
  ASSERT_NO_FATAL_FAILURE(step_as_armed("deletion with the data", deleted));
  expect_all_met();
}

}  // namespace
}  // namespace e2e
