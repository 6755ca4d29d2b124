#include "posix/logger.h"

#include <fmt/format.h>
#include <unistd.h>

#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "base/text.h"
#include "posix/errors.h"

namespace posix {
namespace {

// Event names are few and fixed; this bounds what a fault of ours could make of them.
constexpr size_t kMaxEvents = 4096;

void append_json(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const char c = text.front();
    const size_t length = base::utf8_length(text);
    if (length == 0)
      out += "\xEF\xBF\xBD";  // U+FFFD for a byte that is no UTF-8
    else if (length > 1)
      out += text.substr(0, length);
    else if (c == '"' || c == '\\')
      out.append({'\\', c});
    else if (static_cast<unsigned char>(c) < 0x20)
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(c));
    else
      out += c;
    text.remove_prefix(length == 0 ? 1 : length);
  }
  out += '"';
}

std::string json_line(std::string_view time, base::Level level, std::string_view event,
                      const std::vector<base::Field>& fields) {
  std::string out = R"({"time":)";
  append_json(out, time);
  out += R"(,"level":)";
  append_json(out, base::name_of(level));
  out += R"(,"event":)";
  append_json(out, event);
  std::set<std::string> used{"time", "level", "event"};
  for (const auto& [key, value] : fields) {
    auto name = key;
    while (!used.insert(name).second) name += '_';
    out += ',';
    append_json(out, name);
    out += ':';
    append_json(out, value);
  }
  return out + "}\n";
}

std::string text_line(std::string_view time, base::Level level, std::string_view event,
                      const std::vector<base::Field>& fields) {
  static constexpr std::string_view kNames[] = {"DEBUG", "INFO ", "WARN ", "ERROR"};
  auto out =
      fmt::format("{} {} {}", time.substr(11, 12), kNames[static_cast<size_t>(level)], event);
  if (!fields.empty()) out += ' ' + base::to_logfmt(fields);
  return out + '\n';
}

class LineLogger final : public base::Logger {
 public:
  LineLogger(const LogOptions& options, const base::Clock& clock, LogSink sink)
      : options_(options), clock_(clock), sink_(std::move(sink)) {}

  void write(base::Level level, std::string_view event,
             const std::vector<base::Field>& fields) override {
    if (level < options_.level) return;
    const auto time = base::to_rfc3339(clock_.now());
    const std::scoped_lock lock(mutex_);
    const auto left_out = admit(level, event);
    if (!left_out) return;
    auto all = fields;
    if (*left_out > 0) all.emplace_back("suppressed", std::to_string(*left_out));
    sink_(options_.format == LogFormat::kJson ? json_line(time, level, event, all)
                                              : text_line(time, level, event, all));
  }

 private:
  struct Window {
    base::Tick start{};
    unsigned written = 0, left_out = 0;
  };

  // How many lines were left out before this one; no value if this one is left out.
  std::optional<unsigned> admit(base::Level level, std::string_view event) {
    if (options_.burst == 0 || level == base::Level::kError) return 0;
    const auto now = clock_.tick();
    if (windows_.size() > kMaxEvents) windows_.clear();
    auto& window = windows_[{level, std::string(event)}];
    if (window.written == 0 || now - window.start >= options_.window) {
      const unsigned left_out = window.left_out;
      window = {now, 1, 0};
      return left_out;
    }
    if (window.written >= options_.burst) {
      ++window.left_out;
      return std::nullopt;
    }
    ++window.written;
    return 0;
  }

  const LogOptions options_;
  const base::Clock& clock_;
  std::mutex mutex_;  // guards what follows
  LogSink sink_;
  std::map<std::pair<base::Level, std::string>, Window> windows_;
};

class NullLogger final : public base::Logger {
 public:
  void write(base::Level, std::string_view, const std::vector<base::Field>&) override {}
};

}  // namespace

std::unique_ptr<base::Logger> make_logger(const LogOptions& options, const base::Clock& clock,
                                          LogSink sink) {
  return std::make_unique<LineLogger>(options, clock, std::move(sink));
}

LogSink to_stderr() {
  return [](std::string_view line) {
    // A log that cannot be written has no place where it could be told.
    [[maybe_unused]] const auto status = write_fully(STDERR_FILENO, line, "stderr");
  };
}

std::unique_ptr<base::Logger> make_null_logger() {
  return std::make_unique<NullLogger>();
}

}  // namespace posix
