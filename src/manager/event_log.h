// The events that a cluster's driver has kept in its events.jsonl.
#pragma once

#include <cstddef>
#include <string>

#include "base/ids.h"
#include "base/result.h"
#include "json/value.h"

namespace manager {

// The newest `limit`, oldest first, each {time, cluster, type, reason, message}. A torn line is
// left out; no file means no events.
base::Result<json::Array> read_events(const std::string& file, const base::ClusterKey& key,
                                      size_t limit);
// The same from the text of such a file. Pure.
json::Array parse_events(std::string_view text, const base::ClusterKey& key, size_t limit);

}  // namespace manager
