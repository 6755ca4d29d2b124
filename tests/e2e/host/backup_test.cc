// Backups by schedule and a cluster that begins from one: the shipped programs, real etcd, a
// directory and a real S3 server.
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "e2e/host/bucket_fixture.h"
#include "e2e/host/fixture.h"
#include "json/json.h"

namespace e2e {
namespace {

namespace fs = std::filesystem;

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

TEST_F(BackupTest, TwoClustersInOnePlaceWhoseNamesBeginAlikeKeepTheirOwn) {
  const fs::path store = sandbox_.root() / "store";
  fs::create_directories(store);
  const std::map<std::string, std::string> colours{{"c", "blue"}, {"c-2", "green"}};
  sandbox_.start_operator();
  for (const auto& [name, colour] : colours)
    sandbox_.write(name + ".yaml",
                   manifest(name, 1, "3.6.16",
                            block("",
                                  "      backupIntervalInSecond: 5\n      maxBackups: 1\n"
                                  "      storageSource:\n        local:\n          path: " +
                                      store.string() + "\n")));
  std::map<std::string, std::set<std::string>> seen;
  const auto written = [&](const std::string& name, const std::string& colour) {
    const auto access = sandbox_.access(name);
    return access && etcd::connect(access->endpoints.front(), access->tls)
                         ->put("colour", colour, base::Duration(5'000))
                         .has_value();
  };
  // Every interval has something new, so that each backup ends the one before.
  ASSERT_TRUE(eventually(180s,
                         [&] {
                           for (const auto& [name, colour] : colours)
                             if (written(name, colour))
                               seen[name].merge(backups_below(store / "default" / name));
                           return seen["c"].size() >= 4 && seen["c-2"].size() >= 4;
                         }))
      << seen["c"].size() << " and " << seen["c-2"].size();
  for (const auto& [name, colour] : colours) {
    const std::string own = store / "default" / name;
    const auto listed = sandbox_.cli({"archive", "list", "--store", own, "-o", "json"}, 60s);
    const auto rows = json::parse(listed.out);
    ASSERT_TRUE(rows && rows->if_array() != nullptr && !rows->if_array()->empty()) << listed.out;
    std::string all;  // the first was taken before anything was written
    for (const auto& row : *rows->if_array())
      all +=
          sandbox_
              .cli({"archive", "cat", "--store", own, json::get_string(row, "name").value_or("")},
                   60s)
              .out;
    for (const auto& [other, its] : colours)
      EXPECT_EQ(all.find(its) != std::string::npos, other == name) << own << ": " << its;
  }
}

// --- the second example, as it is, against a bucket

class CloudTest : public BucketTest {
 protected:
  CloudTest() : BucketTest("cloud-etcd") {}

  void secret(const std::string& key = "testsecret12345") const {
    sandbox_.write("secret.yaml", bucket_.secret(key));
  }
  void apply() const {
    std::ifstream in(fs::path(EO_SOURCE_DIR) / "examples" / "cloud-etcd.yaml");
    sandbox_.write("cloud-etcd.yaml", {std::istreambuf_iterator<char>(in), {}});
  }
  [[nodiscard]] bool settled() const { return sandbox_.settled(name_, 3, "3.5.12"); }
  [[nodiscard]] std::set<std::string> ids() const {
    std::set<std::string> out;
    for (const auto& member : sandbox_.members(name_)) out.insert(member.id);
    return out;
  }

  S3Bucket bucket_;
};

TEST_F(CloudTest, TheSecondExampleBeginsEmptyIsBackedUpAndComesBackFromTheBucket) {
  if (!bucket_.missing().empty()) GTEST_SKIP() << bucket_.missing();
  sandbox_.start_operator();
  apply();
  // No Secret, then a wrong one: it could not be looked, so nothing begins.
  ASSERT_TRUE(eventually(60s, [&] { return says("Restored", "no Secret default/aws-secret"); }))
      << say();
  secret("wrong");
  ASSERT_TRUE(eventually(90s, [&] { return says("Restored", "access key"); })) << say();
  EXPECT_TRUE(sandbox_.all_members().empty());
  // The right one, an empty bucket: an empty cluster, and a word about it.
  secret();
  ASSERT_TRUE(eventually(150s, [&] { return settled(); })) << say();
  EXPECT_EQ(sandbox_.reason(name_, "Restored"), "NoBackupFound") << say();

  const std::int64_t old = put("greeting", "hello");
  ASSERT_NO_FATAL_FAILURE(back_up(old));
  EXPECT_FALSE(backups_below(bucket_.folder() / "default" / name_).empty());
  EXPECT_TRUE(eventually(60s, [&] { return is("BackupHealthy", "True"); })) << say();

  // Its volumes are gone: it comes back from the bucket, and no revision is used again.
  const std::int64_t later = put("later", "not in any backup");
  ASSERT_NO_FATAL_FAILURE(remove_cluster());
  ASSERT_NO_FATAL_FAILURE(lose_all());
  apply();
  ASSERT_TRUE(eventually(180s, [&] { return settled() && is("Restored", "True"); })) << say();
  EXPECT_EQ(get("greeting"), "hello");
  EXPECT_EQ(get("later"), "");
  EXPECT_GT(put("greeting", "again"), old + 1'000'000) << "revisions are raised";
  expect_watch_ends(old);
  expect_watch_ends(later);
}

// The server is away from the deletion on: what comes back came from no bucket.
TEST_F(CloudTest, WhatItsVolumesHoldCountsAndTheBucketIsNotRead) {
  if (!bucket_.missing().empty()) GTEST_SKIP() << bucket_.missing();
  sandbox_.start_operator();
  secret();
  apply();
  ASSERT_TRUE(eventually(150s, [&] { return settled(); })) << say();
  ASSERT_NO_FATAL_FAILURE(back_up(put("greeting", "hello")));
  const std::int64_t last = put("later", "not in any backup");
  const auto members = ids();

  // All volumes: the same cluster goes on.
  ASSERT_NO_FATAL_FAILURE(remove_cluster());
  bucket_.stop();
  apply();
  ASSERT_TRUE(eventually(120s, [&] { return settled(); })) << say();
  EXPECT_EQ(ids(), members);
  EXPECT_EQ(get("later"), "not in any backup");
  EXPECT_EQ(put("later still", "nor this"), last + 1);

  // One of three: that two are gone for good is not proven, and a person is asked. Nothing of it
  // runs alone, and nothing begins from the bucket, which is there again.
  ASSERT_NO_FATAL_FAILURE(remove_cluster());
  bucket_.start();
  secret();
  for (const char* gone : {"cloud-etcd-1", "cloud-etcd-2"})
    ASSERT_NO_FATAL_FAILURE(lose(sandbox_.member_dir(name_, gone) / "volume"));
  apply();
  ASSERT_TRUE(eventually(180s, [&] {
    return is("NeedsApproval", "True") && says("NeedsApproval", "etcd-operator approve");
  })) << say();
  EXPECT_TRUE(
      says("NeedsApproval", "that cloud-etcd-1, cloud-etcd-2 can never come back is not proven"))
      << say();
  EXPECT_TRUE(always(8000ms, [&] { return !is("Available", "True"); })) << say();
  EXPECT_EQ(ids(), members);
  EXPECT_EQ(sandbox_.cli({"events", name_}).out.find("RestoredFromBackup"), std::string::npos);

  const Ran approved = sandbox_.cli({"approve", name_});
  ASSERT_EQ(approved.exit_code, 0) << approved.err;
  ASSERT_TRUE(eventually(240s, [&] { return settled() && !ids().contains(*members.begin()); }))
      << say();
  EXPECT_EQ(get("later"), "not in any backup");
  EXPECT_EQ(get("later still"), "nor this");
}

// --- retention where a revision gets another digit

class RetentionTest : public BucketTest {
 protected:
  RetentionTest() : BucketTest("c") {}
  // Over one connection: there are many.
  void write_up_to(std::int64_t revision, std::int64_t& at) const {
    const auto access = sandbox_.access(name_);
    ASSERT_TRUE(access);
    const auto api = etcd::connect(access->endpoints.front(), access->tls);
    while (at < revision) {
      const auto wrote = api->put("k", std::to_string(at), base::Duration(10'000));
      ASSERT_TRUE(wrote) << "behind revision " << at;
      at = *wrote;
    }
  }
  // Revisions of the backups that are there, by their names; and how many objects there are.
  [[nodiscard]] std::set<std::int64_t> kept(std::size_t& objects) const {
    std::set<std::int64_t> out;
    objects = 0;
    for (const auto& at : fs::recursive_directory_iterator(bucket_.folder() / "default" / "c")) {
      const auto name = at.path().filename().string();
      if (!at.is_regular_file() || name.ends_with(".proven.json")) continue;
      ++objects;
      EXPECT_TRUE(name.starts_with("full-") && name.size() > 25) << name;
      out.insert(std::stoll(name.substr(5, 20)));
    }
    return out;
  }

  S3Bucket bucket_;
};

TEST_F(RetentionTest, TheLastThreeStayAcrossNineNinetyNineAndNineHundredNinetyNine) {
  if (!bucket_.missing().empty()) GTEST_SKIP() << bucket_.missing();
  sandbox_.start_operator();
  sandbox_.write("secret.yaml", bucket_.secret());
  sandbox_.write(
      "c.yaml",
      manifest(
          "c", 1, "3.6.16",
          "  backup:\n    verify: {intervalSeconds: 86400}\n    backupPolicy:\n"
          "      backupIntervalInSecond: 7200\n      maxBackups: 3\n"
          "      storageSource:\n        s3: {path: my-etcd-backups, awsSecret: aws-secret}\n"));
  ASSERT_TRUE(eventually(90s, [&] { return sandbox_.settled(name_, 1); })) << say();
  // The first backup, and the proof of it, which keeps it beyond the count.
  ASSERT_TRUE(eventually(120s, [&] { return is("BackupProven", "True"); })) << say();
  const std::int64_t proven = backed_up();

  std::int64_t at = proven;
  std::set<std::int64_t> last;
  for (const std::int64_t revision : {8, 9, 10, 11, 98, 99, 100, 101, 998, 999, 1000, 1001}) {
    write_up_to(revision, at);
    ASSERT_EQ(at, revision);
    ASSERT_NO_FATAL_FAILURE(back_up(revision));
    last.insert(revision);
    if (last.size() > 3) last.erase(last.begin());
    auto expected = last;
    expected.insert(proven);
    std::size_t objects = 0;
    EXPECT_EQ(kept(objects), expected) << "at " << revision;
    EXPECT_EQ(objects, 2 * expected.size()) << "data and manifest of each, at " << revision;
  }
}

}  // namespace
}  // namespace e2e
