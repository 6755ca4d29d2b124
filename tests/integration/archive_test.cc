// Backups of real etcd by the shipped program: saved, listed, damaged, brought back, restored by
// etcd's own tool and served again.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "archive/bump.h"
#include "archive/catalog.h"
#include "archive/drill_job.h"
#include "archive/job.h"
#include "conformance/object_server.h"
#include "etcd/bolt/verify.h"
#include "json/json.h"
#include "posix/clock.h"
#include "posix/files.h"
#include "posix/process.h"
#include "posix/test_dir.h"
#include "posix/wakeup.h"
#include "support/etcd_process.h"

namespace {

using archive::DrillOutcome;
using archive::FetchOutcome;
using archive::RunOutcome;

constexpr base::Duration kCall{20'000};
constexpr size_t kMaxFile = size_t{256} << 20;

posix::RunResult run(std::vector<std::string> argv) {
  auto result = posix::run({.argv = std::move(argv)}, {.deadline = base::Duration(120'000)}, {});
  if (result) return *std::move(result);
  ADD_FAILURE() << result.error().text();
  return {};
}

class Archive : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    cluster_ = std::make_unique<support::TestCluster>(GetParam(), 3, /*tls=*/true);
    ASSERT_EQ(cluster_->error, "");
    api_ = cluster_->members[0]->connect();
    tls_ = {.ca = path("ca.pem"), .cert = path("cert.pem"), .key = path("key.pem")};
    const auto pem = cluster_->pki->client();
    ASSERT_TRUE(posix::write_atomic(tls_.ca, pem.ca));
    ASSERT_TRUE(posix::write_atomic(tls_.cert, pem.cert));
    ASSERT_TRUE(posix::write_atomic(tls_.key, pem.key));
    ASSERT_TRUE(posix::write_atomic(path("backup.key"), std::string(64, 'c')));
    for (int i = 0; i < 60; ++i) put("/app/" + std::to_string(i % 25), std::to_string(i));
    put("/large", std::string(700'000, 'x'));
  }
  // Again where a leader has just gone.
  void put(const std::string& key, const std::string& value) {
    const posix::SystemClock clock;
    for (const auto until = clock.tick() + kCall;;) {
      const auto done = api_->put(key, value, kCall);
      if (done) return;
      if (clock.tick() < until) continue;
      FAIL() << done.error().error.text();
    }
  }
  [[nodiscard]] std::string path(const std::string& name) const {
    return cluster_->dir.root() + "/" + name;
  }
  [[nodiscard]] std::string store() const { return path("backups"); }
  [[nodiscard]] archive::Common common() const {
    return {.cluster = {"default", "c"},
            .store = {.url = store()},
            .direct = true,
            .scratch = path("scratch"),
            .encryption_key = path("backup.key"),
            .deadline = std::chrono::seconds(120),
            .report = path("report.json")};
  }
  archive::RunJob job() {
    archive::RunJob out{.common = common(),
                        .incarnation = "20261122T031500Z-8f3a9c02",
                        .epoch = 1,
                        .tls = tls_,
                        .max_backups = 3};
    for (const auto& member : cluster_->members)
      out.endpoints.push_back({member->options().name, member->client_url()});
    return out;
  }
  posix::RunResult tell(const std::string& verb, const std::string& text,
                        const std::string& fault = "") {
    EXPECT_TRUE(posix::remove_file(common().report));
    EXPECT_TRUE(posix::write_atomic(path("job.json"), text));
    std::vector<std::string> argv{EO_OPERATOR_PROGRAM, "archive", verb, "--job", path("job.json")};
    if (!fault.empty()) argv.push_back("--fault-point=" + fault);
    return run(std::move(argv));
  }
  archive::RunReport backup(const archive::RunJob& wanted) {
    const auto said = tell("run", to_json(wanted));
    EXPECT_EQ(said.exit_code, 0) << said.err;
    const auto text = posix::read_file(common().report, 4096);
    EXPECT_TRUE(text) << said.err;
    const auto report = archive::parse_run_report(text.value_or("{}"));
    EXPECT_TRUE(report) << *text;
    return report.value_or(archive::RunReport{});
  }
  archive::FetchReport fetch(const archive::FetchJob& wanted) {
    const auto said = tell("fetch", to_json(wanted));
    EXPECT_EQ(said.exit_code, 0) << said.err;
    const auto text = posix::read_file(common().report, 4096);
    EXPECT_TRUE(text) << said.err;
    const auto report = archive::parse_fetch_report(text.value_or("{}"));
    EXPECT_TRUE(report) << *text;
    return report.value_or(archive::FetchReport{});
  }
  archive::DrillJob drill_job() {
    return {.common = common(),
            .programs = {.version = GetParam(),
                         .etcd = support::etcd_binary(GetParam()).value_or("/none"),
                         .tool = support::etcd_binary(GetParam(), tool()).value_or("/none")}};
  }
  static std::string tool() { return GetParam().starts_with("3.4.") ? "etcdctl" : "etcdutl"; }
  archive::DrillReport drill(const archive::DrillJob& wanted) {
    const auto said = tell("drill", to_json(wanted));
    EXPECT_EQ(said.exit_code, 0) << said.err;
    const auto text = posix::read_file(common().report, 4096);
    EXPECT_TRUE(text) << said.err;
    const auto report = archive::parse_drill_report(text.value_or("{}"));
    EXPECT_TRUE(report) << *text;
    EXPECT_EQ(posix::exists(path("scratch/drill")), base::Fact<bool>(false));
    return report.value_or(archive::DrillReport{});
  }
  // Of etcd made of a backup: told apart by where it works.
  [[nodiscard]] std::vector<std::string> left_behind() const {
    std::vector<std::string> out;
    for (const auto& name : posix::list_dir("/proc").value_or(std::vector<std::string>{})) {
      const auto line = posix::read_file("/proc/" + name + "/cmdline", 65'536);
      std::error_code gone;
      const auto at = std::filesystem::read_symlink("/proc/" + name + "/cwd", gone).string();
      if (line && line->find("etcd") != std::string::npos && at.starts_with(path("scratch")))
        out.push_back(name + " " + *line);
    }
    return out;
  }
  posix::RunResult command(std::vector<std::string> args) {
    args.insert(args.begin(), {EO_OPERATOR_PROGRAM, "archive"});
    args.push_back("--store=" + store());
    return run(std::move(args));
  }
  json::Value list() {
    const auto said = command({"list", "-o", "json"});
    EXPECT_EQ(said.exit_code, 0) << said.err;
    return json::parse(said.out).value_or(json::Value());
  }
  void damage(const std::string& name) const {
    const auto file = store() + "/" + name + ".db.zst";
    auto bytes = posix::read_file(file, kMaxFile);
    ASSERT_TRUE(bytes) << bytes.error().text();
    (*bytes)[bytes->size() / 2] ^= 1;
    ASSERT_TRUE(posix::write_atomic(file, *bytes));
  }
  // A member of a new cluster, made by etcd's own tool from the file.
  support::EtcdProcess& restore(const std::string& file);

  std::unique_ptr<support::TestCluster> cluster_;
  std::unique_ptr<etcd::EtcdApi> api_;
  archive::TlsFiles tls_;
};

INSTANTIATE_TEST_SUITE_P(Versions, Archive, testing::Values("3.5.12", "3.6.16"),
                         [](const auto& param) {
                           std::string name = "v" + param.param;
                           for (auto& c : name)
                             if (c == '.') c = '_';
                           return name;
                         });
class ArchiveOnce : public Archive {};  // what no version of etcd has a part in
INSTANTIATE_TEST_SUITE_P(Versions, ArchiveOnce, testing::Values("3.6.16"),
                         [](const auto&) { return "v3_6_16"; });

support::EtcdProcess& Archive::restore(const std::string& file) {
  auto& member = cluster_->add_process("", "new");
  const auto& options = member.options();
  const auto tool = support::etcd_binary(GetParam(), "etcdutl");
  EXPECT_TRUE(tool) << tool.error().text();
  const auto said =
      run({tool.value_or(""), "snapshot", "restore", file, "--name=" + options.name,
           "--initial-cluster=" + options.initial_cluster, "--initial-cluster-token=test",
           "--initial-advertise-peer-urls=" + member.peer_url(),
           "--data-dir=" + options.dir + "/data"});
  EXPECT_EQ(said.exit_code, 0) << said.err;
  EXPECT_TRUE(member.start());
  const auto ready = member.wait_ready(base::Duration(30'000));
  EXPECT_TRUE(ready) << ready.error().text();
  return member;
}

TEST_P(Archive, SavedListedDamagedBroughtBackAndServed) {
  const auto first = backup(job());
  ASSERT_EQ(first.outcome, RunOutcome::kUploaded) << first.error;
  EXPECT_TRUE(first.verified);
  EXPECT_NE(first.hash_of_member, "");
  EXPECT_EQ(first.warning, "");
  EXPECT_EQ(first.revision, api_->status(kCall)->revision);
  const auto live = api_->hash_kv(first.revision, kCall);
  const auto then = api_->range("/app/", "/app0", false, first.revision, kCall);
  ASSERT_TRUE(live && then);

  auto again = job();
  again.last_revision = first.revision;
  EXPECT_EQ(backup(again).outcome, RunOutcome::kUnchanged);
  again.not_before = first.time;
  EXPECT_EQ(backup(again).outcome, RunOutcome::kNotDue);

  // With a member down, and the history compacted.
  cluster_->members[2]->kill();
  for (int i = 0; i < 10; ++i) put("/later/" + std::to_string(i), "v");
  ASSERT_TRUE(api_->compact(first.revision + 5, true, kCall));
  const auto second = backup(job());
  ASSERT_EQ(second.outcome, RunOutcome::kUploaded) << second.error;
  EXPECT_GE(second.revision, first.revision + 10);
  EXPECT_EQ(second.revision, api_->quorum_read(kCall));
  EXPECT_EQ(second.kept, 2U);
  const auto rows = list();
  ASSERT_EQ(rows.if_array()->size(), 2U);
  EXPECT_EQ(*json::get_string(rows, "0.name"), second.name);
  EXPECT_EQ(*json::get_int(rows, "1.revision"), first.revision);
  EXPECT_EQ(*json::get_bool(rows, "1.verified"), true);
  EXPECT_EQ(*json::get_string(rows, "1.keptBecause"), "count");

  damage(second.name);
  const auto judged = command({"verify", "--encryption-key=" + path("backup.key")});
  EXPECT_EQ(judged.exit_code, 1);
  EXPECT_NE(judged.out.find(second.name + ": damaged: "), std::string::npos) << judged.out;
  EXPECT_NE(judged.out.find(first.name + ": good: "), std::string::npos) << judged.out;

  const auto fetched = fetch({.common = common(), .to = path("back.db")});
  ASSERT_EQ(fetched.outcome, FetchOutcome::kFetched) << fetched.error;
  EXPECT_EQ(fetched.name, first.name);
  EXPECT_EQ(fetched.starts_at, first.revision + archive::kBump);
  EXPECT_EQ(fetched.etcd_version, GetParam());
  ASSERT_EQ(fetched.skipped.size(), 1U);
  EXPECT_EQ(fetched.skipped[0].name, second.name);

  const auto served = restore(path("back.db")).connect();
  const auto hash = served->hash_kv(fetched.starts_at, kCall);
  ASSERT_TRUE(hash) << hash.error().text();
  EXPECT_EQ(hash->hash, fetched.hash);
  const auto now = served->range("/app/", "/app0", false, 0, kCall);
  ASSERT_TRUE(now) << now.error().text();
  EXPECT_EQ(now->revision, fetched.starts_at);
  ASSERT_EQ(now->kvs.size(), then->kvs.size());
  for (size_t i = 0; i < now->kvs.size(); ++i) {
    EXPECT_EQ(now->kvs[i].value, then->kvs[i].value) << now->kvs[i].key;
    EXPECT_EQ(now->kvs[i].mod_revision, then->kvs[i].mod_revision);
    EXPECT_EQ(now->kvs[i].version, then->kvs[i].version);
  }
  EXPECT_EQ(served->range("/later/", "/later0", false, 0, kCall)->count, 0);
  // What clients knew of the old history is answered as compacted, and nothing comes twice.
  EXPECT_FALSE(served->range("/app/", "/app0", false, first.revision + 1, kCall));
  EXPECT_EQ(served->put("/new", "1", kCall), fetched.starts_at + 1);
}

// Members then answer for it from their cache, with a hash from before the compaction.
TEST_P(Archive, TheNewestRevisionItselfIsCompacted) {
  ASSERT_TRUE(api_->compact(*api_->quorum_read(kCall), true, kCall));
  const auto saved = backup(job());
  ASSERT_EQ(saved.outcome, RunOutcome::kUploaded) << saved.error;
  EXPECT_EQ(saved.hash_of_member.empty(), !saved.warning.empty()) << saved.warning;
  const auto fetched = fetch({.common = common(), .to = path("back.db")});
  EXPECT_EQ(fetched.outcome, FetchOutcome::kFetched) << fetched.error;
  EXPECT_EQ(fetched.name, saved.name);
}

TEST_P(Archive, ExactlyAsItWas) {
  const auto saved = backup(job());
  ASSERT_EQ(saved.outcome, RunOutcome::kUploaded) << saved.error;
  const auto live = api_->hash_kv(saved.revision, kCall);
  const auto fetched =
      fetch({.common = common(), .name = saved.name, .to = path("exact.db"), .exact = true});
  ASSERT_EQ(fetched.outcome, FetchOutcome::kFetched) << fetched.error;
  EXPECT_EQ(fetched.starts_at, saved.revision);
  ASSERT_TRUE(live);
  EXPECT_EQ(fetched.hash, live->hash);
  const auto served = restore(path("exact.db")).connect();
  EXPECT_EQ(served->hash_kv(saved.revision, kCall)->hash, live->hash);
  EXPECT_EQ(served->put("/new", "1", kCall), saved.revision + 1);
}

TEST_P(Archive, DrilledProvenAndFoundDamaged) {
  ASSERT_TRUE(posix::make_dirs(store()));
  EXPECT_EQ(drill(drill_job()).outcome, DrillOutcome::kEmpty);
  const auto first = backup(job());
  ASSERT_EQ(first.outcome, RunOutcome::kUploaded) << first.error;
  auto proven = drill(drill_job());
  ASSERT_EQ(proven.outcome, DrillOutcome::kProven) << proven.error;
  EXPECT_EQ(proven.name, first.name);
  EXPECT_EQ(proven.revision, first.revision);
  EXPECT_EQ(proven.keys, 26U);
  EXPECT_EQ(proven.etcd_version, GetParam());
  EXPECT_EQ(*json::get_bool(list(), "0.proven"), true);
  EXPECT_TRUE(left_behind().empty());

  // History that was compacted, and an owner of keys who is gone a moment later.
  for (int i = 0; i < 10; ++i) put("/later/" + std::to_string(i), "v");
  ASSERT_TRUE(api_->compact(first.revision + 5, true, kCall));
  const auto second = backup(job());
  proven = drill(drill_job());
  ASSERT_EQ(proven.outcome, DrillOutcome::kProven) << proven.error;
  EXPECT_EQ(proven.name, second.name);
  ASSERT_TRUE(api_->compact(*api_->quorum_read(kCall), true, kCall));
  put("/newest", "v");
  ASSERT_TRUE(api_->compact(*api_->quorum_read(kCall), true, kCall));
  const auto third = backup(job());
  proven = drill(drill_job());
  ASSERT_EQ(proven.outcome, DrillOutcome::kProven) << proven.error;
  EXPECT_EQ(proven.name, third.name);

  auto other = drill_job();
  other.common.encryption_key.clear();
  EXPECT_EQ(drill(other).error_kind, archive::kind::kKey);
  other = drill_job();
  other.programs.etcd = "/none";
  EXPECT_EQ(drill(other).error_kind, archive::kind::kEtcd);
  other.programs = {.version = "none", .etcd = "/bin/true", .tool = "/bin/false"};
  EXPECT_EQ(drill(other).error_kind, archive::kind::kEtcd);

  damage(third.name);
  auto bad = drill(drill_job());
  EXPECT_EQ(bad.outcome, DrillOutcome::kBad) << bad.error;
  EXPECT_EQ(bad.name, third.name);
  EXPECT_EQ(*json::get_bool(list(), "0.verified"), false);
  bad = drill(drill_job());
  EXPECT_EQ(bad.outcome, DrillOutcome::kProven) << bad.error;
  EXPECT_EQ(bad.name, second.name);
  EXPECT_TRUE(left_behind().empty());
}

// Only its root may ask most things of a cluster with users, and nobody gave us its password.
TEST_P(Archive, AClusterWithUsersIsDrilled) {
  const auto ctl = support::etcd_binary(GetParam(), "etcdctl");
  ASSERT_TRUE(ctl);
  const auto tell = [&](std::vector<std::string> args) {
    args.insert(args.begin(), {*ctl, "--endpoints=" + cluster_->members[0]->client_url(),
                               "--cacert=" + tls_.ca, "--cert=" + tls_.cert, "--key=" + tls_.key});
    const auto said = run(std::move(args));
    EXPECT_EQ(said.exit_code, 0) << said.err;
  };
  tell({"user", "add", "root:secret"});
  tell({"user", "grant-role", "root", "root"});
  tell({"auth", "enable"});
  const auto saved = backup(job());
  ASSERT_EQ(saved.outcome, RunOutcome::kUploaded) << saved.error;
  const auto proven = drill(drill_job());
  ASSERT_EQ(proven.outcome, DrillOutcome::kProven) << proven.error;
  EXPECT_EQ(proven.name, saved.name);
  EXPECT_EQ(proven.keys, 26U);
}

TEST_P(ArchiveOnce, ADrillThatIsKilledLeavesNoEtcdAndIsRunAgain) {
  const auto saved = backup(job());
  ASSERT_EQ(saved.outcome, RunOutcome::kUploaded) << saved.error;
  for (const auto* point : {"drill.fetched", "drill.restored", "drill.started", "drill.compared",
                            "mark.before", "mark.after"}) {
    const auto killed = tell("drill", to_json(drill_job()), point);
    EXPECT_EQ(killed.exit_code, 85) << point << killed.err;
    EXPECT_FALSE(posix::read_file(common().report, 4096));
    const posix::SystemClock clock;
    for (const auto until = clock.tick() + kCall; !left_behind().empty() && clock.tick() < until;)
      (void)posix::poll_until({}, posix::deadline_in(base::Duration(20)), {});
    EXPECT_TRUE(left_behind().empty()) << point << ": " << left_behind().front();
    EXPECT_EQ(json::get_bool(list(), "0.proven").value_or(false),
              std::string_view(point) == "mark.after");
  }
  const auto proven = drill(drill_job());
  EXPECT_EQ(proven.outcome, DrillOutcome::kProven) << proven.error;
}

TEST_P(ArchiveOnce, KilledAndRunAgain) {
  for (const auto* point : {"upload.half", "manifest.before", "manifest.after"}) {
    put("/k", point);
    const auto killed = tell("run", to_json(job()), point);
    EXPECT_EQ(killed.exit_code, 85) << killed.err;
    EXPECT_FALSE(posix::read_file(common().report, 4096));
  }
  EXPECT_EQ(list().if_array()->size(), 1U);  // the one whose manifest was written
  const auto saved = backup(job());
  EXPECT_EQ(saved.outcome, RunOutcome::kUploaded) << saved.error;
  EXPECT_EQ(saved.kept, 2U);
  const auto bad = tell("run", R"({"cluster": {}})");
  EXPECT_EQ(bad.exit_code, 2);
  EXPECT_NE(bad.err.find("cluster.namespace is missing"), std::string::npos) << bad.err;
}

TEST_P(ArchiveOnce, WhatCannotBeDoneIsToldInTheReport) {
  auto wanted = job();
  wanted.common.store.url = path("ca.pem");  // a file
  const auto report = backup(wanted);
  EXPECT_EQ(report.outcome, RunOutcome::kFailed);
  EXPECT_NE(report.error, "");
  archive::FetchJob nothing{.common = common(), .to = path("back.db")};
  EXPECT_EQ(fetch(nothing).error_kind, archive::kind::kAbsent);
  ASSERT_TRUE(posix::make_dirs(store()));
  EXPECT_EQ(fetch(nothing).outcome, FetchOutcome::kEmpty);
  for (const auto& member : cluster_->members) member->kill();
  wanted = job();
  wanted.common.deadline = std::chrono::seconds(10);
  EXPECT_EQ(backup(wanted).error_kind, archive::kind::kNoMember);
}

// ---- A server of objects, as a user of Amazon's would reach it. --------------------------------

class ArchiveS3 : public Archive {
 protected:
  ArchiveS3() {
    for (const auto* folder : {"data/bucket", "iam"})
      EXPECT_TRUE(posix::make_dirs(dir_.path(folder)));
    server_.emplace(conformance::ObjectServer::What{
        .argv = {conformance::object_server_path("versitygw-1.8.0"), "--port", "127.0.0.1:PORT",
                 "--iam-dir", dir_.path("iam"), "--quiet", "posix", dir_.path("data")},
        .env = {"ROOT_ACCESS_KEY=testkey", "ROOT_SECRET_KEY=testsecret12345"},
        .folder = dir_.path("")});
    write_secret("right", "testsecret12345");
    write_secret("wrong", "testsecret54321");
  }
  void write_secret(const std::string& name, const std::string& secret) {
    const auto folder = dir_.path(name);
    EXPECT_TRUE(posix::make_dirs(folder));
    EXPECT_TRUE(posix::write_new(folder + "/credentials",
                                 "[default]\naws_access_key_id = testkey\n"
                                 "aws_secret_access_key = " +
                                     secret + "\n"));
    EXPECT_TRUE(posix::write_new(
        folder + "/config",
        fmt::format("[default]\nregion = us-east-1\nendpoint_url = http://127.0.0.1:{}\n"
                    "s3 =\n  addressing_style = path\n",
                    server_->port())));
  }
  [[nodiscard]] archive::Common in_s3(const std::string& name) const {
    auto out = common();
    out.cluster.name = name;
    out.store = {.url = "s3://bucket/backups", .secret = dir_.path("right")};
    out.direct = false;
    return out;
  }

  posix::TestDir dir_;
  std::optional<conformance::ObjectServer> server_;
};
INSTANTIATE_TEST_SUITE_P(Versions, ArchiveS3, testing::Values("3.6.16"),
                         [](const auto&) { return "v3_6_16"; });

TEST_P(ArchiveS3, TwoClustersWhoseNamesShareABeginning) {
  if (!server_->missing().empty()) GTEST_SKIP() << server_->missing();
  for (const auto* name : {"c", "c-2"})
    for (int i = 0; i < 3; ++i) {
      put("/k", std::string(name) + std::to_string(i));
      auto wanted = job();
      wanted.common = in_s3(name);
      wanted.max_backups = 2;
      const auto report = backup(wanted);
      ASSERT_EQ(report.outcome, RunOutcome::kUploaded) << report.error;
      EXPECT_EQ(report.warning, "");
      EXPECT_EQ(report.kept, i == 0 ? 1U : 2U);
    }
  const auto said =
      run({EO_OPERATOR_PROGRAM, "archive", "list", "-o", "json",
           "--store=s3://bucket/backups/default/c", "--secret=" + dir_.path("right")});
  const auto rows = json::parse(said.out);
  ASSERT_TRUE(rows) << said.err;
  EXPECT_EQ(rows->if_array()->size(), 2U);

  archive::FetchJob wanted{.common = in_s3("c"), .to = path("back.db")};
  const auto fetched = fetch(wanted);
  ASSERT_EQ(fetched.outcome, FetchOutcome::kFetched) << fetched.error;
  EXPECT_EQ(fetched.name, *json::get_string(*rows, "0.name"));
  wanted.common = in_s3("nobody");
  EXPECT_EQ(fetch(wanted).outcome, FetchOutcome::kEmpty);
  // Could not look: never empty.
  wanted.common.store.secret = dir_.path("wrong");
  auto failed = fetch(wanted);
  EXPECT_EQ(failed.outcome, FetchOutcome::kFailed);
  EXPECT_EQ(failed.error_kind, archive::kind::kCredentials) << failed.error;
  wanted.common.store.secret = dir_.path("right");
  wanted.common.store.url = "s3://no-such-bucket/backups";
  failed = fetch(wanted);
  EXPECT_EQ(failed.outcome, FetchOutcome::kFailed);
  EXPECT_EQ(failed.error_kind, archive::kind::kAbsent) << failed.error;
}

}  // namespace
