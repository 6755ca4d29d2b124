// systemd's manager, asked over D-Bus (org.freedesktop.systemd1(5)).
#pragma once

#include <memory>
#include <stop_token>
#include <string>

#include "base/result.h"
#include "base/time.h"

namespace adm {

// Each call is done when the manager said so; Unavailable carries its words.
class UnitManager {
 public:
  virtual ~UnitManager() = default;
  virtual base::Status reload(base::Duration deadline) = 0;  // reads the unit files anew
  // The unit comes with the machine from the next boot on, or does not any more.
  virtual base::Status enable(const std::string& unit, base::Duration deadline) = 0;
  virtual base::Status disable(const std::string& unit, base::Duration deadline) = 0;
  // Asks for the start and does not wait for it; what failed before counts no more.
  virtual base::Status start(const std::string& unit, base::Duration deadline) = 0;
  // Down when it is done; also one that is not known.
  virtual base::Status stop(const std::string& unit, base::Duration deadline,
                            const std::stop_token& stop) = 0;
};

// libsystemd is loaded here; every system that systemd has booted has it. FailedPrecondition: this
// machine was not booted with systemd.
base::Result<std::unique_ptr<UnitManager>> systemd_manager();

// As a word of a unit file: quoted, with what is special there escaped.
std::string unit_word(const std::string& text);

}  // namespace adm
