// What is known of a backup, beside its data: written last, and what makes it one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "archive/job.h"
#include "archive/names.h"
#include "archive/users.h"
#include "base/result.h"
#include "base/time.h"

namespace archive {

struct Digest {
  std::uint64_t size_bytes = 0;
  std::string sha256 = {};  // in hex
  bool operator==(const Digest&) const = default;
};
struct Encryption {
  std::string method = {};
  std::string key_id = {};  // tells keys apart and says nothing about them
  bool operator==(const Encryption&) const = default;
};

struct Manifest {
  Name name = {};
  base::ClusterKey cluster = {};
  std::int64_t epoch = 0;
  base::Instant time{};                     // what was written before it is in it
  std::optional<base::Instant> taken = {};  // what was written after it is not; none: as `time`
  std::string cluster_id = {};              // hex
  std::string member = {};                  // that gave the snapshot
  std::string etcd_version = {};            // of that member
  std::int64_t compact_revision = 0;        // 0: never compacted
  std::uint64_t keys = 0, records = 0, leases = 0;
  bool auth_enabled = false;
  std::uint64_t auth_revision = 0;  // changes with users and roles; 0: not known
  [[nodiscard]] UsersMark users() const { return {auth_revision, auth_enabled}; }
  std::uint32_t hash = 0;  // HashKV of the file at its revision and with its compact revision
  // Whose HashKV at that revision, with the compact revision of its answer, was equal to what the
  // file gives; empty: of none.
  std::string hash_of_member = {};
  std::int64_t hash_compact_revision = 0;
  Digest snapshot = {};  // as etcd streamed it, with its check sum
  Digest data = {};      // as it lies in the store
  std::optional<Encryption> encryption = {};
  // What was to be kept when it was made; 0: all.
  unsigned max_backups = 0;
  Tiers retention = {};
  bool operator==(const Manifest&) const = default;
};

constexpr std::size_t kLargestManifest = std::size_t{64} << 10;

std::string to_json(const Manifest& manifest);
// DataLoss: damaged, or another backup's. Unimplemented: of a newer version of this program. Fields
// that nobody knows are passed over.
base::Result<Manifest> parse_manifest(std::string_view json, const Name& name);

// What was found out later about a backup: that a cluster was made of it, or that it is damaged.
struct Mark {
  base::Instant time{};
  std::string by = {};            // "drill", "archive verify"
  std::string why = {};           // of a damage
  std::string etcd_version = {};  // it was proven on
  bool operator==(const Mark&) const = default;
};
std::string to_json(const Mark& mark);
base::Result<Mark> parse_mark(std::string_view json);

}  // namespace archive
