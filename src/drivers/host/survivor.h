// How long the steps of an export may take, and what a snapshot of a running survivor lacks.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

namespace host {

// `least`, and beside it what `bytes` take to be read or written where a disk or a network volume
// is at its worst.
base::Duration limit_for(base::Duration least, std::uint64_t bytes);

// Of the files below `dir`; what cannot be read counts nothing.
std::uint64_t bytes_below(const std::string& dir);

// The line in which an etcd says that its data is damaged; empty: it does not.
std::string damage_in(std::string_view said);

// What a snapshot is of, as it is kept beside it.
struct RunningSnapshot {
  std::string member, incarnation;
  std::uint64_t applied = 0;  // the raft index that it holds at least; the log's end, if exported
  bool operator==(const RunningSnapshot&) const = default;
};
std::string encode(const RunningSnapshot& snapshot);
base::Result<RunningSnapshot> decode_running_snapshot(std::string_view text);

// In words, of a log that ends at `last` (an error: it cannot be read). Empty: nothing is missing.
std::string what_lacks(const RunningSnapshot& snapshot, const base::Result<std::uint64_t>& last);

}  // namespace host
