// archive list|verify|cat|prune: what a person does with a cluster's backups.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "archive/describe.h"
#include "archive/fetch.h"
#include "archive/prune.h"
#include "bin/archive_history.h"
#include "bin/archive_place.h"
#include "bin/commands.h"
#include "posix/env.h"

namespace bin {
namespace {

using archive::Catalog;
using archive::Entry;
using archive::Incarnation;
using base::Code;

constexpr base::Duration kTime = std::chrono::hours(4);  // a person ends it sooner
constexpr size_t kPiece = size_t{1} << 20;

struct Opened {
  std::unique_ptr<ArchivePlace> place;
  archive::Shelf shelf;
  Catalog catalog;
  objstore::Call call;
};

base::Result<Opened> open(const ArchiveFlags& flags) {
  TRY(auto place, ArchivePlace::make(flags.fault_points));
  auto ready = place->open({.url = flags.store,
                            .secret = flags.secret,
                            .endpoint = flags.endpoint,
                            .region = flags.region,
                            .path_style = flags.path_style,
                            .storage_class = flags.storage_class,
                            .encryption = flags.encryption,
                            .kms_key = flags.kms_key,
                            .ca = flags.ca},
                           /*may_make=*/false);
  if (ready) ready = place->read_key(flags.encryption_key);
  if (!ready) return std::unexpected(ready.error().error);
  const archive::Shelf shelf(*place->world().store, "");
  const auto call = place->call(kTime);
  TRY(auto catalog, archive::read_catalog(shelf, {}, call));
  return Opened{std::move(place), shelf, std::move(catalog), call};
}

History history_of(const Opened& opened) {
  return {opened.shelf, opened.catalog, opened.place->world(), opened.call};
}

std::string scratch_of(const ArchiveFlags& flags) {
  return flags.scratch.empty() ? posix::get_env("TMPDIR").value_or("/tmp") : flags.scratch;
}

int list(const ArchiveFlags& flags) {
  const auto opened = open(flags);
  if (!opened) return report(opened.error());
  if (flags.history) return list_history(history_of(*opened), flags, /*only=*/true);
  if (flags.output != Output::kText) {
    print_value(archive::to_json(opened->catalog), flags.output);
    return kDone;
  }
  print_text(archive::to_text(opened->catalog));
  return list_history(history_of(*opened), flags, /*only=*/false);
}

base::Result<const Entry*> find(const Opened& opened, const std::string& name) {
  for (const auto& entry : opened.catalog.entries)
    if (entry.name.text() == name) return &entry;
  return base::fail(Code::kNotFound, fmt::format("{} holds no backup {}; `archive list` shows them",
                                                 opened.shelf.where(), name));
}

// DataLoss and NotFound are about the backup.
base::Result<archive::Fetched> fetch_checked(const Opened& opened, const Entry& entry,
                                             const ArchiveFlags& flags) {
  if (!entry.manifest) return base::fail(Code::kDataLoss, entry.why);
  auto fetched = archive::fetch_one(opened.shelf, entry, scratch_of(flags),
                                    opened.place->world().key, opened.call);
  if (!fetched && fetched.error().code == Code::kNotFound)
    return base::fail(Code::kDataLoss, fetched.error().message);
  return fetched;
}

int verify(const ArchiveFlags& flags) {
  const auto opened = open(flags);
  if (!opened) return report(opened.error());
  std::vector<const Entry*> wanted;
  if (!flags.name.empty()) {
    const auto one = find(*opened, flags.name);
    if (!one) return report(one.error());
    wanted.push_back(*one);
  } else {
    for (const auto& entry : opened->catalog.entries) wanted.push_back(&entry);
  }
  json::Array rows;
  bool good = true;
  for (const auto* entry : wanted) {
    const auto name = entry->name.text();
    const auto fetched = fetch_checked(*opened, *entry, flags);
    // The store, the key or the disk: nothing is known of it.
    if (!fetched && fetched.error().code != Code::kDataLoss)
      return report(fetched.error().in(name));
    json::Object row{{"name", name}, {"good", fetched.has_value()}};
    if (fetched) {
      row["revision"] = fetched->facts.revision;
      row["keys"] = fetched->facts.live_keys;
      row["hashKV"] = fetched->facts.hash->hash;
    } else {
      row["why"] = fetched.error().message;
      good = false;
    }
    if (flags.output == Output::kText)
      print_text(fetched ? fmt::format("{}: good: {} keys at revision {}\n", name,
                                       fetched->facts.live_keys, fetched->facts.revision)
                         : fmt::format("{}: damaged: {}\n", name, fetched.error().message));
    rows.emplace_back(std::move(row));
    if (fetched || !flags.mark) continue;
    const auto marked = archive::put_mark(opened->shelf, entry->name, archive::Part::kBad,
                                          {.time = opened->place->world().clock->now(),
                                           .by = "archive verify",
                                           .why = fetched.error().message},
                                          opened->call);
    if (!marked) return report(marked.error());
  }
  if (flags.name.empty()) {
    const auto whole = verify_history(history_of(*opened), flags, rows);
    if (!whole) return report(whole.error());
    good = good && *whole;
  }
  if (flags.output != Output::kText) print_value(rows, flags.output);
  return good ? kDone : kFailed;
}

int cat(const ArchiveFlags& flags) {
  const auto opened = open(flags);
  if (!opened) return report(opened.error());
  const auto entry = find(*opened, flags.name);
  if (!entry) return report(entry.error());
  if (flags.manifest) {
    if (!(*entry)->manifest) return report({Code::kDataLoss, (*entry)->why});
    print_text(archive::to_json(*(*entry)->manifest));
    return kDone;
  }
  if (posix::is_terminal(1))
    return report({Code::kInvalidArgument, "a snapshot is nothing for a terminal: redirect it"});
  const auto fetched = fetch_checked(*opened, **entry, flags);
  if (!fetched) return report(fetched.error().in(flags.name));
  std::string piece;
  for (std::uint64_t at = 0; at < fetched->file.size(); at += piece.size()) {
    piece.resize(std::min<std::uint64_t>(kPiece, fetched->file.size() - at));
    if (const auto read = fetched->file.read(at, std::span(piece.data(), piece.size())); !read)
      return report(read.error());
    if (const auto written = posix::write_fully(1, piece, "write to standard output"); !written)
      return report(written.error());
  }
  return kDone;
}

// What is removed on request: never the only good backups that there are.
base::Result<std::vector<const Entry*>> doomed(const Opened& opened, const ArchiveFlags& flags) {
  const auto& entries = opened.catalog.entries;
  std::vector<const Entry*> out;
  if (entries.empty()) return out;
  const auto newest = entries.front().name.incarnation;
  const auto wanted =
      flags.incarnation.empty() ? std::optional(newest) : Incarnation::parse(flags.incarnation);
  const auto of = [&](const Entry& entry) { return entry.name.incarnation == *wanted; };
  if (!wanted || std::ranges::none_of(entries, of))
    return base::fail(Code::kNotFound, fmt::format("{} holds no backup of the incarnation {}",
                                                   opened.shelf.where(), flags.incarnation));
  if (flags.keep == 0) {
    const auto safe = std::ranges::any_of(entries, [&](const Entry& entry) {
      return entry.verified && entry.name.incarnation > *wanted;
    });
    if (!safe)
      return base::fail(Code::kFailedPrecondition,
                        fmt::format("no newer incarnation than {} has a verified backup: removing "
                                    "all of it could leave none; --keep N removes some",
                                    wanted->text));
  }
  std::vector<const Entry*> ours;
  std::vector<archive::Held> held;
  for (const auto& entry : entries) {
    if (!of(entry)) continue;
    ours.push_back(&entry);
    held.push_back(entry.held());
  }
  if (flags.keep == 0) return ours;
  const auto verdicts = archive::judge(held, {.max_backups = flags.keep});
  for (size_t i = 0; i < ours.size(); ++i)
    if (verdicts[i] == archive::Kept::kNo) out.push_back(ours[i]);
  return out;
}

int prune(const ArchiveFlags& flags) {
  if (flags.keep == 0 && flags.incarnation.empty())
    return report({Code::kInvalidArgument,
                   "what is to be removed? --keep N, or --incarnation for all of an older one"});
  const auto opened = open(flags);
  if (!opened) return report(opened.error());
  const auto names = doomed(*opened, flags);
  if (!names) return report(names.error());
  json::Array rows;
  for (auto entry = names->rbegin(); entry != names->rend(); ++entry) {  // the oldest first
    const auto name = (*entry)->name.text();
    if (flags.keep > 0) {
      const auto sure = archive::still_needless(opened->shelf, **entry, opened->call);
      if (!sure) return report(sure.error());
      if (!*sure) continue;
    }
    if (!flags.dry_run) {
      const auto removed = archive::remove_backup(opened->shelf, (*entry)->name,
                                                  opened->place->world(), opened->call);
      if (!removed) return report(removed.error());
    }
    rows.emplace_back(name);
    if (flags.output == Output::kText)
      print_text(fmt::format("{} {}\n", flags.dry_run ? "would remove" : "removed", name));
  }
  if (!flags.dry_run)
    if (const auto gone = prune_history(history_of(*opened), flags); !gone)
      return report(gone.error());
  if (flags.output != Output::kText)
    print_value(json::Object{{flags.dry_run ? "wouldRemove" : "removed", rows}}, flags.output);
  else if (rows.empty())
    print_text("nothing to remove\n");
  return kDone;
}

}  // namespace

int archive_command(const ArchiveFlags& flags) {
  if (flags.verb == "list") return list(flags);
  if (flags.verb == "verify") return verify(flags);
  if (flags.verb == "cat") return cat(flags);
  if (flags.verb == "prune") return prune(flags);
  return archive_job(flags);
}

}  // namespace bin
