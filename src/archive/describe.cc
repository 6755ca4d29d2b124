#include "archive/describe.h"

#include <fmt/format.h>

#include <algorithm>

namespace archive {
namespace {

std::string size_text(std::uint64_t bytes) {
  constexpr std::uint64_t kKi = 1024;
  if (bytes < 10 * kKi) return fmt::format("{} B", bytes);
  if (bytes < 10 * kKi * kKi) return fmt::format("{} KiB", bytes / kKi);
  return fmt::format("{} MiB", bytes / kKi / kKi);
}

std::string_view word(Kept kept) {
  return kept == Kept::kNo ? "nothing" : name_of(kept);
}

}  // namespace

std::vector<Kept> judge(const Catalog& catalog) {
  std::vector<Kept> out;
  const auto& entries = catalog.entries;
  for (size_t begin = 0; begin < entries.size();) {
    size_t end = begin;
    std::vector<Held> held;
    const Manifest* last = nullptr;
    while (end < entries.size() &&
           entries[end].name.incarnation == entries[begin].name.incarnation) {
      const auto& entry = entries[end++];
      held.push_back(entry.held());
      if (entry.manifest && (last == nullptr || last->time < entry.manifest->time))
        last = &*entry.manifest;
    }
    const Retention retention =
        last == nullptr ? Retention{} : Retention{last->max_backups, last->retention};
    std::ranges::copy(judge(held, retention), std::back_inserter(out));
    begin = end;
  }
  return out;
}

json::Value to_json(const Catalog& catalog) {
  json::Array rows;
  const auto kept = judge(catalog);
  for (size_t i = 0; i < kept.size(); ++i) {
    const auto& entry = catalog.entries[i];
    json::Object row{{"name", entry.name.text()},
                     {"revision", entry.name.revision},
                     {"time", base::to_rfc3339(entry.time)},
                     {"sizeBytes", entry.size_bytes},
                     {"verified", entry.verified},
                     {"proven", entry.proven},
                     {"keptBecause", std::string(name_of(kept[i]))},
                     {"incarnation", entry.name.incarnation.text}};
    if (!entry.verified) row["why"] = entry.why;
    rows.emplace_back(std::move(row));
  }
  return rows;
}

std::string to_text(const Catalog& catalog) {
  std::string out;
  const auto kept = judge(catalog);
  const Incarnation* before = nullptr;
  for (size_t i = 0; i < kept.size(); ++i) {
    const auto& entry = catalog.entries[i];
    if (before == nullptr || *before != entry.name.incarnation)
      out += fmt::format("{}incarnation {}\n  {:>12}  {:<24}  {:>8}  {:<8}  {:<6}  {:<10}  {}\n",
                         before == nullptr ? "" : "\n", entry.name.incarnation.text, "REVISION",
                         "TIME", "SIZE", "VERIFIED", "PROVEN", "KEPT BY", "NAME");
    before = &entry.name.incarnation;
    out += fmt::format("  {:>12}  {:<24}  {:>8}  {:<8}  {:<6}  {:<10}  {}\n", entry.name.revision,
                       base::to_rfc3339(entry.time), size_text(entry.size_bytes),
                       entry.verified ? "yes" : "no", entry.proven ? "yes" : "no", word(kept[i]),
                       entry.name.text());
    if (!entry.verified) out += fmt::format("  {:>12}  {}\n", "", entry.why);
  }
  if (kept.empty()) out = "no backups\n";
  if (!catalog.leftovers.empty())
    out += fmt::format("{} parts of unfinished backups\n", catalog.leftovers.size());
  return out;
}

}  // namespace archive
