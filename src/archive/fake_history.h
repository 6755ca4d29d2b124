// For tests of the continuous mode: members that are watched, over the history of a FakeCluster.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "archive/fake_member.h"
#include "archive/log_testing.h"
#include "etcd/history_api.h"
#include "objstore/objstore_testing.h"

namespace archive::testing {

// What the members tell to one that watches.
struct Stream {
  std::mt19937_64 dice{3};
  std::int64_t compacted = 0, hole = 0;  // hole: a revision that is not sent
  std::uint64_t auth = 1;
  bool passwords = false;                 // etcd asks for users
  base::Duration each{0};                 // not 0: one revision at a time, which takes so long
  unsigned opened = 0, breaks_after = 0;  // batches until the stream ends; 0: never
  std::map<std::int64_t, std::int64_t> leases;
  std::vector<std::int64_t> from;  // where each watch began
};

class FakeWatch final : public etcd::Watch {
 public:
  FakeWatch(FakeCluster& cluster, objstore::HandClock& clock, Stream& stream, std::int64_t from)
      : cluster_(cluster), clock_(clock), stream_(stream), next_(from) {}
  base::Result<std::optional<etcd::Batch>> next(base::Duration wait) override {
    std::this_thread::yield();
    clock_.pass(base::Duration(1));
    if (next_ <= stream_.compacted) {
      compacted_ = stream_.compacted;
      return base::fail(base::Code::kNotFound, "compacted");
    }
    if (stream_.breaks_after > 0 && ++given_ > stream_.breaks_after)
      return base::fail(base::Code::kUnavailable, "the member ended the watch");
    const auto newest = cluster_.sample.revision;
    if (next_ > newest) {
      clock_.pass(wait);
      if (!std::exchange(asked_, false)) return std::nullopt;
      return etcd::Batch{.revision = newest, .cluster_id = {cluster_.id}, .events = {}};
    }
    if (stream_.each > base::Duration(0)) clock_.pass(stream_.each);
    const auto last =
        stream_.each > base::Duration(0)
            ? next_
            : std::min<std::int64_t>(newest, next_ + static_cast<std::int64_t>(stream_.dice() % 4));
    etcd::Batch batch{.revision = newest,
                      .cluster_id = {cluster_.id},
                      .events = events_of(cluster_.sample, next_, last)};
    if (next_ <= stream_.hole && stream_.hole <= last)
      batch.events = events_of(cluster_.sample, stream_.hole + 1, last + 1);
    next_ = last + 1;
    return batch;
  }
  void ask_progress() override { asked_ = true; }
  [[nodiscard]] std::int64_t compacted() const override { return compacted_; }

 private:
  FakeCluster& cluster_;
  objstore::HandClock& clock_;
  Stream& stream_;
  std::int64_t next_, compacted_ = 0;
  unsigned given_ = 0;
  bool asked_ = false;
};

class FakeHistory final : public etcd::HistoryApi {
 public:
  FakeHistory(FakeCluster& cluster, objstore::HandClock& clock, Stream& stream)
      : cluster_(cluster), clock_(clock), stream_(stream) {}
  base::Result<std::unique_ptr<etcd::Watch>> watch(std::int64_t from, base::Duration) override {
    ++stream_.opened;
    stream_.from.push_back(from);
    return std::make_unique<FakeWatch>(cluster_, clock_, stream_, from);
  }
  base::Result<std::optional<std::int64_t>> granted_ttl(std::int64_t lease,
                                                        base::Duration) override {
    const auto at = stream_.leases.find(lease);
    if (at == stream_.leases.end()) return std::nullopt;
    return at->second;
  }
  base::Result<etcd::AuthState> auth(base::Duration) override {
    return etcd::AuthState{.enabled = stream_.passwords,
                           .revision = stream_.auth,
                           .store_revision = cluster_.sample.revision};
  }

 private:
  FakeCluster& cluster_;
  objstore::HandClock& clock_;
  Stream& stream_;
};

}  // namespace archive::testing
