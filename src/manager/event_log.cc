#include "manager/event_log.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "json/json.h"
#include "posix/files.h"

namespace manager {

json::Array parse_events(std::string_view text, const base::ClusterKey& key, size_t limit) {
  json::Array out;
  for (const auto line : base::split(text, '\n')) {
    if (line.empty()) continue;
    auto value = json::parse(line, {8, size_t{64} << 10});
    if (!value || value->if_object() == nullptr) continue;
    json::Object event{{"time", ""}, {"cluster", key.text()}};
    for (auto& [name, item] : *value->if_object()) event[name] = std::move(item);
    out.push_back(std::move(event));
  }
  if (out.size() > limit)
    out.erase(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(out.size() - limit));
  return out;
}

base::Result<json::Array> read_events(const std::string& file, const base::ClusterKey& key,
                                      size_t limit) {
  std::string text;
  for (const auto& part : {file + ".1", file}) {  // the older first
    const auto bytes = posix::read_file(part, size_t{16} << 20);
    if (bytes)
      text += *bytes;
    else if (bytes.error().code != base::Code::kNotFound)
      return std::unexpected(bytes.error().in("events of " + key.text()));
  }
  return parse_events(text, key, limit);
}

}  // namespace manager
