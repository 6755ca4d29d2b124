// What etcd keeps in its key bucket: a revision, and the key and value that it left behind.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace bolt {

// `main` counts transactions, `sub` the changes of one, from 0.
struct Revision {
  std::int64_t main = 0, sub = 0;
  auto operator<=>(const Revision&) const = default;
  [[nodiscard]] std::string text() const;  // "12.0"
};

struct Record {
  Revision revision;
  bool tombstone = false;
  // Of an empty value: etcdutl writes one to raise the revision; the key is empty then.
  bool raised = false;
  std::string_view key, value;
  std::int64_t create_revision = 0, mod_revision = 0, version = 0, lease = 0;
};

// DataLoss says what is not as etcd writes it. Views into the arguments.
base::Result<Revision> parse_revision(std::string_view key, bool& tombstone);
base::Result<Record> parse_record(std::string_view key, std::string_view value);

std::string revision_key(const Revision& revision, bool tombstone);
// The stored bytes: all fields of a put; of a tombstone the key alone.
std::string record_value(const Record& record);

struct Lease {
  std::int64_t id = 0, ttl = 0, remaining = 0;  // seconds; 0 remaining: never noted
};
base::Result<Lease> parse_lease(std::string_view key, std::string_view value);

// Big endian, as etcd writes numbers into keys. Precondition: eight bytes at `at`.
std::uint64_t load_big(std::string_view bytes, std::size_t at);
void append_big(std::string& out, std::uint64_t value);

}  // namespace bolt
