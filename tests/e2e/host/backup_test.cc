// Backups by schedule and a cluster that begins from one: the shipped programs, real etcd, a
// directory and a real S3 server.
#include <filesystem>
#include <fstream>
#include <set>

#include "../../conformance/object_server.h"
#include "e2e/host/fixture.h"
#include "posix/files.h"

namespace e2e {
namespace {

namespace fs = std::filesystem;

// Of backups that are whole: those with a manifest.
std::set<std::string> backups_below(const fs::path& root) {
  std::set<std::string> out;
  std::error_code none;
  for (fs::recursive_directory_iterator at(root, none), end; !none && at != end;
       at.increment(none)) {
    const auto name = at->path().filename().string();
    const auto whole = name.size() > 5 && name.starts_with("full-") && name.ends_with(".json") &&
                       name.find('.') == name.size() - 5;
    if (whole) out.insert(name);
  }
  return out;
}

// What maxBackups: 2 leaves: the newest two, and the newest that a drill has proven when it is
// older.
bool two_are_kept(const fs::path& root) {
  const auto whole = backups_below(root);
  bool proven = false;
  for (const auto& name : whole)
    for (const auto& life : fs::directory_iterator(root))
      proven |= fs::exists(life.path() / (name.substr(0, name.size() - 5) + ".proven.json"));
  return whole.size() == 2 || (whole.size() == 3 && proven);
}

class BackupTest : public ClusterTest {
 protected:
  static std::string block(const std::string& more, const std::string& policy) {
    return "  backup:\n" + more + "    backupPolicy:\n" + policy;
  }
  std::string last_backup() const {
    const auto status = sandbox_.status("c");
    const auto* time = status.at("status.lastBackup.time");
    const auto* text = time == nullptr ? nullptr : time->if_string();
    return text == nullptr ? "" : *text;
  }
};

TEST_F(BackupTest, AreTakenKeptAskedForAndGoOnAfterTroubleAndRestarts) {
  const fs::path store = sandbox_.root() / "store";
  fs::create_directories(store);
  const std::string place =
      "      storageSource:\n        local:\n          path: " + store.string() + "\n";
  const std::string policy = "      backupIntervalInSecond: 5\n      maxBackups: 2\n" + place;
  ASSERT_NO_FATAL_FAILURE(create(1, "3.5.33", block("", policy)));
  const fs::path own = store / "default" / "c";
  std::set<std::string> seen;
  ASSERT_TRUE(eventually(120s,
                         [&] {
                           seen.merge(backups_below(own));
                           return seen.size() >= 4 && two_are_kept(own);
                         }))
      << seen.size() << " backups so far: " << say();
  EXPECT_TRUE(eventually(60s, [&] { return sandbox_.condition("c", "BackupHealthy") == "True"; }))
      << say();

  // The operator dies while backups are taken: the next one goes on.
  sandbox_.kill_operator();
  sandbox_.start_operator();
  const auto before = backups_below(own);
  ASSERT_TRUE(eventually(60s, [&] {
    const auto now = backups_below(own);
    return two_are_kept(own) && now != before;
  })) << say();

  // A place that cannot be written: told, and mended by itself when it is back.
  const fs::path away = sandbox_.root() / "store-away";
  fs::rename(store, away);
  std::ofstream(store) << "a file\n";
  ASSERT_TRUE(eventually(90s, [&] { return sandbox_.condition("c", "BackupHealthy") == "False"; }))
      << say();
  EXPECT_FALSE(sandbox_.message("c", "BackupHealthy").empty());
  EXPECT_TRUE(eventually(60s, [&] { return sandbox_.condition("c", "Available") == "True"; }))
      << "backups disturb nobody";
  fs::remove(store);
  fs::rename(away, store);
  ASSERT_TRUE(eventually(90s, [&] { return sandbox_.condition("c", "BackupHealthy") == "True"; }))
      << say();

  // Suspended: nothing is taken but what a person asks for.
  more_ = block("    enabled: false\n", policy);
  declare(1);
  ASSERT_TRUE(eventually(60s, [&] { return says("BackupHealthy", "spec.backup.enabled"); }))
      << say();
  const std::string last = last_backup();
  const auto asked = sandbox_.cli({"backup-now", "c"});
  EXPECT_EQ(asked.exit_code, 0) << asked.err;
  ASSERT_TRUE(eventually(60s, [&] { return last_backup() > last; })) << say();
  finish();
}

TEST_F(BackupTest, StayWhenTheirClusterGoesAndLieInTheDefaultPlace) {
  ASSERT_NO_FATAL_FAILURE(create(1, "3.6.16", "  backup: {}\n"));
  const fs::path own = sandbox_.state() / "default" / "c" / "backups";
  EXPECT_EQ(sandbox_.cli({"backup-now", "c"}).exit_code, 0);
  ASSERT_TRUE(eventually(60s, [&] { return !backups_below(own).empty(); })) << say();
  ASSERT_TRUE(eventually(60s, [&] { return says("BackupHealthy", "lies on the machine"); }))
      << say();
  writer_->stop();
  more_ += "  persistentVolumeClaimRetentionPolicy:\n    whenDeleted: Delete\n";
  declare(1);
  ASSERT_TRUE(eventually(
      60s, [&] { return sandbox_.operator_log().find("generation=2") != std::string::npos; }));
  sandbox_.write(".keep", "");  // a folder without a single file deletes nothing
  sandbox_.remove("c.yaml");
  ASSERT_TRUE(eventually(90s, [&] { return !fs::exists(sandbox_.member_dir("c", "c-0")); }))
      << say();
  EXPECT_FALSE(backups_below(own).empty());
}

// --- the second example, as it is, against a bucket

class CloudTest : public testing::Test {
 protected:
  CloudTest()
      : server_(
            {.argv = {conformance::object_server_path("versitygw-1.8.0"), "--port",
                      "127.0.0.1:PORT", "--iam-dir", dir_.path("iam"), "--quiet", "posix", data()},
             .env = {"ROOT_ACCESS_KEY=testkey", "ROOT_SECRET_KEY=testsecret12345"},
             .folder = dir_.path("")}) {}

