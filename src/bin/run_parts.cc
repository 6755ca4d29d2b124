#include "bin/run_parts.h"

#include <fmt/format.h>

#include <cctype>
#include <cstdio>
#include <cstdlib>

#include "base/text.h"

namespace bin {
namespace {

constexpr int kFaultExit = 85;  // so that a test knows that the death was injected

}  // namespace

DieAtPoints::DieAtPoints(const std::vector<std::string>& texts) {
  for (const auto& text : texts) {
    const auto colon = text.rfind(':');
    const auto count =
        colon == std::string::npos ? std::nullopt : base::parse_int(text.substr(colon + 1));
    left_[text.substr(0, colon)] = count.value_or(1);
  }
}

void DieAtPoints::at(std::string_view point) {
  const std::lock_guard lock(mutex_);
  const auto found = left_.find(std::string(point));
  if (found == left_.end() || --found->second != 0) return;
  fmt::print(stderr, "fault-point-hit {}\n", point);
  std::fflush(stderr);
  std::_Exit(kFaultExit);
}

posix::LogOptions log_options(const RunFlags& flags) {
  posix::LogOptions out;
  out.format = flags.log_format == "json" ? posix::LogFormat::kJson : posix::LogFormat::kText;
  for (const auto level :
       {base::Level::kDebug, base::Level::kInfo, base::Level::kWarning, base::Level::kError})
    if (std::string lower(base::name_of(level)); !lower.empty()) {
      for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      if (lower == flags.log_level) out.level = level;
    }
  return out;
}

}  // namespace bin
