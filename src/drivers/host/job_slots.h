// How many jobs of backup stores an operator runs at a time, so that a fleet does not read its
// disks and fill its line all at once.
#pragma once

#include <cstddef>
#include <mutex>
#include <set>
#include <string>

namespace host {

// Thread-safe. A job is named by its folder.
class JobSlots {
 public:
  explicit JobSlots(std::size_t most) : most_(most) {}

  void see(const std::string& job, bool running) {
    const std::lock_guard lock(mutex_);
    if (running)
      taken_.insert(job);
    else
      taken_.erase(job);
  }
  // Beside those of `cluster`, the folder in which its jobs' folders are.
  [[nodiscard]] bool full(const std::string& cluster) const {
    const std::lock_guard lock(mutex_);
    std::size_t others = 0;
    for (const auto& job : taken_)
      if (!job.starts_with(cluster + "/")) ++others;
    return others >= most_;
  }
  // False: there is none, and the job may not be started. One that a person waits for may always.
  bool take(const std::string& job, bool waited_for = false) {
    const std::lock_guard lock(mutex_);
    if (!waited_for && !taken_.contains(job) && taken_.size() >= most_) return false;
    taken_.insert(job);
    return true;
  }

 private:
  const std::size_t most_;
  mutable std::mutex mutex_;
  std::set<std::string> taken_;  // guarded by mutex_
};

}  // namespace host
