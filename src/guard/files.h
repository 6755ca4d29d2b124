// The files by which etcd-guard and its operator talk. Each is a list of "key value" lines, first
// "format MAJOR.MINOR", second "kind NAME", last "crc <crc32c, 8 hex digits, of all before it>";
// written whole and renamed into place. In a value, \\ and \n stand for a backslash and a newline.
// Both sides read the present major format and the two before it; unknown keys are ignored, so that
// a minor may add some.
//
//   <member>/ticket     operator -> guard   what the guard may do; read before every start of etcd
//   <member>/state      guard -> operator   what it is doing now
//   <member>/verdict    guard -> operator   why etcd ended last, and what that means
//   <member>/member.lock                    held by the guard and by etcd for life
//   <volume>/marker     guard               whose data this volume holds; outside the data
//   directory
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"

namespace guard {

// What a blank data directory means.
enum class Permit {
  kBootstrap,  // first start of a founding member: blank is right, initial-cluster-state new
  kJoin,       // first start of an added learner: blank is right, initial-cluster-state existing
  kData,       // it has run: blank, older or foreign data is a loss, never a start
  kRestore     // first start of a recovery: build the directory from `restore_snapshot`, once
};

struct Ticket {
  std::string cluster_ns, cluster_name, member_name;
  std::string incarnation;  // of the cluster; changes with every bootstrap, restore and recovery
  std::string volume_id;    // the marker of our own volume carries it
  // kData: of the volume on which it was seen to run; a marker that names another one is of a
  // volume that was away meanwhile. Empty: not known.
  std::string origin;
  Permit permit = Permit::kData;
  base::ClusterId cluster_id;  // 0: not known yet (kJoin before the id was read)
  base::MemberId member_id;
  std::string peer_address;                           // host:port, whatever the scheme
  std::uint64_t audited_term = 0, audited_index = 0;  // the log held at least this, by an audit
  std::string restore_operation;  // kRestore: its id; carried out at most once per id
  std::string restore_snapshot;   // kRestore: a snapshot file with its SHA-256 trailer
  std::string restore_token;      // kRestore: the new cluster token
  std::string etcd, etcdutl;      // absolute paths
  std::string version;            // of etcd, "3.5.12"
  std::string initial_cluster;    // "name=url,…"
  std::string token;              // initial-cluster-token
  std::vector<std::string> args;  // flags without data-dir, name, initial-cluster*
  std::string template_hash;      // given back in State, so that a rollout can be observed
  bool operator==(const Ticket&) const = default;
};

enum class Phase { kStarting, kRunning, kBackoff, kEnded };
struct State {
  Phase phase = Phase::kStarting;
  std::string boot_id;
  std::int64_t guard_pid = 0, etcd_pid = 0;  // 0: none
  std::string version, template_hash;        // of the running etcd
  std::uint32_t starts = 0;                  // of etcd by this guard
  base::Instant since{};
};

// What an end of etcd, or a look before a start, means (reference: etcd's own exit texts).
enum class Class {
  kNone,
  kStopped,      // by our own SIGTERM
  kRetry,        // try again with backoff
  kDataLost,     // own marker, but no data, less data than audited, or etcd's log says so
  kDataCorrupt,  // data there, its checks fail
  kForeign,      // data or marker of another member, cluster, incarnation or volume
  kRemoved,      // the member is no longer in its cluster
  kConfig,       // flags or member list refused
  kNode,         // disk full, read-only, out of memory
  kNoVolume      // no marker where one must be: a late mount, or the whole volume is gone
};
// The guard ends after these; only a decision from outside (a new ticket, a replacement) helps.
[[nodiscard]] bool is_final(Class c);
// What etcd-guard exits with: 0 for kStopped, 10 to 15 for the final classes.
[[nodiscard]] int exit_code_of(Class c);
std::string_view name_of(Class c);   // "DataLost"
std::string_view name_of(Permit p);  // "Bootstrap"
std::string_view name_of(Phase p);   // "Running"

struct Verdict {
  Class klass = Class::kNone;
  std::string signature;  // of etcd's log, or our own words
  int exit_code = -1;     // -1: ended by `signal`, or it was not started
  int signal = 0;
  std::uint32_t failures = 0;  // in a row
  base::Instant at{};
  // The directory that was the volume then, by place_text(): where another is mounted there, it is
  // of other bytes. Empty: not told.
  std::string volume;
};
struct Place {
  std::uint64_t device = 0, inode = 0;
};
std::string place_text(const Place& place);
inline constexpr std::string_view kNoPlace = "none";  // there was no directory

struct Marker {
  std::string cluster_ns, cluster_name, member_name, incarnation, volume_id, peer_address;
  base::ClusterId cluster_id;
  base::MemberId member_id;
  // Random, made by the guard with the first start on this volume: tells it from another one that
  // began under the same ticket.
  std::string origin;
  // etcd was exec'ed on this volume and may have voted: blank data is a loss from now on. Taken
  // back only by the guard that watched etcd end without ever having made a log.
  bool started = false;
  // Of the newest entry seen in the log, and on disk, by the guard; never falls as a pair.
  std::uint64_t last_term = 0, last_index = 0;
  std::uint64_t hard_term = 0, commit = 0;  // of the newest state record; neither ever falls
  std::string restored;                     // the restore operation that was carried out
  // One that was begun: from here on the data directory is absent or holds what it built, whole.
  std::string restoring;
  // Not kNone: etcd's own words condemned this data, though it might start another time (a lost
  // tail, a removed member): it never runs again under this identity, whatever the ticket.
  Class condemned = Class::kNone;
  bool operator==(const Marker&) const = default;
};

std::string encode(const Ticket& t);
std::string encode(const State& s);
std::string encode(const Verdict& v);
std::string encode(const Marker& m);
// DataLoss: the bytes fail their check or are torn. Unimplemented: a newer format.
base::Result<Ticket> decode_ticket(std::string_view bytes);
base::Result<State> decode_state(std::string_view bytes);
base::Result<Verdict> decode_verdict(std::string_view bytes);
base::Result<Marker> decode_marker(std::string_view bytes);

}  // namespace guard
