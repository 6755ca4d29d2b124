// The tries of one recovery: when one came to nothing, and what follows.
#pragma once

#include <chrono>
#include <optional>

#include "plan/concern.h"

namespace plan {

inline constexpr base::Duration kTryDeadline = std::chrono::minutes(30);

// All need Record::recovery; those of a Context its operation too.
bool is_fenced(const Record& record);      // the new incarnation was begun
bool saved(const Context& c);              // a snapshot of the survivor is there
bool is_exporting(const Context& c);       // this try asked for the export
bool is_export_damaged(const Context& c);  // the survivor's bytes fail their own check
bool is_survivor_gone(const Context& c);   // there is nothing to read, and no snapshot

// What failed waits for a person's word for another try, from the next member with data if this
// one's is of no use. No value: the try goes on.
std::optional<Answer> hold_if_failed(Context& c);

}  // namespace plan
