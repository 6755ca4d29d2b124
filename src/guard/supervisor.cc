#include "guard/supervisor.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <utility>

#include "base/backoff.h"
#include "base/text.h"
#include "guard/birth_watch.h"
#include "guard/clock.h"
#include "guard/look.h"

namespace guard {
namespace {

constexpr std::int64_t kLockWaitMs = 2'000;
constexpr std::int64_t kLockRetryMs = 50;
constexpr std::int64_t kStableMs = 60'000;  // after it the failures are forgotten
constexpr base::Backoff kBackoff{base::Duration(200), base::Duration(30'000)};
constexpr base::Backoff kNodeBackoff{base::Duration(5'000), base::Duration(60'000)};
constexpr std::uint64_t kEtcdLogBytes = std::uint64_t{8} << 20;
constexpr std::uint64_t kGuardLogBytes = std::uint64_t{1} << 20;

Verdict verdict_of(Class klass, std::string words) {
  Verdict v;
  v.klass = klass;
  v.signature = std::move(words);
  return v;
}

// A disk that is full or read-only is the machine's; anything else is tried again.
Verdict verdict_of(const base::Error& error) {
  const bool node =
      error.code == base::Code::kResourceExhausted || error.code == base::Code::kPermissionDenied;
  return verdict_of(node ? Class::kNode : Class::kRetry, error.message);
}

std::string fresh_origin() {
  std::uint64_t random = 0;
  (void)!::getrandom(&random, sizeof random, GRND_NONBLOCK);
  const auto now = static_cast<std::uint64_t>(wall_now().time_since_epoch().count());
  return base::to_hex(random) + "-" + base::to_hex(now);
}

}  // namespace

Supervisor::Supervisor(Options options)
    : options_(std::move(options)),
      etcd_log_(options_.paths.logs() + "/etcd.log", kEtcdLogBytes, 2, options_.echo),
      guard_log_(options_.paths.logs() + "/guard.log", kGuardLogBytes, 1, options_.echo) {
  if (const auto id = read_file("/proc/sys/kernel/random/boot_id", 256))
    state_.boot_id = base::trim(*id);
  state_.guard_pid = ::getpid();
}

int Supervisor::run() {
  sigset_t set;
  sigemptyset(&set);
  for (const int s : {SIGTERM, SIGINT, SIGHUP, SIGCHLD}) sigaddset(&set, s);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  signals_ = Fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals_) return kExitInternal;
  if (const auto locked = take_lock(); !locked) return end_unlocked(locked.error());
  (void)make_dir(options_.paths.logs());
  log("guard started", fmt::format("pid={} version={}", ::getpid(), EO_VERSION));
  for (;;) {
    Verdict v = stopping_ ? verdict_of(Class::kStopped, "asked to stop") : round();
    if (stopping_ && !is_final(v.klass)) v.klass = Class::kStopped;
    write_verdict(v);
    if (v.klass == Class::kStopped || is_final(v.klass)) {
      write_state(Phase::kEnded);
      log("guard ends", name_of(v.klass));
      return exit_code_of(v.klass);
    }
    write_state(Phase::kBackoff);
    wait_backoff(v);
  }
}

base::Status Supervisor::take_lock() {
  const std::string path = options_.paths.lock();
  // Not close-on-exec: etcd holds it too, so that it is free only when both are gone.
  lock_ = Fd(::open(path.c_str(), O_RDWR | O_CREAT, 0600));
  if (!lock_) return std::unexpected(errno_error("open " + path, errno));
  const std::int64_t until = monotonic_ms() + kLockWaitMs;
  while (::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EINTR && errno != EWOULDBLOCK)
      return std::unexpected(errno_error("lock " + path, errno));
    if (monotonic_ms() >= until)
      return base::fail(base::Code::kFailedPrecondition,
                        path + " is held by another guard or its etcd");
    wait(-1, monotonic_ms() + kLockRetryMs);
    if (stopping_) return base::fail(base::Code::kCancelled, "asked to stop");
  }
  return {};
}

// Who holds the lock has the say, and the files. A lock that cannot be taken at all is the
// machine's fault, and nobody runs who could tell.
int Supervisor::end_unlocked(const base::Error& why) {
  if (why.code == base::Code::kCancelled) return 0;
  fmt::print(stderr, "etcd-guard: {}\n", why.message);
  if (why.code == base::Code::kFailedPrecondition) return kExitLocked;
  Verdict v = verdict_of(Class::kNode, why.message);
  write_verdict(v);
  return exit_code_of(v.klass);
}

Verdict Supervisor::round() {
  write_state(Phase::kStarting);
  const auto ticket = read_ticket(options_.paths);
  if (!ticket) {
    const bool unread = ticket.error().code == base::Code::kUnavailable;
    return verdict_of(unread ? Class::kRetry : Class::kConfig,
                      "the ticket cannot be used: " + ticket.error().message);
  }
  volume_ = place_at(options_.paths.volume());
  WalCursor cursor(options_.paths.data());
  const Seen seen = look(options_.paths, cursor);
  Decision decision = decide(*ticket, seen);
  if (decision.marker.origin.empty()) decision.marker.origin = fresh_origin();
  log("looked", fmt::format("start={} class={} why=\"{}\"", name_of(decision.start),
                            name_of(decision.klass), decision.why));
  if (decision.start == Start::kNone) return verdict_of(decision.klass, decision.why);
  if (auto failed = prepare(*ticket, decision, seen)) return *std::move(failed);
  volume_ = place_at(options_.paths.volume());
  // What was read belongs to the directory that was there before.
  if (decision.start != Start::kOwn) cursor = WalCursor(options_.paths.data());
  return run_etcd(*ticket, decision, cursor);
}

std::optional<Verdict> Supervisor::prepare(const Ticket& ticket, const Decision& decision,
                                           const Seen& seen) {
  if (auto s = make_dir(options_.paths.volume()); !s) return verdict_of(s.error());
  if (decision.move_aside)
    if (auto s = move_aside(); !s) return verdict_of(s.error());
  if (decision.start == Start::kRestore) {
    if (auto s = note_restoring(decision); !s) return verdict_of(s.error());
    if (auto failed = build_restored(ticket)) return failed;
  }
  const Marker* before = seen.marker.get();
  if (before != nullptr && *before == decision.marker) {
    marker_ = *before;
    return std::nullopt;
  }
  const auto kept = keep_marker(decision.marker);
  if (kept) return std::nullopt;
  // On a full disk a member with its data may still run: the marker there says all that a start
  // needs, and only its note of the log is behind.
  if (decision.start != Start::kOwn || before == nullptr || !before->started || !before->member_id)
    return verdict_of(kept.error());
  marker_ = *before;
  log("the marker cannot be written", kept.error().message);
  return std::nullopt;
}

base::Status Supervisor::move_aside() {
  log("moves stale data aside", options_.paths.stale());
  TRY_OK(remove_tree(options_.paths.stale()));
  return rename_durably(options_.paths.data(), options_.paths.stale());
}

base::Status Supervisor::keep_marker(const Marker& marker) {
  TRY_OK(write_file(options_.paths.marker(), encode(marker), Last::kForGood));
  marker_ = marker;
  return {};
}

// Before anything is built: data that stands there afterwards is what was built.
base::Status Supervisor::note_restoring(const Decision& decision) {
  TRY_OK(remove_tree(options_.paths.data()));  // moved aside, or empty
  TRY_OK(sync_dir(options_.paths.volume()));
  Marker m = decision.marker;
  m.started = false;
  m.restoring = std::exchange(m.restored, {});
  return keep_marker(m);
}

std::optional<Verdict> Supervisor::build_restored(const Ticket& ticket) {
  const Paths& paths = options_.paths;
  std::string why;
  const auto argv = restore_argv(ticket, paths, why);
  if (argv.empty()) return verdict_of(Class::kConfig, why);
  if (auto s = remove_tree(paths.restoring()); !s) return verdict_of(s.error());
  log("restores", ticket.restore_snapshot);
  auto child = spawn(argv);
  if (!child) return verdict_of(child.error());
  LogScanner scanner;
  const Exit exit = watch(*child, scanner, base::Duration(0), nullptr);
  if (stopping_) return verdict_of(Class::kStopped, "asked to stop while restoring");
  if (exit.code != 0) {
    (void)remove_tree(paths.restoring());
    bool condemns = false;
    Verdict v = judge(exit, scanner, monotonic_ms(), condemns);
    if (v.klass != Class::kNode) v.klass = Class::kConfig;
    v.signature = "restore: " + v.signature;
    return v;
  }
  WalCursor restored(paths.restoring());
  const WalSeen& wal = restored.advance();
  if (wal.state != WalSeen::State::kSound ||
      (ticket.member_id && wal.member_id != ticket.member_id) ||
      (ticket.cluster_id && wal.cluster_id != ticket.cluster_id))
    return verdict_of(
        Class::kConfig,
        fmt::format("the restored directory is of member {} of cluster {}, not of {} "
                    "of {} {}",
                    base::to_text(wal.member_id), base::to_text(wal.cluster_id),
                    base::to_text(ticket.member_id), base::to_text(ticket.cluster_id), wal.why));
  if (auto s = sync_filesystem_of(paths.restoring()); !s) return verdict_of(s.error());
  if (auto s = rename_durably(paths.restoring(), paths.data()); !s) return verdict_of(s.error());
  return std::nullopt;
}

Verdict Supervisor::run_etcd(const Ticket& ticket, const Decision& decision, WalCursor& cursor) {
  const bool blank = decision.start == Start::kBlankNew || decision.start == Start::kBlankExisting;
  std::optional<BirthWatch> birth;
  if (blank) birth.emplace(options_.paths.data());
  auto child = spawn(etcd_argv(ticket, options_.paths, decision.start));
  if (!child) return verdict_of(child.error());
  const std::int64_t started = monotonic_ms();
  ++state_.starts;
  state_.version = ticket.version;
  state_.template_hash = ticket.template_hash;
  write_state(Phase::kRunning, child->pid);
  log("etcd started", fmt::format("pid={} version={}", child->pid, ticket.version));
  LogScanner scanner;
  const Exit exit = watch(*child, scanner, options_.stop_grace, &cursor);
  const std::int64_t now = monotonic_ms();
  bool condemns = false;
  Verdict v = judge(exit, scanner, now, condemns);
  if (stopping_ && !is_final(v.klass)) v.klass = Class::kStopped;
  if (now - started >= kStableMs) failures_ = 0;
  note_log(cursor);
  if (condemns) {
    Marker m = marker_;
    m.condemned = v.klass;
    if (auto s = keep_marker(m); !s) log("the marker cannot be written", s.error().message);
  } else if (birth && cursor.seen().state == WalSeen::State::kNone && birth->never_had_log()) {
    take_back_start(decision);
  }
  log("etcd ended", fmt::format("class={} code={} signal={} words=\"{}\"", name_of(v.klass),
                                v.exit_code, v.signal, v.signature));
  return v;
}

// The newest entry that is surely on disk goes into the marker.
void Supervisor::note_log(WalCursor& cursor) {
  const WalSeen& wal = cursor.advance();
  const bool ours = !marker_.member_id || wal.member_id == marker_.member_id;
  const bool further = wal.end > LogEnd{marker_.last_term, marker_.last_index} ||
                       wal.hard_term > marker_.hard_term || wal.commit > marker_.commit;
  if (!wal.member_id || !ours || (!further && marker_.member_id && marker_.cluster_id)) return;
  if (!cursor.sync()) return;
  Marker m = marker_;
  m.member_id = wal.member_id;
  m.cluster_id = wal.cluster_id;
  const LogEnd end = std::max(wal.end, LogEnd{m.last_term, m.last_index});
  m.last_term = end.term;
  m.last_index = end.index;
  m.hard_term = std::max(m.hard_term, wal.hard_term);
  m.commit = std::max(m.commit, wal.commit);
  if (auto s = keep_marker(m); !s) log("the marker cannot be written", s.error().message);
}

// etcd never made a log, so this first start has not happened; what it left holds nothing.
void Supervisor::take_back_start(const Decision& decision) {
  Marker m = decision.marker;
  m.started = false;
  auto s = remove_tree(options_.paths.data());
  if (s) s = keep_marker(m);
  if (!s) log("a first start cannot be taken back", s.error().message);
}

void Supervisor::wait_backoff(const Verdict& verdict) {
  ++failures_;
  unsigned long long random = 0;
  (void)!::getrandom(&random, sizeof random, GRND_NONBLOCK);
  const auto& backoff = verdict.klass == Class::kNode ? kNodeBackoff : kBackoff;
  const std::int64_t until = monotonic_ms() + backoff.wait(failures_, random).count();
  nudged_ = false;
  while (!stopping_ && !nudged_ && monotonic_ms() < until) wait(-1, until);
  if (nudged_) failures_ = 0;
}

void Supervisor::write_state(Phase phase, std::int64_t etcd_pid) {
  state_.phase = phase;
  state_.etcd_pid = etcd_pid;
  state_.since = wall_now();
  const auto s = write_file(options_.paths.state(), encode(state_), Last::kUntilReboot);
  // Without it the operator cannot find this process to stop it: written as soon as there is room.
  state_owed_ = !s;
  if (!s) log("the state cannot be written", s.error().message);
}

void Supervisor::write_verdict(Verdict& verdict) {
  verdict.failures = verdict.klass == Class::kStopped ? 0 : failures_ + 1;
  verdict.at = wall_now();
  verdict.volume = volume_;
  log("verdict", fmt::format("class={} words=\"{}\"", name_of(verdict.klass), verdict.signature));
  if (auto s = write_file(options_.paths.verdict(), encode(verdict), Last::kForGood); !s)
    log("the verdict cannot be written", s.error().message);
  if (options_.termination_message.empty()) return;
  Verdict brief = verdict;  // Kubernetes shows 4096 bytes of it
  brief.signature.resize(std::min<std::size_t>(brief.signature.size(), 2048));
  if (auto s = overwrite_file(options_.termination_message, encode(brief)); !s)
    log("the termination message cannot be written", s.error().message);
}

void Supervisor::log(std::string_view event, std::string_view detail) {
  guard_log_.write(fmt::format("{} {} {}\n", base::to_rfc3339(wall_now()), event, detail));
}

}  // namespace guard
