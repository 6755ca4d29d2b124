// What the drivers of all clusters share.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "drivers/host/binaries.h"
#include "drivers/host/job_slots.h"
#include "drivers/host/layout.h"
#include "drivers/host/platform.h"
#include "drivers/host/port_book.h"
#include "drivers/host/spawner.h"
#include "drivers/host/user_certificates.h"
#include "drivers/live/endpoints.h"
#include "posix/lock.h"

namespace host {

// Fetches versions of etcd in the background, one thread for each.
class Fetcher {
 public:
  Fetcher(PlatformOptions options, const base::Clock& clock, base::Logger& log)
      : options_(std::move(options)), clock_(clock), log_(log) {}
  Fetcher(const Fetcher&) = delete;
  Fetcher& operator=(const Fetcher&) = delete;
  ~Fetcher();

  // Begins, or goes on. An error: the last try failed a short while ago, or fetching is off.
  base::Status want(const api::Version& version);
  [[nodiscard]] bool busy(const std::string& version) const;
  // Counts the fetches that have ended; a change wakes the clusters.
  [[nodiscard]] unsigned ended() const;

 private:
  struct Fetch {
    bool busy = false;
    std::string problem, said;
    base::Tick ended{};
    std::jthread thread;
  };
  void run(const api::Version& version, const std::stop_token& stop);

  const PlatformOptions options_;
  const base::Clock& clock_;
  base::Logger& log_;
  mutable std::mutex mutex_;
  unsigned ended_ = 0;                    // guarded by mutex_, as the next
  std::map<std::string, Fetch> fetches_;  // by version
};

// Whose guards' files are watched. Thread-safe.
class WatchList {
 public:
  void learn(const plan::Record& record);
  void forget(const base::ClusterKey& key);
  [[nodiscard]] std::map<base::ClusterKey, std::vector<std::string>> members() const;

 private:
  mutable std::mutex mutex_;
  std::map<base::ClusterKey, std::vector<std::string>> members_;  // guarded by mutex_
};

// What takes longer than a pass should, in words. Thread-safe.
class LongWork {
 public:
  void tell(const base::ClusterKey& key, std::string words);
  void end(const base::ClusterKey& key);
  [[nodiscard]] std::string of(const base::ClusterKey& key) const;  // empty: none

 private:
  mutable std::mutex mutex_;
  std::map<base::ClusterKey, std::string> words_;  // guarded by mutex_
};

struct Shared {
  PlatformOptions options;
  const base::Clock& clock;
  base::Random& random;
  base::Logger& log;
  Layout layout;
  live::Connect connect;
  std::string boot_id;
  Binaries binaries;
  PortBook ports;
  WatchList watch_list;
  Fetcher fetcher;
  std::unique_ptr<Spawner> spawner;
  SecretSource secrets;  // set before the first pass
  LongWork long_work = {};
  JobSlots job_slots{options.store_jobs};
};

}  // namespace host
