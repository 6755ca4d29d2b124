// What a cluster's history reaches, for programs and for people.
#pragma once

#include <string>
#include <vector>

#include "archive/log.h"
#include "json/value.h"

namespace archive {

struct LifeOfLog {
  Incarnation incarnation = {};
  Log log = {};
  std::vector<Reach> reached = {};
};
// Of all incarnations, the newest first.
base::Result<std::vector<LifeOfLog>> read_lives(const Shelf& shelf, const Catalog& catalog,
                                                const objstore::Call& call);

// An array of {incarnation, fromRevision, toRevision, fromTime, toTime}, the newest first.
json::Value reach_to_json(const std::vector<LifeOfLog>& lives);
// A line for each range and each problem; nothing where there is no history.
std::string reach_to_text(const std::vector<LifeOfLog>& lives);

}  // namespace archive
