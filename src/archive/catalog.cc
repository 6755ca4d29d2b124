#include "archive/catalog.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "archive/segment.h"

namespace archive {
namespace {

using base::Code;

constexpr size_t kMostObjects = 400'000;

struct Found {
  PartName part;
  std::uint64_t size = 0;
  base::Instant modified{};
};
struct Group {
  Name name;
  std::array<std::optional<Found>, 4> parts;  // by Part
};

// What stops one manifest from being read, and not the store from being asked.
bool about_the_object(Code code) {
  return code == Code::kDataLoss || code == Code::kUnimplemented;
}

// A server that is behind, or something in front of it, answers 404 for what is there: only a list
// without it says that it is gone, which means no value.
base::Result<std::optional<std::string>> read_manifest(const Shelf& shelf, const std::string& key,
                                                       const objstore::Call& call) {
  auto& store = shelf.store();
  auto text = objstore::read_all(store, key, kLargestManifest, call);
  if (text || text.error().code != Code::kNotFound) return text;
  TRY(const auto there, objstore::list_all(store, key, kMostObjects, call));
  if (std::ranges::find(there, key, &objstore::Object::key) == there.end()) return std::nullopt;
  text = objstore::read_all(store, key, kLargestManifest, call);
  if (text || text.error().code != Code::kNotFound) return text;
  return base::fail(Code::kUnavailable,
                    fmt::format("{}; but the store lists it. If it stays so, remove the backup's "
                                "objects",
                                text.error().message));
}

base::Result<std::optional<Entry>> entry_of(const Shelf& shelf, const Group& group,
                                            const objstore::Call& call) {
  const auto part = [&](Part p) -> const std::optional<Found>& {
    return group.parts[static_cast<size_t>(p)];
  };
  Entry entry{.name = group.name, .time = group.name.time};
  auto text = read_manifest(shelf, shelf.key(group.name, Part::kManifest), call);
  if (text && !*text) return std::nullopt;
  if (!text && text.error().code == Code::kResourceExhausted)
    text = base::fail(Code::kDataLoss, "its manifest is damaged: it is too long");
  auto manifest = text ? parse_manifest(**text, group.name)
                       : base::Result<Manifest>(std::unexpected(text.error()));
  if (!manifest && !about_the_object(manifest.error().code))
    return std::unexpected(manifest.error());
  const auto& data = part(Part::kData);
  entry.size_bytes = data ? data->size : 0;
  entry.newer = !manifest && manifest.error().code == Code::kUnimplemented;
  if (!manifest)
    entry.why = manifest.error().message;
  else if (!data)
    entry.why = "its data is not there";
  else if (data->size != manifest->data.size_bytes)
    entry.why = fmt::format("its data has {} bytes, not {}", data->size, manifest->data.size_bytes);
  else if (part(Part::kBad))
    entry.why = "it was found damaged";
  entry.bad = part(Part::kBad).has_value();
  entry.marked = part(Part::kProven).has_value();
  entry.verified = entry.why.empty();
  entry.proven = entry.verified && entry.marked;
  if (manifest) {
    entry.time = manifest->time;
    entry.manifest = *std::move(manifest);
  }
  return entry;
}

bool newer(const Entry& a, const Entry& b) {
  if (a.name.incarnation != b.name.incarnation) return a.name.incarnation > b.name.incarnation;
  return std::pair(a.name.revision, a.time) > std::pair(b.name.revision, b.time);
}

// Segments are many more than backups: they pass by, and are none of the objects that may be kept.
struct Listed {
  std::map<std::string, Group> groups;
  std::vector<Leftover> probes;
  unsigned foreign = 0;
};
base::Result<Listed> list_below(const Shelf& shelf, const std::string& below,
                                const objstore::Call& call) {
  const auto& root = shelf.root();
  Listed out;
  size_t kept = 0;
  objstore::ListOptions options{.prefix = root + below,
                                .limit = UINT32_MAX};  // what it gives at once
  do {
    TRY(auto page, shelf.store().list(options, call));
    for (const auto& object : page.objects) {
      if (!object.key.starts_with(root)) continue;  // a store that is no store
      if (SegmentName::parse(std::string_view(object.key).substr(root.size()))) continue;
      if (++kept > kMostObjects)
        return base::fail(Code::kResourceExhausted,
                          fmt::format("{} holds more than {} objects beside the log", shelf.where(),
                                      kMostObjects));
      const auto key = std::string_view(object.key).substr(root.size());
      if (auto of = parse_probe(key)) {
        out.probes.push_back({std::string(key), *std::move(of), object.modified});
        continue;
      }
      const auto part = parse_part(key);
      if (!part) {
        ++out.foreign;
        continue;
      }
      auto& group = out.groups[part->name.text()];
      group.name = part->name;
      group.parts[static_cast<size_t>(part->part)] = {*part, object.size, object.modified};
    }
    if (!page.next.empty() && page.next == options.page)
      return base::fail(Code::kDataLoss,
                        shelf.where() + ": the store gives one page again and again");
    options.page = std::move(page.next);
  } while (!options.page.empty());
  return out;
}

base::Result<Catalog> read_below(const Shelf& shelf, const std::string& below,
                                 const std::optional<Incarnation>& only,
                                 const objstore::Call& call) {
  TRY(auto listed, list_below(shelf, below, call));
  Catalog catalog;
  catalog.foreign = listed.foreign;
  catalog.probes = std::move(listed.probes);
  for (const auto& [text, group] : listed.groups) {
    if (!group.parts[static_cast<size_t>(Part::kManifest)]) {
      for (const auto& part : group.parts)
        if (part)
          catalog.leftovers.push_back({.key = text + std::string(suffix_of(part->part.part)),
                                       .incarnation = group.name.incarnation,
                                       .modified = part->modified});
      continue;
    }
    if (only && group.name.incarnation != *only) continue;
    TRY(auto entry, entry_of(shelf, group, call));
    if (entry) catalog.entries.push_back(*std::move(entry));
  }
  std::ranges::sort(catalog.entries, newer);
  return catalog;
}

}  // namespace

base::Result<Catalog> read_catalog(const Shelf& shelf, const std::optional<Incarnation>& only,
                                   const objstore::Call& call) {
  return read_below(shelf, "", only, call);
}

base::Result<Catalog> read_life(const Shelf& shelf, const Incarnation& incarnation,
                                const objstore::Call& call) {
  return read_below(shelf, incarnation.text + "/full-", incarnation, call);
}

base::Result<std::optional<Entry>> read_entry(const Shelf& shelf, const Name& name,
                                              const objstore::Call& call) {
  const auto& root = shelf.root();
  TRY(const auto objects,
      objstore::list_all(shelf.store(), root + name.text(), kMostObjects, call));
  Group group{.name = name, .parts = {}};
  for (const auto& object : objects) {
    if (!object.key.starts_with(root)) continue;
    const auto part = parse_part(std::string_view(object.key).substr(root.size()));
    if (!part || part->name != name) continue;
    group.parts[static_cast<size_t>(part->part)] = {*part, object.size, object.modified};
  }
  if (!group.parts[static_cast<size_t>(Part::kManifest)]) return std::nullopt;
  return entry_of(shelf, group, call);
}

base::Status put_mark(const Shelf& shelf, const Name& name, Part part, const Mark& mark,
                      const objstore::Call& call) {
  TRY_OK(shelf.store().put(shelf.key(name, part), to_json(mark),
                           {.content_type = "application/json"}, call));
  return {};
}

base::Result<Mark> read_mark(const Shelf& shelf, const Name& name, Part part,
                             const objstore::Call& call) {
  TRY(const auto text,
      objstore::read_all(shelf.store(), shelf.key(name, part), kLargestManifest, call));
  return parse_mark(text);
}

}  // namespace archive
