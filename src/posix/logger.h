// Logs as text or as JSON lines.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "base/log.h"
#include "base/time.h"

namespace posix {

enum class LogFormat { kText, kJson };

struct LogOptions {
  LogFormat format = LogFormat::kText;
  base::Level level = base::Level::kInfo;  // what is below it is dropped
  // Of one event name at one level, this many lines a window; the first line of a later window
  // says how many were left out ("suppressed"). Errors are never left out. 0: no limit.
  unsigned burst = 50;
  base::Duration window{10'000};
};

// Takes one whole line with its new-line; called by one thread at a time.
using LogSink = std::function<void(std::string_view line)>;

// Text: "12:00:00.000 INFO  event key=value". JSON: {"time":…,"level":…,"event":…,<fields>}; a
// field named like one of these three, or twice, gets an underscore. `clock` must outlive it.
std::unique_ptr<base::Logger> make_logger(const LogOptions& options, const base::Clock& clock,
                                          LogSink sink);
LogSink to_stderr();
std::unique_ptr<base::Logger> make_null_logger();

}  // namespace posix
