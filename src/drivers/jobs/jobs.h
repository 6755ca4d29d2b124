// What jobs that work with a store of backups are told, and what their words mean: the same on
// every platform. Pure; where files and credentials are, a platform adds.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "api/cluster.h"
#include "archive/drill_job.h"
#include "archive/follow_job.h"
#include "archive/job.h"
#include "base/result.h"
#include "plan/observation.h"
#include "plan/record.h"

namespace jobs {

inline constexpr std::chrono::seconds kFetchDeadline{1'800}, kDrillDeadline{1'800};

// A new life's name. By it backups are found: it follows every life that the record and the fetch
// that was seen tell of, also one that began by a clock that was ahead.
std::string fresh_incarnation(const plan::Record& record, const plan::Observation& seen,
                              base::Instant now, std::uint64_t chance);

// A place in a cloud, or a directory ("local"); not a volume of a pod. Without its credentials.
archive::StoreRef store_of(const api::ObjectLocation& at);

// A backup, without what its members, its store and its files are reached by.
archive::RunJob backup_job(const api::Backup& wish, const plan::Record& record, int epoch);
// A drill, without etcd's programs and what its store and its files are reached by.
archive::DrillJob drill_job(const api::Backup& wish, const plan::Record& record);
// What writes the continuous log, without what its store and its files are reached by.
archive::FollowJob follow_job(const api::Backup& wish, const plan::Record& record, int epoch);
// A look for what a cluster begins from: the newest state that is proven, the point that `wish`
// (may be null) asks for, or a certain backup by its name in the store, of whose life a point then
// is. Without what its store and its files are reached by.
archive::FetchJob fetch_job(const std::string& name, const api::Restore* wish);
// The same state once more, for whom the file of the first look is out of reach.
// FailedPrecondition: the record names no backup.
base::Result<archive::FetchJob> fetch_again_job(const plan::RestoreRecord& found);
// Adds those that can give one.
void add_endpoints(const plan::Record& record, archive::RunJob& to);

// The name that a backup has in its store, of a location as reports give it; empty: it has none.
std::string name_in_store(const std::string& location);

// What a job said at its end. No value: it left nothing that can be read.
std::optional<plan::JobReport> run_report(const std::string& job, const std::string& report);
std::optional<plan::JobReport> fetch_report(const std::string& job, const std::string& report);
std::optional<plan::JobReport> drill_report(const std::string& job, const std::string& report);
// What a follower that runs says; a status that is not of about `now` says nothing, but that a
// change which was on its way is so still.
plan::Follower running_follower(const std::string& status, base::Instant now);
// The same of one that was asked over the network: how old its words are, its own clock tells.
plan::Follower answering_follower(const std::string& page);
// `otherwise`: why it ended, where it left no report.
plan::Follower ended_follower(const std::string& report,
                              const std::string& otherwise = "it ended without a word");

}  // namespace jobs
