// Writes a new database: compact, in one sequential stream, the same bytes for the same contents.
// Memory is one page for each level of a tree and what the list of buckets needs.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace bolt {

// Takes what the database shall hold: buckets in the order of their names' bytes, in each its items
// in the order of their keys'. InvalidArgument for what bolt cannot hold or is out of order. An
// error must be given on.
class Items {
 public:
  virtual ~Items() = default;
  virtual base::Status bucket(std::string_view name) = 0;
  virtual base::Status item(std::string_view key, std::string_view value) = 0;
};

// Called twice, and must give the same both times: the first page of a file names the last ones.
using Contents = std::function<base::Status(Items& items)>;
// What it has taken is never changed again: a pipe or an upload will do.
using ByteSink = std::function<base::Status(std::string_view bytes)>;

struct WriteOptions {
  std::uint32_t page_size = 4096;  // any that bolt knows opens on every machine
  bool trailer = true;             // the SHA-256 that a snapshot ends with
};

struct Written {
  std::uint64_t bytes = 0;  // without the trailer
  std::uint64_t items = 0;  // of all buckets
  std::string sha256;       // in hex
};
base::Result<Written> write_database(const Contents& contents, const ByteSink& out,
                                     const WriteOptions& options = {});

}  // namespace bolt
