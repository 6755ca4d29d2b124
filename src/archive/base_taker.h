// A backup that is taken beside the watch, on a thread of its own; for follow.cc.
#pragma once

#include <atomic>
#include <optional>
#include <string>
#include <thread>

#include "archive/job.h"
#include "archive/world.h"

namespace archive {

// For one thread. What it is given outlives it.
class BaseTaker {
 public:
  BaseTaker(const RunJob& job, const World& world);
  ~BaseTaker() { stop(); }

  // One from now on is needed; another one may be under way.
  void want() { wanted_ = true; }
  // Starts what is wanted. The name of one that was made since the last call.
  std::optional<std::string> poll();
  void stop();
  [[nodiscard]] const std::string& problem() const { return problem_; }

 private:
  RunJob job_;
  World world_;
  bool wanted_ = false, wanted_while_ = false;
  base::Tick again_{};
  std::string problem_;
  std::stop_source stop_;
  RunReport report_;  // written by the thread until done_
  std::atomic<bool> done_ = false;
  std::jthread thread_;
};

}  // namespace archive
