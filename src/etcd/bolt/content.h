// What a database of etcd says beside its keys: members, versions, positions, alarms, leases, auth.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"

namespace bolt {

struct StoredMember {
  base::MemberId id;
  std::string name;                                 // empty: it had never started
  std::vector<std::string> peer_urls, client_urls;  // 3.5.12 stores no client URLs
  bool learner = false;
};

struct StoredAlarm {
  base::MemberId member;
  std::uint64_t kind = 0;  // 1 NOSPACE, 2 CORRUPT
};

// What is absent in a version stays empty.
struct Content {
  std::vector<StoredMember> members;  // sorted by id
  std::vector<base::MemberId> removed;
  std::string cluster_version;                          // "3.5.0"
  std::string storage_version;                          // from 3.6
  std::string downgrade;                                // JSON, of one that was asked for
  std::string conf_state;                               // JSON, from 3.5
  std::optional<std::uint64_t> consistent_index, term;  // term: from 3.5
  std::int64_t finished_compaction = 0, scheduled_compaction = 0;  // 0: never
  std::vector<StoredAlarm> alarms;
  std::uint64_t leases = 0;
  bool auth_enabled = false;
  std::uint64_t auth_revision = 0, users = 0, roles = 0;

  // The revision below which history is gone; a compaction that has not ended counts.
  [[nodiscard]] std::int64_t compact_revision() const;
};

// One item of any bucket but `key`; buckets and keys that it does not know are passed over. Errors
// are DataLoss.
base::Status read_item(std::string_view bucket, std::string_view key, std::string_view value,
                       Content& content);

}  // namespace bolt
