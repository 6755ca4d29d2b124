#include "archive/log_text.h"

#include <fmt/format.h>

#include <ranges>

namespace archive {

base::Result<std::vector<LifeOfLog>> read_lives(const Shelf& shelf, const Catalog& catalog,
                                                const objstore::Call& call) {
  std::vector<LifeOfLog> out;
  TRY(const auto lives, logged_incarnations(shelf, call));
  for (const auto& life : lives) {
    TRY(auto log, read_log(shelf, life, call));
    auto reached = reach(catalog, life, log);
    out.push_back({life, std::move(log), std::move(reached)});
  }
  return out;
}

json::Value reach_to_json(const std::vector<LifeOfLog>& lives) {
  json::Array rows;
  for (const auto& life : lives)
    for (const auto& one : std::views::reverse(life.reached))
      rows.emplace_back(json::Object{{"incarnation", one.incarnation.text},
                                     {"fromRevision", one.first},
                                     {"toRevision", one.last},
                                     {"fromTime", base::to_rfc3339(one.begin)},
                                     {"toTime", base::to_rfc3339(one.end)}});
  return rows;
}

std::string reach_to_text(const std::vector<LifeOfLog>& lives) {
  std::string out;
  for (const auto& life : lives) {
    for (const auto& one : std::views::reverse(life.reached))
      out += fmt::format("{}: any revision from {} to {}, any time from {} to {}\n",
                         one.incarnation.text, one.first, one.last, base::to_rfc3339(one.begin),
                         base::to_rfc3339(one.end));
    for (const auto& problem : life.log.problems) out += fmt::format("history: {}\n", problem);
  }
  return out;
}

}  // namespace archive
