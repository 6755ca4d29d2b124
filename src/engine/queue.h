// The queue of clusters to look at. A key is in it at most once and is worked on by one worker at a
// time; a wake during the work is kept and served after it.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <utility>
#include <vector>

#include "base/backoff.h"
#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"

namespace engine {

// Thread-safe. Keys that are due come in the order in which they became due, so that none starves.
class Queue {
 public:
  struct Options {
    size_t limit = 100'000;  // of keys
    base::Backoff backoff;   // of a key whose work failed
  };
  // `clock` and `random` must outlive it.
  Queue(const base::Clock& clock, base::Random& random, const Options& options);

  // "Look at it no later than after `delay`"; an earlier appointment stays. ResourceExhausted when
  // the queue is full.
  base::Status wake(const base::ClusterKey& key, base::Duration delay = base::Duration{0});

  // Waits for a key that is due. No value: asked to stop.
  std::optional<base::ClusterKey> take(const std::stop_token& stop);
  std::optional<base::ClusterKey> try_take();

  // The work that a take began has ended. `again`: when to look next, if nothing wakes it before.
  void done(const base::ClusterKey& key, std::optional<base::Duration> again);
  // The same after a failure: again after the key's own growing wait.
  void failed(const base::ClusterKey& key);
  void remove(const base::ClusterKey& key);  // forgets its appointments; work in hand goes on

  struct InWork {
    base::ClusterKey key;
    base::Duration since{};
  };
  [[nodiscard]] std::vector<InWork> in_work() const;
  [[nodiscard]] size_t size() const;                         // appointments, not work in hand
  [[nodiscard]] std::optional<base::Duration> next() const;  // until the next is due; 0: now

 private:
  struct Appointment {
    base::Tick due;
    std::uint64_t number;  // of arrival: settles equal times
    auto operator<=>(const Appointment&) const = default;
  };
  struct Key {
    std::optional<Appointment> appointment;  // in waiting_ too, unless the key is in work
    std::optional<base::Tick> working_since;
    unsigned failures = 0;
  };
  void appoint(const base::ClusterKey& name, Key& key, base::Tick due);
  void finish(const base::ClusterKey& name, std::optional<base::Tick> again);
  std::optional<base::ClusterKey> take_due();

  const base::Clock& clock_;
  base::Random& random_;
  const Options options_;
  mutable std::mutex mutex_;  // guards all below
  std::condition_variable_any changed_;
  std::map<base::ClusterKey, Key> keys_;
  std::set<std::pair<Appointment, base::ClusterKey>> waiting_;
  std::uint64_t arrivals_ = 0;
};

}  // namespace engine
