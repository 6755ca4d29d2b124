// What `run` needs on every platform.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "bin/command_line.h"
#include "engine/fault_points.h"
#include "posix/logger.h"

namespace bin {

// Each point "NAME" or "NAME:COUNT": the process dies at the COUNT-th time that it reaches one.
class DieAtPoints final : public engine::FaultInjector {
 public:
  explicit DieAtPoints(const std::vector<std::string>& texts);
  void at(std::string_view point) override;

 private:
  std::mutex mutex_;
  std::map<std::string, std::int64_t> left_;
};

posix::LogOptions log_options(const RunFlags& flags);
int run_on_kubernetes(const RunFlags& flags);

}  // namespace bin
