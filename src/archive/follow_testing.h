// For tests of the continuous mode: a cluster that is followed step by step.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "archive/archive_testing.h"
#include "archive/fake_history.h"
#include "archive/follow.h"
#include "archive/log.h"
#include "etcd/bolt/hashkv.h"
#include "posix/test_file_limit.h"

namespace archive::testing {

class FollowBench : public Bench {
 protected:
  using Step = std::function<bool(const FollowStatus&)>;  // true: the next one

  World follow_world() {
    auto out = world();
    if (through != nullptr) out.store = through;
    out.nonce = [this] { return fmt::format("{:016x}", ++own_nonces_); };
    out.history = [this](const Endpoint&) {
      return std::make_unique<FakeHistory>(cluster, clock, stream);
    };
    out.wait = [this](base::Duration time) { clock.pass(time); };
    out.at = [this](std::string_view point) {
      if (point == "log_seal.before") full_disk.reset();
      if (point == kill_at && --kill_after == 0) throw Killed();
    };
    out.stop = stop_.get_token();
    return out;
  }
  FollowJob follow_job() {
    FollowJob out{.run = job(), .max_lag = std::chrono::milliseconds(1000)};
    out.run.epoch = epoch;
    return out;
  }
  // Until all steps are done and the store has everything.
  FollowReport follow(std::vector<Step> steps = {}) {
    stop_ = {};
    size_t step = 0;
    int turns = 0;
    return archive::follow(follow_job(), follow_world(), [&](const FollowStatus& status) {
      last = status;
      if (++turns > 20'000) {
        ADD_FAILURE() << "no end at step " << step << ": " << to_json(status);
        stop_.request_stop();
      }
      if (step < steps.size()) {
        if (steps[step](status)) ++step;
      } else if (status.saved == cluster.sample.revision && !status.base.empty()) {
        stop_.request_stop();
      }
    });
  }
  Step changes(int count) {
    return [this, count](const FollowStatus& status) {
      if (status.base.empty()) return false;  // the backup reads what this changes
      for (int i = 0; i < count; ++i) {
        change(cluster.sample, random);
        then[cluster.sample.revision] = cluster.sample;
      }
      return true;
    };
  }
  Step until(std::function<bool(const FollowStatus&)> holds) { return holds; }

  Log log() {
    auto read = read_log(shelf(), *Incarnation::parse(life), call());
    EXPECT_TRUE(read) << read.error().text();
    return read ? *std::move(read) : Log{};
  }
  FetchReport fetch_at(std::int64_t revision, bool exact = true) {
    auto wanted = fetch_job();
    wanted.to_revision = revision;
    wanted.exact = exact;
    return fetch(wanted, world());
  }
  // As the sample was then.
  void expect_reached(std::int64_t revision) {
    const auto report = fetch_at(revision);
    ASSERT_EQ(report.outcome, FetchOutcome::kFetched) << report.error;
    EXPECT_EQ(report.starts_at, revision);
    const auto bytes = then.at(revision).file();
    const bolt::StringSource source(bytes);
    const auto database = bolt::Database::open(source, bytes.size() - bolt::kTrailer);
    const auto hash = bolt::hash_kv(
        *database,
        {.revision = revision, .compact_revision = report.hash_compact_revision, .sip = {1, 2}});
    ASSERT_TRUE(hash) << hash.error().text();
    EXPECT_EQ(report.hash, hash->hash) << revision;
  }

  Stream stream;
  std::mt19937_64 random{17};
  std::map<std::int64_t, bolt::testing::Sample> then;
  FollowStatus last;
  objstore::Store* through = nullptr;  // in the place of `store`
  std::int64_t epoch = 1;
  int kill_after = 1;
  std::optional<posix::TestFileLimit> full_disk;  // until something is sealed

 private:
  std::stop_source stop_;
  std::atomic<std::uint64_t> own_nonces_ = 1000;
};

}  // namespace archive::testing
