// The end of a stopped member's log, and how the whole of it is made to count as committed.
#pragma once

#include <cstdint>
#include <string>

#include "base/ids.h"
#include "base/result.h"

namespace host {

// What a log is known to have held; all 0: nothing is known.
struct LogFloor {
  std::uint64_t term = 0, index = 0;  // of its newest entry, once; they never fall as a pair
  std::uint64_t commit = 0, audited = 0;
};
// By the marker of its volume, which may be absent or damaged, and by an audit. An error: it cannot
// be told now.
base::Result<LogFloor> floor_of(const std::string& marker_file, std::uint64_t audited);

// etcd writes what it knows of the commit position lazily, and --force-new-cluster drops every
// entry beyond it, acknowledged ones too. Appends one record to the newest segment that sets the
// position to the last entry; a torn tail behind the last whole record is cut, as etcd does. Only
// for a copy: never on a volume that is to serve again. Gives the position. DataLoss: damaged,
// without an entry, or what is whole of it does not reach `floor`: etcd takes a hole in the log for
// its end.
base::Result<std::uint64_t> commit_whole_log(const std::string& wal_dir, const LogFloor& floor);

// The index of the last entry in the log of a stopped member, committed or not. Changes nothing.
// Errors as above, but a log without an entry gives 0.
base::Result<std::uint64_t> end_of_log(const std::string& wal_dir, const LogFloor& floor);

struct LogOwner {
  base::MemberId member;
  base::ClusterId cluster;
  bool operator==(const LogOwner&) const = default;
};
// Whose log it is; an etcd that is started on it answers by these ids. DataLoss: it does not tell.
base::Result<LogOwner> owner_of_log(const std::string& wal_dir);

}  // namespace host
