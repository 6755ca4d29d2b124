// What keeps the member's guard running: systemd by a unit, the kubelet by a static pod, or nothing
// but the guard itself.
#pragma once

#include <memory>
#include <stop_token>
#include <string>

#include "adm/host.h"
#include "adm/systemd.h"
#include "base/result.h"
#include "base/time.h"

namespace adm {

class Service {
 public:
  virtual ~Service() = default;
  // The guard holds the member's lock when it is done; also if it ran before. It comes back after a
  // reboot where the init system can do that.
  virtual base::Status start(base::Duration deadline, const std::stop_token& stop) = 0;
  // Down until the next start. A reboot before that is one, where the init system can do that: who
  // is stopped for a moment is not lost to the cluster when the power fails in it.
  virtual base::Status stop(base::Duration deadline, const std::stop_token& stop) = 0;
  // Down, and it does not come back by itself, not even by a reboot.
  virtual base::Status retire(base::Duration deadline, const std::stop_token& stop) = 0;
  // The next start will be under the guard; what runs now is left alone.
  virtual base::Status prepare() = 0;
  virtual base::Status forget() = 0;  // what start() left outside the state directory
};

base::Result<std::unique_ptr<Service>> service_of(const Host& host, const Places& places);
std::unique_ptr<Service> systemd_service(const Host& host, const Places& places,
                                         std::unique_ptr<UnitManager> manager);

constexpr const char* kUnit = "etcd.service";
std::string unit_text(const Host& host, const Places& places);
// Where init and join put the guard.
std::string guard_program(const Host& host);

}  // namespace adm
