#include "drivers/live/metrics_text.h"

#include "base/text.h"

namespace live {

std::optional<api::Version> cluster_version_in(std::string_view metrics) {
  constexpr std::string_view kHead = "etcd_cluster_version{cluster_version=\"";
  for (const auto line : base::split(metrics, '\n')) {
    if (!line.starts_with(kHead) || !line.ends_with("\"} 1")) continue;
    const auto text = line.substr(kHead.size(), line.size() - kHead.size() - 4);
    // "3.5" or "3.5.0"
    const auto parts = base::split(text, '.');
    if (parts.size() < 2) continue;
    const auto major = base::parse_int(parts[0]), minor = base::parse_int(parts[1]);
    if (major && minor)
      return api::Version{static_cast<int>(*major), static_cast<int>(*minor), 0, ""};
  }
  return std::nullopt;
}

}  // namespace live
