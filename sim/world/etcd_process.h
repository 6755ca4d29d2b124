// One data directory of the fake etcd, and one process with it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/version.h"
#include "base/time.h"
#include "guard/wal.h"
#include "sim/world/etcd_log.h"

namespace sim {

enum class Damage : std::uint8_t {
  kNone,
  kCrc,        // bytes of the log flipped
  kEmptyFile,  // a log file of 0 bytes
  kNoDb,       // the database is gone, the log is there
  kBadDb,      // its pages are damaged
  kTorn        // the last record is cut: the entry is gone already, etcd drops the rest silently
};

// A data directory as etcd leaves it on disk. The default is an empty one.
struct Dir {
  base::MemberId member;  // 0: no log
  base::ClusterId cluster;
  Log tip;     // all entries that are on disk
  Log commit;  // of the newest state record, which comes with the next entry
  std::uint64_t hard_term = 0;
  base::MemberId vote;         // in hard_term
  std::uint64_t snapshot = 0;  // index of the newest raft snapshot; 0: none
  std::int64_t db_size = 0;    // of the file; defragmentation shrinks it
  int db_minor = 0;  // the cluster version in the database, which is ahead of `commit`; 0: as there
  std::uint32_t wrong_bytes = 0;  // not 0: values changed inside pages, seen by hashes only
  Damage damage = Damage::kNone;
  [[nodiscard]] bool blank() const { return !member; }
};

// What a guard reads in it.
guard::WalSeen wal_seen(const Dir& dir);
// The same directory as it was when its log ended at `index` (a volume rolled back, a tail cut).
Dir rolled_back(const Dir& dir, std::uint64_t index);

// Certificates of one side as a handshake sees them; instants, and CAs by number.
struct Leaf {
  int ca = 0;
  base::Instant from{}, until{};
  std::string name;  // the CN
};
struct TlsSide {
  bool on = false;
  Leaf leaf;
  std::vector<int> trusted;  // read once, at the start
};

struct TlsSides {
  TlsSide client, peer;
};

enum class Disk : std::uint8_t { kFine, kFull, kReadOnly };

// One start of etcd.
struct Args {
  api::Version version;
  std::string name, peer_url, client_url;
  std::vector<std::pair<std::string, std::string>> initial;  // name, peer URL
  std::string token;
  bool existing = false;  // initial-cluster-state
  bool force_new = false;
  bool strict = true;  // strict-reconfig-check
  bool initial_check = false;
  base::Duration compact_check{0}, periodic_check{0};  // 0: off
  std::int64_t quota = std::int64_t{2} << 30;
  std::uint64_t snapshot_count = 0;  // 0: the version's default
  std::vector<std::string> flags;    // further ones, to see whether this version knows them
  int machine = 0;                   // for the network
  Disk disk = Disk::kFine;
  TlsSides tls;
};
// Of a command line as the guard runs it (without the program); certificates, disk and machine are
// not there to be read. An unknown flag goes to `flags`.
Args read_args(const api::Version& version, const std::vector<std::string>& argv);

struct End {
  int code = -1;  // -1: by `signal`
  int signal = 0;
  std::string log;  // the line by which the guard knows the class; may be empty
};

using Pid = int;  // never used twice in one Etcd

struct Match {
  base::MemberId member;
  std::uint64_t index = 0;
};

struct Process {
  enum class Phase : std::uint8_t { kStarting, kRunning, kEnded };
  Pid pid = 0;
  std::shared_ptr<const Args> args;
  Dir dir;
  Phase phase = Phase::kStarting;
  bool paused = false;  // SIGSTOP
  bool asked = false;   // SIGTERM came while it was paused: it is heard when it goes on
  bool ready = false;   // its client port is open: it has seen a quorum
  bool leads = false;
  bool leaving = false;   // it was removed, and ends soon
  base::MemberId leader;  // whom it believes to lead
  Log applied;
  std::vector<Match> match;     // of a leader: what it remembers of the others
  std::uint64_t log_start = 0;  // who has less gets a raft snapshot from it
  base::Instant started_at{};
  // When what it waits for happens: it is up (starting), campaigns (no leader), steps down (a
  // leader without quorum), ends (removed). None: it waits for nothing.
  std::optional<base::Instant> due;
  std::optional<base::Instant> version_due, check_due;  // a leader's look at the versions, hashes
  std::shared_ptr<const TlsSides> tls;  // `trusted` as at the start, the leaves as they are now
  std::shared_ptr<const End> end;       // of kEnded

  [[nodiscard]] base::MemberId id() const { return dir.member; }
  [[nodiscard]] const State& state() const { return state_of(applied); }
  [[nodiscard]] int minor() const { return args->version.minor; }
  [[nodiscard]] bool is_up() const { return phase == Phase::kRunning && !paused; }
  [[nodiscard]] bool is_learner() const;
};

}  // namespace sim
