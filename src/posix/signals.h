// SIGTERM and SIGINT as a stop request.
#pragma once

#include <memory>
#include <stop_token>

#include "base/result.h"

namespace posix {

// Make it first in main(), before any thread: it blocks both signals for all threads made later,
// and ignores SIGPIPE. A second signal ends the process at once with status 128 + signal.
class StopOnSignal {
 public:
  static base::Result<std::unique_ptr<StopOnSignal>> install();
  virtual ~StopOnSignal() = default;
  [[nodiscard]] virtual std::stop_source& source() = 0;
  [[nodiscard]] virtual int signal() const = 0;  // the first one; 0: none yet
};

}  // namespace posix
