// Which backups a cluster has: read from the store each time, so that it cannot be out of date.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "archive/manifest.h"
#include "archive/names.h"
#include "archive/retention.h"
#include "archive/shelf.h"
#include "base/result.h"
#include "objstore/store.h"

namespace archive {

struct Entry {
  Name name = {};
  std::optional<Manifest> manifest = {};  // none: it is damaged, or of a newer program
  base::Instant time{};                   // when it was begun
  std::uint64_t size_bytes = 0;           // of its data in the store; 0: it is not there
  bool verified = false;
  bool proven = false;
  bool marked = false;   // as proven, whatever it looks like now
  bool bad = false;      // somebody found it damaged
  bool newer = false;    // a newer program made it: what it is worth is not known
  std::string why = {};  // it is not verified

  [[nodiscard]] Held held() const {
    return {.revision = name.revision,
            .time = time,
            .verified = verified,
            .proven = proven,
            .unknown = newer || (marked && !manifest)};
  }
};

// A part without a manifest: of a backup that is being made, or whose maker was killed. Or what a
// store was tried with.
struct Leftover {
  std::string key = {};  // below the root
  Incarnation incarnation = {};
  base::Instant modified{};
};

struct Catalog {
  // The newest incarnation first, in it the highest revision, of equal ones the last.
  std::vector<Entry> entries = {};
  std::vector<Leftover> leftovers = {};
  std::vector<Leftover> probes = {};
  unsigned foreign = 0;  // objects that are not ours, which nobody touches
};

// Of all incarnations, or the entries of one only; leftovers are always all. An error means that it
// is not known what is there: a store that cannot be asked never looks empty. A manifest that is
// gone by the time it is read is left out, if a second list does not show it either; one that is
// listed and not given is Unavailable.
base::Result<Catalog> read_catalog(const Shelf& shelf, const std::optional<Incarnation>& only,
                                   const objstore::Call& call);

// The same of one incarnation alone, leftovers too: what else is in the store is not listed.
base::Result<Catalog> read_life(const Shelf& shelf, const Incarnation& incarnation,
                                const objstore::Call& call);

// One of them, as the store shows it now; no value: it has no manifest.
base::Result<std::optional<Entry>> read_entry(const Shelf& shelf, const Name& name,
                                              const objstore::Call& call);

// Notes what was found out. Never changes the backup itself.
base::Status put_mark(const Shelf& shelf, const Name& name, Part part, const Mark& mark,
                      const objstore::Call& call);
base::Result<Mark> read_mark(const Shelf& shelf, const Name& name, Part part,
                             const objstore::Call& call);

}  // namespace archive
