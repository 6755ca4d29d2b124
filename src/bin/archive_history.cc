#include "bin/archive_history.h"

#include <fmt/format.h>

#include "archive/log_prune.h"
#include "archive/log_text.h"
#include "bin/commands.h"

namespace bin {
namespace {

using base::Code;

void tell(const ArchiveFlags& flags, json::Array& rows, json::Object row, const std::string& text) {
  if (flags.output == Output::kText) print_text(text + "\n");
  rows.emplace_back(std::move(row));
}

}  // namespace

int list_history(const History& history, const ArchiveFlags& flags, bool only) {
  const auto lives = archive::read_lives(history.shelf, history.catalog, history.call);
  if (!lives) return report(lives.error());
  if (flags.output == Output::kText) {
    const auto text = archive::reach_to_text(*lives);
    print_text(only && text.empty() ? "no history\n" : text);
  } else {
    print_value(archive::reach_to_json(*lives), flags.output);
  }
  return kDone;
}

base::Result<bool> verify_history(const History& history, const ArchiveFlags& flags,
                                  json::Array& rows) {
  TRY(const auto lives, archive::read_lives(history.shelf, history.catalog, history.call));
  bool good = true;
  for (const auto& life : lives) {
    for (const auto& problem : life.log.problems) {
      good = false;
      tell(flags, rows, {{"name", life.incarnation.text}, {"good", false}, {"why", problem}},
           fmt::format("history: {}", problem));
    }
    for (const auto& entry : life.log.entries) {
      if (!entry.head) continue;  // it is among the problems
      const auto name = entry.name.text();
      const auto read = archive::read_segment(
          history.shelf, entry.name, history.world.key,
          [](const archive::Frame&) { return base::Status(); }, history.call);
      // The store or the key: nothing is known of it.
      if (!read && read.error().code == Code::kNotFound) continue;  // it was joined meanwhile
      if (!read && read.error().code != Code::kDataLoss)
        return std::unexpected(read.error().in(name));
      good = good && read;
      json::Object row{{"name", name}, {"good", read.has_value()}};
      row["fromRevision"] = entry.head->first;
      row["toRevision"] = entry.head->last;
      if (!read) row["why"] = read.error().message;
      tell(flags, rows, std::move(row),
           read ? fmt::format("{}: good: revisions {} to {}", name, entry.head->first,
                              entry.head->last)
                : fmt::format("{}: damaged: {}", name, read.error().message));
    }
  }
  return good;
}

base::Result<unsigned> prune_history(const History& history, const ArchiveFlags& flags) {
  const auto& entries = history.catalog.entries;
  if (entries.empty()) return 0;
  const auto life = flags.incarnation.empty() ? std::optional(entries.front().name.incarnation)
                                              : archive::Incarnation::parse(flags.incarnation);
  if (!life) return 0;
  const auto pruned = flags.keep == 0
                          ? archive::remove_log(history.shelf, *life, history.call)
                          : archive::prune_log(history.shelf, *life, history.world, history.call);
  if (!pruned.problem.empty()) return base::fail(Code::kUnavailable, pruned.problem);
  return pruned.removed;
}

}  // namespace bin
