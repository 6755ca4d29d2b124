// Structured logs: an event name and fields; the sink decides on text or JSON lines.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace base {

enum class Level { kDebug, kInfo, kWarning, kError };
std::string_view name_of(Level level);

using Field = std::pair<std::string, std::string>;

// Thread-safe. Never give it a secret.
class Logger {
 public:
  virtual ~Logger() = default;
  virtual void write(Level level, std::string_view event, const std::vector<Field>& fields) = 0;

  void debug(std::string_view e, std::vector<Field> f = {}) { write(Level::kDebug, e, f); }
  void info(std::string_view e, std::vector<Field> f = {}) { write(Level::kInfo, e, f); }
  void warning(std::string_view e, std::vector<Field> f = {}) { write(Level::kWarning, e, f); }
  void error(std::string_view e, std::vector<Field> f = {}) { write(Level::kError, e, f); }
};

// "key=value key2=\"two words\"": what the text format prints after the event.
std::string to_logfmt(const std::vector<Field>& fields);

}  // namespace base
