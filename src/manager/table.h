// Status and events as text that a person reads at a glance. Pure: from the JSON that the operator
// answers, or wrote last.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "json/value.h"

namespace manager {

struct TableOptions {
  base::Instant now{};
  std::string state_dir;  // for the commands that are proposed
  bool color = false;
  bool details = true;  // members, operation and conditions of each; else one row a cluster
};

// `items`: an array of {metadata, status}.
std::string status_table(const json::Value& items, const TableOptions& options);

// What a person should do about one {metadata, status}; empty: nothing.
std::string next_step(const json::Value& item, const std::string& state_dir);

// `events`: an array of {time, cluster, type, reason, message}.
std::string event_table(const json::Value& events);

// `plan`: what the operator answers to Op::kPlan: {cluster, steps, waits, events}.
std::string plan_text(const json::Value& plan);

// Columns of equal width, two blanks between them, no trailing blanks. UTF-8 aware.
std::string align(const std::vector<std::vector<std::string>>& rows, size_t indent);
std::string bytes_text(std::int64_t bytes);  // "1.5 MB"

}  // namespace manager
