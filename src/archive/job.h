// What a backup or a fetch is asked for, and how it ended: JSON files between the operator and its
// short-lived `etcd-operator archive run|fetch`. Secrets are never in them, only paths.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "archive/kinds.h"
#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"

namespace archive {

struct StoreRef {
  std::string url = {};     // as objstore/open.h says
  std::string secret = {};  // a directory with the files of a Secret; empty: what the machine has
  std::string endpoint = {}, region = {};
  bool path_style = false;
  // Of S3: what its objects are written with; empty: as the bucket says.
  std::string storage_class = {}, encryption = {}, kms_key = {};
  std::string ca = {};  // a file
  bool operator==(const StoreRef&) const = default;
};
struct Endpoint {
  std::string member = {}, url = {};
  bool operator==(const Endpoint&) const = default;
};
struct TlsFiles {
  std::string ca = {}, cert = {}, key = {};
  bool operator==(const TlsFiles&) const = default;
};
// The newest of each of so many hours, days, weeks and months are kept beyond the count.
struct Tiers {
  unsigned hourly = 0, daily = 0, weekly = 0, monthly = 0;
  bool operator==(const Tiers&) const = default;
};

// What both have.
struct Common {
  base::ClusterKey cluster = {};
  StoreRef store = {};
  bool direct = false;  // the store is the cluster's root; else it is <namespace>/<name>/ in it
  std::string scratch = {};         // a directory; a whole snapshot is written there
  std::string encryption_key = {};  // a file; empty: what is written is not encrypted
  std::chrono::seconds deadline{600};
  std::string report = {};  // a file; empty: to standard output
  bool operator==(const Common&) const = default;
};

struct RunJob {
  Common common = {};
  std::string incarnation = {};
  std::int64_t epoch = 0;  // of two jobs the one with the lower epoch is stale
  std::vector<Endpoint> endpoints = {};
  std::optional<TlsFiles> tls = {};  // none: plain text
  unsigned max_backups = 0;          // 0: unlimited
  Tiers retention = {};
  // A success in the store at or after it ends the job "not-due".
  std::optional<base::Instant> not_before = {};
  // The revision of the last success; the same again is one, if the store still has that backup.
  std::optional<std::int64_t> last_revision = {};
  bool operator==(const RunJob&) const = default;
};

enum class RunOutcome { kUploaded, kUnchanged, kNotDue, kFailed };
std::string_view name_of(RunOutcome outcome);  // "uploaded", "unchanged", "not-due", "failed"
bool parse_name(std::string_view text, RunOutcome& outcome);

struct RunReport {
  RunOutcome outcome = RunOutcome::kFailed;
  std::string name = {};  // "<incarnation>/full-…": what was made, or what made it needless
  std::int64_t revision = 0;
  std::optional<base::Instant> time = {};
  std::uint64_t size_bytes = 0;  // as it lies in the store
  bool verified = false;         // the file was judged, and read back from the store byte for byte
  std::string hash_of_member = {};  // whose HashKV it was equal to; empty: of none
  unsigned pruned = 0, kept = 0;    // backups of this incarnation
  std::string error = {}, error_kind = {}, warning = {};
  bool operator==(const RunReport&) const = default;
};

struct FetchJob {
  Common common = {};
  std::string name = {};  // a certain one; empty: the best that verifies now
  // Instead of a name: the cluster as it was at a revision (of `incarnation`; empty: the newest) or
  // at a time, or (`latest`) the best one and the log behind it as far as it is whole. At most one.
  std::optional<std::int64_t> to_revision = {};
  std::optional<base::Instant> to_time = {};
  bool latest = false;
  std::string incarnation = {};
  std::string to = {};  // a file: appears when it is whole
  bool exact = false;   // as it was saved; else revisions are raised and history is dropped
  bool operator==(const FetchJob&) const = default;
};

enum class FetchOutcome { kFetched, kEmpty, kFailed };
std::string_view name_of(FetchOutcome outcome);  // "fetched", "empty", "failed"
bool parse_name(std::string_view text, FetchOutcome& outcome);

struct Skipped {
  std::string name = {}, why = {};
  bool operator==(const Skipped&) const = default;
};
struct FetchReport {
  FetchOutcome outcome = FetchOutcome::kFailed;
  std::string name = {}, incarnation = {};
  std::int64_t revision = 0;   // that was saved
  std::int64_t starts_at = 0;  // the revision of a cluster that is made of the file
  std::optional<base::Instant> time = {};
  std::uint64_t log_records = 0;  // that were added to the backup
  std::uint32_t hash = 0;         // HashKV of the file at `starts_at`, as its members will answer
  std::int64_t hash_compact_revision = 0;  // with this compact revision; -1: never compacted
  std::uint64_t keys = 0;
  std::string etcd_version = {};      // that wrote it
  std::vector<Skipped> skipped = {};  // newer ones that did not verify, the newest first
  std::string error = {}, error_kind = {}, warning = {};
  bool operator==(const FetchReport&) const = default;
};

// InvalidArgument names the field: "unknown field store.uri", "scratch is missing".
base::Result<RunJob> parse_run_job(std::string_view json);
base::Result<FetchJob> parse_fetch_job(std::string_view json);
base::Result<RunReport> parse_run_report(std::string_view json);
base::Result<FetchReport> parse_fetch_report(std::string_view json);
std::string to_json(const RunJob& job);
std::string to_json(const FetchJob& job);
// At most 2 KiB: long texts are cut.
std::string to_json(const RunReport& report);
std::string to_json(const FetchReport& report);

}  // namespace archive