  std::string data() {
    for (const char* folder : {"data/my-etcd-backups", "iam"})
      EXPECT_TRUE(posix::make_dirs(dir_.path(folder)));
    return dir_.path("data");
  }
  [[nodiscard]] fs::path bucket() const { return fs::path(dir_.path("data")) / "my-etcd-backups"; }
  void secret(const std::string& key) {
    sandbox_.write("secret.yaml",
                   "apiVersion: v1\nkind: Secret\nmetadata:\n  name: aws-secret\nstringData:\n"
                   "  credentials: |\n    [default]\n    aws_access_key_id = testkey\n"
                   "    aws_secret_access_key = " +
                       key +
                       "\n"
                       "  config: |\n    [default]\n    region = us-east-1\n    endpoint_url = "
                       "http://127.0.0.1:" +
                       std::to_string(server_.port()) + "\n");
  }
  void apply() {
    std::ifstream in(fs::path(EO_SOURCE_DIR) / "examples" / "cloud-etcd.yaml");
    sandbox_.write("cloud-etcd.yaml", {std::istreambuf_iterator<char>(in), {}});
  }
  void remove_cluster() {
    sandbox_.remove("cloud-etcd.yaml");
    ASSERT_TRUE(eventually(90s, [&] {
      for (const char* member : {"cloud-etcd-0", "cloud-etcd-1", "cloud-etcd-2", "cloud-etcd-3"})
        if (sandbox_.guard_pid("cloud-etcd", member) > 0) return false;
      return sandbox_.cli({"status", "cloud-etcd"}).err.find("no cluster") != std::string::npos;
    })) << say();
  }
  bool settled() { return sandbox_.settled("cloud-etcd", 3, "3.5.12"); }
  std::string say() { return sandbox_.cli({"status", "cloud-etcd", "-o", "yaml"}).out; }
  std::unique_ptr<etcd::EtcdApi> link() {
    const auto access = sandbox_.access("cloud-etcd");
    return access ? etcd::connect(access->endpoints.front(), access->tls) : nullptr;
  }
  std::int64_t backed_up() {
    const auto status = sandbox_.status("cloud-etcd");
    const auto* revision = status.at("status.lastBackup.revision");
    return revision == nullptr ? 0 : revision->as_int().value_or(0);
  }
  std::int64_t put(const std::string& key, const std::string& value) {
    const auto api = link();
    if (!api) return 0;
    const auto wrote = api->put(key, value, base::Duration(10'000));
    EXPECT_TRUE(wrote) << "put " << key;
    return wrote ? *wrote : 0;
  }
  std::string get(const std::string& key) {
    const auto api = link();
    if (!api) return "";
    const auto got = api->range(key, "", false, 0, base::Duration(10'000));
    return got && !got->kvs.empty() ? got->kvs.front().value : "";
  }

  posix::TestDir dir_;
  conformance::ObjectServer server_;
  Sandbox sandbox_;
};

TEST_F(CloudTest, TheSecondExampleBeginsEmptyIsBackedUpAndComesBackFromTheBucket) {
  if (!server_.missing().empty()) GTEST_SKIP() << server_.missing();
  sandbox_.start_operator();
  apply();
  // No Secret, then a wrong one: it could not be looked, so nothing begins.
  const auto says = [&](const std::string& words) {
    return sandbox_.message("cloud-etcd", "Restored").find(words) != std::string::npos;
  };
  ASSERT_TRUE(eventually(60s, [&] { return says("no Secret default/aws-secret"); })) << say();
  secret("wrong");
  ASSERT_TRUE(eventually(90s, [&] { return says("access key"); })) << say();
  EXPECT_TRUE(sandbox_.all_members().empty());
  // The right one, an empty bucket: an empty cluster, and a word about it.
  secret("testsecret12345");
  ASSERT_TRUE(eventually(150s, [&] { return settled(); })) << say();
  EXPECT_EQ(sandbox_.reason("cloud-etcd", "Restored"), "NoBackupFound") << say();

  const std::int64_t old = put("greeting", "hello");
  ASSERT_EQ(sandbox_.cli({"backup-now", "cloud-etcd"}).exit_code, 0);
  ASSERT_TRUE(eventually(90s, [&] { return backed_up() >= old; })) << say();
  EXPECT_FALSE(backups_below(bucket() / "default" / "cloud-etcd").empty());
  EXPECT_TRUE(eventually(60s, [&] {
    return sandbox_.condition("cloud-etcd", "BackupHealthy") == "True";
  })) << say();

  // Its volumes are there: the same cluster goes on, with what no backup holds.
  put("later", "not in any backup");
  ASSERT_NO_FATAL_FAILURE(remove_cluster());
  apply();
  ASSERT_TRUE(eventually(120s, [&] { return settled(); })) << say();
  EXPECT_EQ(get("later"), "not in any backup");

  // They are not: it comes back from the bucket, and no revision is used again.
  ASSERT_NO_FATAL_FAILURE(remove_cluster());
  // The operator may be writing there.
  const fs::path left = sandbox_.state() / "clusters" / "default" / "cloud-etcd";
  ASSERT_TRUE(eventually(60s, [&] {
    std::error_code busy;
    fs::remove_all(left, busy);
    return !busy;
  }));
  apply();
  ASSERT_TRUE(eventually(180s, [&] {
    return settled() && sandbox_.condition("cloud-etcd", "Restored") == "True";
  })) << say();
  EXPECT_EQ(get("greeting"), "hello");
  EXPECT_EQ(get("later"), "");
  EXPECT_GT(put("greeting", "again"), old + 1'000'000) << "revisions are raised";
}

}  // namespace
}  // namespace e2e
