// Where the parts of a backup lie below a cluster's root, and what their names say:
//   <incarnation>/full-<20-digit revision>-<UTC time>-<writer's nonce> + a suffix
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"

namespace archive {

// A life of a cluster: a new one at every bootstrap and restore. Revisions are compared only within
// one. "20261122T031500Z-8f3a9c02": its begin, and 4 to 32 letters and digits that are its own.
struct Incarnation {
  std::string text = {};
  base::Instant begin{};

  static std::optional<Incarnation> parse(std::string_view text);
  // By begin, then by text: a later one is newer.
  auto operator<=>(const Incarnation& other) const {
    if (const auto by = begin <=> other.begin; by != 0) return by;
    return text <=> other.text;
  }
  bool operator==(const Incarnation&) const = default;
};
// `own` as above: best random hex.
Incarnation make_incarnation(base::Instant begin, std::string_view own);

struct Name {
  Incarnation incarnation = {};
  std::int64_t revision = 0;
  base::Instant time{};    // whole seconds
  std::string nonce = {};  // 8 to 32 hex digits: two writers never mean one object

  [[nodiscard]] std::string text() const;
  static std::optional<Name> parse(std::string_view text);
  bool operator==(const Name&) const = default;
};

// The data comes first and the manifest last: without its manifest it is no backup. Marks come
// later and say what was found out about it.
enum class Part { kData, kManifest, kProven, kBad };
std::string_view suffix_of(Part part);  // ".db.zst", ".json", ".proven.json", ".bad.json"

struct PartName {
  Name name = {};
  Part part = Part::kData;
};
// Of a key below the cluster's root; no value: it is not one of ours.
std::optional<PartName> parse_part(std::string_view key);

// What a writer tries the store with before it writes: nobody else's, and worth nothing.
std::string probe_name(const Incarnation& incarnation, std::string_view nonce);
std::optional<Incarnation> parse_probe(std::string_view key);  // of a key below the root

// The root of a cluster in its store: "" or "<namespace>/<name>/".
std::string root_of(const base::ClusterKey& cluster, bool direct);

}  // namespace archive
