// Why a job failed, for programs; the error's text is for people.
#pragma once

#include <string_view>

namespace archive {

namespace kind {
inline constexpr std::string_view kCredentials = "credentials";  // do not hold, may not do it
inline constexpr std::string_view kAbsent = "absent";            // no such bucket or directory
inline constexpr std::string_view kFull = "full";                // the store, or scratch
inline constexpr std::string_view kClock = "clock";              // this machine's is wrong
inline constexpr std::string_view kUnavailable = "unavailable";  // no answer until the deadline
inline constexpr std::string_view kMismatch =
    "mismatch";  // members, or the store, hold other bytes
inline constexpr std::string_view kNoMember = "no-member";  // none gave a snapshot that it proved
inline constexpr std::string_view kForeign = "foreign";     // backups of another cluster are there
inline constexpr std::string_view kCorrupt = "corrupt";     // etcd itself says that its data is
inline constexpr std::string_view kKey = "key";             // of the encryption: absent or another
inline constexpr std::string_view kNoneGood = "none-good";  // backups, and none that verifies
inline constexpr std::string_view kNotFound = "not-found";  // the one that was asked for
inline constexpr std::string_view kInput = "input";         // of the store: its URL, its Secret
inline constexpr std::string_view kRefused = "refused";     // by the store, for another reason
inline constexpr std::string_view kNewer = "newer";  // a newer version of this program made it
inline constexpr std::string_view kBusy = "busy";    // another job works in this scratch directory
inline constexpr std::string_view kStale = "stale";  // another writer of the log is at work
inline constexpr std::string_view kOvertaken = "overtaken";  // never in a report
inline constexpr std::string_view kBehind = "behind";        // the cluster has less than its log
inline constexpr std::string_view kRange = "range";          // no backup and log hold this point
inline constexpr std::string_view kEtcd = "etcd";  // its own programs are missing or do not run
inline constexpr std::string_view kInternal = "internal";
}  // namespace kind

}  // namespace archive
