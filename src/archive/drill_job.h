// What a drill is asked for, and how it ended: files as those of job.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "archive/job.h"

namespace archive {

// etcd's own programs, absolute paths, all of one version.
struct EtcdPrograms {
  std::string version = {};
  std::string etcd = {};
  std::string tool = {};  // etcdutl; before 3.5 etcdctl
  bool operator==(const EtcdPrograms&) const = default;
};

struct DrillJob {
  Common common = {};
  std::string name = {};  // a certain one; empty: the newest that nobody found damaged
  EtcdPrograms programs = {};
  // A backup that is the newest and was proven since then ends the job with that.
  std::optional<base::Instant> not_before = {};
  bool operator==(const DrillJob&) const = default;
};

// kBad: the backup is damaged, or an etcd made of it holds something else; it was marked so in the
// store. kFailed: nothing is known of the backup.
enum class DrillOutcome { kProven, kBad, kFailed, kEmpty };
std::string_view name_of(DrillOutcome outcome);  // "proven", "bad", "failed", "empty"
bool parse_name(std::string_view text, DrillOutcome& outcome);

struct DrillReport {
  DrillOutcome outcome = DrillOutcome::kFailed;
  std::string name = {};
  std::int64_t revision = 0;
  std::uint64_t keys = 0;
  std::optional<base::Instant> time = {};   // of the proof
  std::optional<base::Instant> taken = {};  // when the backup was
  std::int64_t seconds = 0;
  std::string etcd_version = {};
  std::string error = {}, error_kind = {}, warning = {};
  bool operator==(const DrillReport&) const = default;
};

base::Result<DrillJob> parse_drill_job(std::string_view json);
base::Result<DrillReport> parse_drill_report(std::string_view json);
std::string to_json(const DrillJob& job);
std::string to_json(const DrillReport& report);  // at most 2 KiB

}  // namespace archive
