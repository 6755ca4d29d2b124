// The continuous mode of the shipped program beside real etcd: killed, cut off, compacted; and the
// cluster brought back as it was at any revision and time.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <map>
#include <random>
#include <thread>

#include "archive/bump.h"
#include "archive/follow_job.h"
#include "archive/job.h"
#include "etcd/bolt/hashkv.h"
#include "etcd/bolt/record.h"
#include "etcd/bolt/verify.h"
#include "history_users.h"
#include "http/client.h"
#include "json/json.h"
#include "pki/random.h"
#include "posix/clock.h"
#include "posix/files.h"
#include "posix/process.h"
#include "support/etcd_process.h"
#include "support/workload.h"

namespace {

using archive::FetchOutcome;
using archive::FollowStatus;

constexpr base::Duration kCall{20'000}, kLong{120'000};

bool full_depth() {
  const char* depth = std::getenv("EO_DEPTH");
  return depth != nullptr && std::string(depth) == "full";
}

// What etcd said of a revision while it was the newest one.
struct Then {
  etcd::Hash hash;
  std::map<std::string, etcd::KeyValue> keys;
};
struct Mark {
  base::Instant time{};
  std::int64_t revision = 0;
  size_t users = 0;
};

class History : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    cluster_ = std::make_unique<support::TestCluster>(GetParam(), 3, /*tls=*/true);
    ASSERT_EQ(cluster_->error, "");
    api_ = cluster_->members[0]->connect();
    const auto pem = cluster_->pki->client();
    writer_ = std::make_unique<support::Workload>(cluster_->members[0]->client_url(), pem);
    tls_ = {.ca = path("ca.pem"), .cert = path("cert.pem"), .key = path("key.pem")};
    ASSERT_TRUE(posix::write_atomic(tls_.ca, pem.ca));
    ASSERT_TRUE(posix::write_atomic(tls_.cert, pem.cert));
    ASSERT_TRUE(posix::write_atomic(tls_.key, pem.key));
    ASSERT_TRUE(posix::write_atomic(path("backup.key"), std::string(64, 'c')));
    users_ = std::make_unique<history::UserHistory>(*cluster_);
  }
  void TearDown() override { kill_follower(); }

  [[nodiscard]] std::string path(const std::string& name) const {
    return cluster_->dir.root() + "/" + name;
  }
  [[nodiscard]] archive::Common common(const std::string& work) const {
    return {.cluster = {"default", "c"},
            .store = {.url = path("backups")},
            .direct = true,
            .scratch = path(work),
            .encryption_key = path("backup.key"),
            .deadline = std::chrono::seconds(120),
            .report = path(work + ".json")};
  }

  // ---- The follower, a process.
  // ------------------------------------------------------------------

  void start_follower(const std::string& fault = "") {
    archive::FollowJob job{.run = {.common = common("follow"),
                                   .incarnation = "20261122T031500Z-8f3a9c02",
                                   .epoch = ++epoch_,
                                   .tls = tls_},
                           .seal_after = std::chrono::seconds(2),
                           .status = path("status.json"),
                           .status_port = port_};
    for (const auto& member : cluster_->members)
      job.run.endpoints.push_back({member->options().name, member->client_url()});
    ASSERT_TRUE(posix::write_atomic(path("follow.job"), to_json(job)));
    std::vector<std::string> argv{EO_OPERATOR_PROGRAM, "archive", "follow", "--job",
                                  path("follow.job")};
    if (!fault.empty()) argv.push_back("--fault-point=" + fault);
    kill_follower();
    EXPECT_TRUE(posix::remove_file(path("status.json")));
    stop_ = {};
    follower_ = std::jthread([this, argv] {
      static_cast<void>(posix::run({.argv = argv}, {.deadline = 10 * kLong}, stop_.get_token()));
    });
  }
  void kill_follower() {
    stop_.request_stop();
    if (follower_.joinable()) follower_.join();
  }
  FollowStatus status() {
    const auto text = posix::read_file(path("status.json"), 65'536);
    return text ? archive::parse_follow_status(*text).value_or(FollowStatus{}) : FollowStatus{};
  }
  void wait_for(const std::string& what, const std::function<bool(const FollowStatus&)>& holds) {
    const posix::SystemClock clock;
    for (const auto until = clock.tick() + kLong; clock.tick() < until;) {
      if (holds(status())) return;
      ::poll(nullptr, 0, 20);
    }
    FAIL() << what << ": " << to_json(status());
  }
  void wait_saved() {
    const auto revision = newest();
    ASSERT_TRUE(revision) << revision.error().text();
    wait_for(fmt::format("revision {} saved", *revision),
             [&](const FollowStatus& s) { return s.saved >= *revision && !s.base.empty(); });
  }
  void wait_users_saved() {
    wait_for("a backup with the last users", [&](const FollowStatus& s) {
      const auto text = posix::read_file(path("backups/") + s.base + ".json", 65'536);
      return text && users_->is_last(*text);
    });
    const auto revision = newest();
    ASSERT_TRUE(revision) << revision.error().text();
    users_->saved(*revision);
  }

  // ---- What is written.
  // --------------------------------------------------------------------------

  // Again where a leader has just gone; what happened without an answer is history, too.
  template <class Work>
  static auto settled(const Work& work) {
    const posix::SystemClock clock;
    const auto until = clock.tick() + kLong;
    auto done = work();
    while (!done && clock.tick() < until) done = work();
    return done;
  }
  base::Result<std::int64_t> newest() {
    return settled([&] { return api_->quorum_read(kCall); });
  }
  std::string key() { return "/k/" + std::to_string(dice_() % 40); }
  void change() {
    std::vector<support::WriteOp> ops;
    const auto kind = dice_() % 20;
    if (kind == 0 && leases_.size() < 8) {
      const auto lease = settled([&] { return writer_->grant(3600); });
      ASSERT_TRUE(lease) << lease.error().text();
      leases_.push_back(*lease);
      ops.push_back({.key = key(), .value = "leased", .lease = *lease});
    } else if (kind == 1 && !leases_.empty()) {
      const auto at = dice_() % leases_.size();
      // One that was lost on the way may have been done: then there is no such lease.
      const auto done = writer_->revoke(leases_[at]);
      leases_.erase(leases_.begin() + static_cast<std::ptrdiff_t>(at));
      if (done) note(*done);
      return;
    } else if (kind == 2) {
      ops.push_back({.key = "/k/2", .remove = true, .range_end = "/k/3"});
    } else if (kind < 6) {
      for (unsigned i = 0, count = 2 + static_cast<unsigned>(dice_() % 9); i < count; ++i)
        ops.push_back({.key = fmt::format("/t/{}", i),
                       .value = std::to_string(dice_()),
                       .lease = leases_.empty() || dice_() % 3 != 0 ? 0 : leases_.front(),
                       .remove = dice_() % 4 == 0});
    } else if (kind == 6) {
      ops.push_back({.key = key(), .value = std::string(dice_() % 300'000, 'x')});
    } else if (kind < 10) {
      ops.push_back({.key = key(), .remove = true});
    } else {
      ops.push_back({.key = key(), .value = std::string(dice_() % 300, 'v')});
    }
    const auto done = settled([&] { return writer_->write(ops); });
    ASSERT_TRUE(done) << done.error().text();
    note(*done);
  }
  // Asks etcd of one in so many of its revisions.
  void note(std::int64_t revision) {
    if (dice_() % 6 != 0) return;
    const auto hash = api_->hash_kv(revision, kCall);
    const auto all = api_->range(std::string(1, '\0'), std::string(1, '\0'), true, revision, kCall);
    ASSERT_TRUE(hash && all);
    Then then{.hash = *hash, .keys = {}};
    for (const auto& kv : all->kvs) then.keys[kv.key] = kv;
    then_[revision] = std::move(then);
  }
  void changes(int count) {
    for (int i = 0; i < count && !HasFatalFailure(); ++i) change();
  }
  // What was written until now is older than the mark, and what comes is not.
  void mark() {
    wait_users_saved();
    wait_saved();
    const posix::SystemClock clock;
    const auto from = clock.now();
    const auto revision = newest();
    ASSERT_TRUE(revision);
    marks_.push_back({clock.now(), *revision, users_->last()});
    while (clock.now() < from + base::Duration(5)) ::poll(nullptr, 0, 1);
  }
  void compact() {
    const auto revision = newest();
    ASSERT_TRUE(revision) << revision.error().text();
    const auto done = settled([&]() -> etcd::Change<void> {
      auto compacted = api_->compact(*revision - 3, true, kCall);
      // An earlier try was done.
      if (!compacted && compacted.error().error.code == base::Code::kNotFound) return {};
      return compacted;
    });
    ASSERT_TRUE(done) << done.error().error.text();
  }

  // ---- What is brought back.
  // ---------------------------------------------------------------------

  archive::FetchReport fetch(archive::FetchJob wanted) {
    wanted.common = common("fetch");
    wanted.to = path("back.db");
    EXPECT_TRUE(posix::remove_file(wanted.to));
    EXPECT_TRUE(posix::write_atomic(path("fetch.job"), to_json(wanted)));
    const auto said = run({EO_OPERATOR_PROGRAM, "archive", "fetch", "--job", path("fetch.job")});
    EXPECT_EQ(said.exit_code, 0) << said.err;
    const auto text = posix::read_file(wanted.common.report, 4096);
    EXPECT_TRUE(text) << said.err;
    return archive::parse_fetch_report(text.value_or("{}")).value_or(archive::FetchReport{});
  }
  static posix::RunResult run(std::vector<std::string> argv) {
    auto result = posix::run({.argv = std::move(argv)}, {.deadline = kLong}, {});
    if (result) return *std::move(result);
    ADD_FAILURE() << result.error().text();
    return {};
  }
  // By HashKV with the compact revision of etcd's answer, and key by key.
  void expect_as_then(const archive::FetchReport& report, const Then& then) {
    ASSERT_EQ(report.outcome, FetchOutcome::kFetched) << report.error;
    const auto source = bolt::FileSource::open(path("back.db"));
    ASSERT_TRUE(source) << source.error().text();
    const auto database = bolt::Database::open(*source, source->size() - bolt::kTrailer);
    ASSERT_TRUE(database) << database.error().text();
    const auto hash = bolt::hash_kv(*database, {.revision = report.revision,
                                                .compact_revision = then.hash.compact_revision,
                                                .sip = {1, 2}});
    ASSERT_TRUE(hash) << hash.error().text();
    EXPECT_EQ(hash->hash, then.hash.hash) << report.revision;
    std::map<std::string, std::string> found;
    const auto walked =
        database->walk("key", [&](std::string_view at, std::string_view value) -> base::Status {
          TRY(const auto record, bolt::parse_record(at, value));
          if (record.tombstone)
            found.erase(std::string(record.key));
          else
            found[std::string(record.key)] =
                fmt::format("{} {} {} {}", record.create_revision, record.mod_revision,
                            record.version, record.value);
          return {};
        });
    ASSERT_TRUE(walked) << walked.error().text();
    std::map<std::string, std::string> expected;
    for (const auto& [name, kv] : then.keys)
      expected[name] =
          fmt::format("{} {} {} {}", kv.create_revision, kv.mod_revision, kv.version, kv.value);
    EXPECT_EQ(found, expected) << report.revision;
    users_->expect_of_revision(path("back.db"), report.revision);
  }
  void expect_reached(std::int64_t revision) {
    SCOPED_TRACE(revision);
    expect_as_then(fetch({.to_revision = revision, .exact = true}), then_.at(revision));
  }
  void expect_reached(const Mark& mark) {
    SCOPED_TRACE(base::to_rfc3339(mark.time));
    const auto report = fetch({.to_time = mark.time, .exact = true});
    ASSERT_EQ(report.outcome, FetchOutcome::kFetched) << report.error;
    EXPECT_EQ(report.revision, mark.revision);
    EXPECT_EQ(report.warning.find("users and roles"), std::string::npos) << report.warning;
    users_->expect(path("back.db"), mark.users);
  }
  // A cluster of etcd's own making, of the file that was brought back last.
  std::unique_ptr<etcd::EtcdApi> serve() {
    auto& member = cluster_->add_process("", "new");
    const auto& options = member.options();
    const auto tool = support::etcd_binary(GetParam(), "etcdutl");
    EXPECT_TRUE(tool);
    const auto said =
        run({tool.value_or(""), "snapshot", "restore", path("back.db"), "--name=" + options.name,
             "--initial-cluster=" + options.initial_cluster, "--initial-cluster-token=test",
             "--initial-advertise-peer-urls=" + member.peer_url(),
             "--data-dir=" + options.dir + "/data"});
    EXPECT_EQ(said.exit_code, 0) << said.err;
    EXPECT_TRUE(member.start());
    const auto ready = member.wait_ready(base::Duration(30'000));
    EXPECT_TRUE(ready) << ready.error().text();
    return member.connect();
  }

  void expect_page();
  void expect_served(std::int64_t at);
  void expect_let_in(bool enabled);
  void expect_told();

  std::unique_ptr<support::TestCluster> cluster_;
  std::unique_ptr<etcd::EtcdApi> api_;
  std::unique_ptr<support::Workload> writer_;
  archive::TlsFiles tls_;
  std::mt19937_64 dice_{std::random_device{}()};
  std::vector<std::int64_t> leases_;
  std::map<std::int64_t, Then> then_;
  std::vector<Mark> marks_;
  std::unique_ptr<history::UserHistory> users_;
  std::int64_t epoch_ = 0;
  const posix::Port port_ = support::free_ports(1).front();

 private:
  std::stop_source stop_;
  std::jthread follower_;
};

INSTANTIATE_TEST_SUITE_P(Versions, History, testing::Values("3.5.12", "3.6.16"),
                         [](const auto& param) {
                           std::string name = "v" + param.param;
                           for (auto& c : name)
                             if (c == '.') c = '_';
                           return name;
                         });

TEST_P(History, AnyRevisionAndTimeComesBack) {
  const int some = full_depth() ? 120 : 40;
  changes(some / 2);
  compact();
  start_follower();
  wait_saved();
  ASSERT_FALSE(HasFatalFailure());
  changes(some);
  mark();
  users_->change(dice_);
  changes(some / 4);
  wait_users_saved();
  ASSERT_FALSE(HasFatalFailure());
  // Killed at random, its member lost. Then it is compacted behind it.
  for (const auto* fault : {"log_seal.before", "log_part.after", ""}) {
    kill_follower();
    users_->change(dice_);
    start_follower(fault);
    changes(some);
    if (*fault == '\0') break;
    // At its fault point it ends by itself; what it does not have yet is written meanwhile.
    changes(some / 4);
  }
  cluster_->members[2]->kill();
  changes(some);
  wait_saved();
  compact();
  for (int i = 0; i < (full_depth() ? 9 : 2); ++i) {
    changes(some / 4);
    mark();
    // At the revision of the mark there are other users now.
    i % 3 == 0 ? users_->switch_auth() : users_->change(dice_);
    wait_users_saved();
    compact();
  }
  changes(some / 4);
  mark();
  // Until the next change, or a heartbeat, nothing is known of later times.
  ASSERT_TRUE(settled([&] { return api_->put("/last", "1", kCall); }));
  wait_saved();
  ASSERT_FALSE(HasFatalFailure());
  EXPECT_EQ(status().problem, "");
  expect_page();
  kill_follower();

  // Those that were asked of etcd behind the first backup.
  std::vector<std::int64_t> reached;
  const auto begin = marks_.front().revision;
  for (const auto& [revision, then] : then_)
    if (revision >= begin) reached.push_back(revision);
  std::ranges::shuffle(reached, dice_);
  reached.resize(std::min<size_t>(reached.size(), full_depth() ? 50 : 6));
  ASSERT_FALSE(reached.empty());
  for (const auto revision : reached) expect_reached(revision);
  for (const auto& one : marks_) expect_reached(one);

  expect_served(reached.front());
  expect_let_in(true);
  expect_let_in(false);
  expect_told();
}

// The same is served, with how old it is and whether what the follower read has changed since.
void History::expect_page() {
  const auto page = [&] {
    const auto text =
        http::fetch({.url = fmt::format("http://127.0.0.1:{}/", port_), .deadline = kCall}, {});
    EXPECT_TRUE(text) << text.error().text();
    return archive::parse_follow_status(text.value_or("{}")).value_or(FollowStatus{});
  };
  const auto said = page();
  EXPECT_TRUE(said.age_ms);
  EXPECT_EQ(said.base, status().base);
  EXPECT_GE(said.saved, marks_.back().revision);
  EXPECT_FALSE(said.outdated);
  const auto before = posix::read_file(tls_.cert, 65'536);
  ASSERT_TRUE(before);
  ASSERT_TRUE(posix::write_atomic(tls_.cert, *before + "\n"));
  EXPECT_TRUE(page().outdated);
  ASSERT_TRUE(posix::write_atomic(tls_.cert, *before));
  EXPECT_FALSE(page().outdated);
}

// etcd itself serves it: as it was, and raised.
void History::expect_served(std::int64_t at) {
  expect_reached(at);
  {
    const auto served = serve();
    const auto& then = then_.at(at);
    const auto all = served->range(std::string(1, '\0'), std::string(1, '\0'), false, at, kCall);
    ASSERT_TRUE(all) << all.error().text();
    EXPECT_EQ(all->kvs.size(), then.keys.size());
    EXPECT_EQ(all->revision, at);
    EXPECT_EQ(served->put("/new", "1", kCall), at + 1);
    cluster_->members.back()->kill();
  }
  const auto raised = fetch({.to_revision = at});
  ASSERT_EQ(raised.outcome, FetchOutcome::kFetched) << raised.error;
  const auto served = serve();
  const auto hash = served->hash_kv(raised.starts_at, kCall);
  ASSERT_TRUE(hash) << hash.error().text();
  EXPECT_EQ(hash->hash, raised.hash);
  EXPECT_EQ(served->put("/new", "1", kCall), at + archive::kBump + 1);
}

// etcd asks those of a time for their passwords, and nobody else.
void History::expect_let_in(bool enabled) {
  const auto one = std::ranges::find_if(marks_, [&](const Mark& mark) {
    const auto& users = users_->at(mark.users);
    return users.enabled == enabled && !users.passwords.empty();
  });
  ASSERT_NE(one, marks_.end());
  expect_reached(*one);
  const auto served = serve();
  users_->expect_let_in(*cluster_->members.back(), one->users);
  cluster_->members.back()->kill();
}

// By the commands for people; and a byte that is changed.
void History::expect_told() {
  const auto list = run({EO_OPERATOR_PROGRAM, "archive", "list", "--history", "-o", "json",
                         "--store", path("backups")});
  const auto rows = json::parse(list.out);
  ASSERT_TRUE(rows) << list.err;
  EXPECT_GE(json::get_int(*rows, "0.toRevision").value_or(0), marks_.back().revision);
  const std::vector<std::string> verify{EO_OPERATOR_PROGRAM, "archive",       "verify",
                                        "--store",           path("backups"), "--encryption-key",
                                        path("backup.key")};
  const auto good = run(verify);
  EXPECT_EQ(good.exit_code, 0) << good.out << good.err;
  const auto segment = "20261122T031500Z-8f3a9c02/log-000000000001.seg";
  auto bytes = posix::read_file(path("backups/") + segment, size_t{64} << 20);
  ASSERT_TRUE(bytes) << bytes.error().text();
  bytes->back() ^= 1;
  ASSERT_TRUE(posix::write_atomic(path("backups/") + segment, *bytes));
  const auto damaged = run(verify);
  EXPECT_EQ(damaged.exit_code, 1);
  EXPECT_NE(damaged.out.find(std::string(segment) + ": damaged: "), std::string::npos)
      << damaged.out;
}

}  // namespace
