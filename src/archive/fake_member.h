// For tests of this module: members of a cluster in memory, over what bolt/testing/sample.h keeps.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "etcd/bolt/hashkv.h"
#include "etcd/bolt/testing/sample.h"
#include "etcd/bolt/verify.h"
#include "etcd/refusing_api.h"

namespace archive::testing {

struct FakeMember {
  std::uint64_t id = 1;
  bool down = false, learner = false, leaderless = false;
  bool no_hash = false, cuts_snapshots = false;
  std::optional<bolt::testing::Sample> own = {};  // another history than the cluster's
  std::optional<etcd::Hash> says = {};            // as its hash, whatever it holds
  unsigned snapshots = 0;                         // that were taken
  std::function<void()> at_snapshot = {};         // while it gives one
};

struct FakeCluster {
  bolt::testing::Sample sample;
  std::map<std::string, FakeMember> members;
  std::uint64_t id = 0xabc, leader = 1;
  std::vector<etcd::Alarm> alarms;
};

class FakeApi final : public etcd::RefusingApi {
 public:
  FakeApi(FakeCluster& cluster, FakeMember& member) : cluster_(cluster), member_(member) {}

  base::Result<etcd::MemberStatus> status(base::Duration) override {
    if (member_.down) return down();
    return etcd::MemberStatus{.cluster_id = {cluster_.id},
                              .id = {member_.id},
                              .leader = {member_.leaderless ? 0 : cluster_.leader},
                              .version = "3.5.12",
                              .storage_version = {},
                              .revision = sample().revision,
                              .db_size = 65'536,
                              .learner = member_.learner,
                              .errors = {}};
  }
  base::Result<std::int64_t> quorum_read(base::Duration) override {
    if (member_.down) return down();
    return sample().revision;
  }
  base::Result<std::vector<etcd::Alarm>> alarms(base::Duration) override { return cluster_.alarms; }
  base::Result<etcd::Hash> hash_kv(std::int64_t revision, base::Duration) override {
    if (member_.down || member_.no_hash) return down();
    if (member_.says) return *member_.says;
    const auto bytes = sample().file();
    const bolt::StringSource source(bytes);
    TRY(const auto database, bolt::Database::open(source, bytes.size() - bolt::kTrailer));
    TRY(const auto hash,
        bolt::hash_kv(database, {.revision = revision, .compact_revision = {}, .sip = {1, 2}}));
    return etcd::Hash{hash.hash, hash.compact_revision, hash.revision};
  }
  base::Status snapshot(const std::function<bool(std::string_view)>& sink,
                        base::Duration) override {
    ++member_.snapshots;
    if (member_.at_snapshot) member_.at_snapshot();
    auto bytes = sample().file();
    if (member_.cuts_snapshots) bytes.resize(bytes.size() - 100);
    for (size_t at = 0; at < bytes.size(); at += 5000)
      if (!sink(std::string_view(bytes).substr(at, 5000)))
        return base::fail(base::Code::kCancelled, "stopped by the sink");
    return {};
  }

 protected:
  void refused(const std::string& call) override { ADD_FAILURE() << "a backup asks: " << call; }

 private:
  [[nodiscard]] const bolt::testing::Sample& sample() const {
    return member_.own ? *member_.own : cluster_.sample;
  }
  static std::unexpected<base::Error> down() {
    return base::fail(base::Code::kUnavailable, "connection refused");
  }

  FakeCluster& cluster_;
  FakeMember& member_;
};

}  // namespace archive::testing
