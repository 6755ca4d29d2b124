// The operator on one machine: folder, clusters, workers, socket and pages put together.
#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>

#include "base/log.h"
#include "base/result.h"
#include "base/time.h"
#include "drivers/host/platform.h"
#include "engine/fault_points.h"
#include "json/value.h"

namespace manager {

struct ManagerOptions {
  std::string manifests;  // absolute
  std::string http_addr;
  size_t workers = 4;
  host::PlatformOptions platform;
  engine::FaultInjector* faults = nullptr;  // must outlive the manager
};

class Manager {
 public:
  // Takes the state directory and the address; learns what was there before. FailedPrecondition:
  // another operator has one of them. The references must outlive it.
  static base::Result<std::unique_ptr<Manager>> open(const ManagerOptions& options,
                                                     const base::Clock& clock, base::Random& random,
                                                     base::Logger& log);
  virtual ~Manager() = default;

  // Works until `stop` is asked, by whomever; members go on running.
  virtual base::Status run(std::stop_source& stop) = 0;
  // {operator, items, problems}. Thread-safe.
  [[nodiscard]] virtual json::Value status() const = 0;
};

// Names in the state directory beside those of the platform.
std::string control_socket(const std::string& state_dir);
std::string about_file(const std::string& state_dir);  // operator.json: where it listens
std::string log_file(const std::string& state_dir);    // of `run --live`

}  // namespace manager
