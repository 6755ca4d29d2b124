// A cluster that begins from a backup: the store is looked into, and what was fetched becomes the
// data of the first member.
#pragma once

#include <optional>
#include <string>

#include "plan/concern.h"

namespace plan {

// Where a backup is looked for, in words that change with the place; empty: nowhere.
std::string restore_source(const api::ClusterSpec& spec);  // of the restore block
std::string source_of(const api::Restore& restore);
// When every member lost its data, or was put aside for a restore.
std::string after_loss_source(const Record& record, const api::ClusterSpec& spec);
// What counts of a restore in place or of the restore block; null: neither, or the cluster lost its
// data and has backups of its own, which come back as new as they can be.
const api::Restore* begins_by(const Record& record, const api::ClusterSpec& spec);

// Looks there until a backup is fetched or it is known that there is none. No value:
// Record::restore says which of the two. An answer waits or acts.
std::optional<Answer> look_for_backup(Context& c, const std::string& source);

// The same after a loss, where backups are looked for then: what an earlier lookup found does not
// count, and a store without one is looked into again after a while.
std::optional<Answer> look_after_loss(Context& c, const std::string& source);

// What was found, in words: a backup, and the revision that comes back, which a log behind it may
// have raised; as of when, as long as the job that fetched it is seen.
std::string brought_back(const Context& c);

// Before a formation is begun. No value: it may begin, from what Record::restore says.
std::optional<Answer> restore_first(Context& c);
// It was deleted and declared again, and a quorum has not served since: what is left of its data
// and what its restore block names are two answers.
bool is_declared_again(const Context& c);
// What was looked up counts no more. What befell the cluster stays.
void forget_lookup(Record& record);
// A restore in place goes no further, and nothing was changed; gives that in words.
std::string refuse_in_place(Context& c, std::string why);
// The cluster has begun again from what it was to go back to.
void finish_in_place(Context& c);
// The members have data: what was looked up for its loss is old when it is lost again.
void forget_loss(Record& record);

}  // namespace plan
