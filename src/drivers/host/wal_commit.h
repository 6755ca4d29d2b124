// The end of a stopped member's log, and how the whole of it is made to count as committed.
#pragma once

#include <cstdint>
#include <string>

#include "base/ids.h"
#include "base/result.h"

namespace host {

// etcd writes what it knows of the commit position lazily, and --force-new-cluster drops every
// entry beyond it, acknowledged ones too. Appends one record to the newest segment that sets the
// position to the last entry; a torn tail behind the last whole record is cut, as etcd does. Only
// for a copy: never on a volume that is to serve again. Gives the position. DataLoss: damaged, or
// without an entry.
base::Result<std::uint64_t> commit_whole_log(const std::string& wal_dir);

// The index of the last entry in the log of a stopped member, committed or not. Changes nothing.
base::Result<std::uint64_t> end_of_log(const std::string& wal_dir);

struct LogOwner {
  base::MemberId member;
  base::ClusterId cluster;
  bool operator==(const LogOwner&) const = default;
};
// Whose log it is; an etcd that is started on it answers by these ids. DataLoss: it does not tell.
base::Result<LogOwner> owner_of_log(const std::string& wal_dir);

}  // namespace host
