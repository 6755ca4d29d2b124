#include "sim/world/guard_life.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/backoff.h"
#include "base/text.h"
#include "guard/supervisor.h"
#include "sim/world/etcd_offline.h"

namespace sim {
namespace {

constexpr base::Backoff kBackoff{base::Duration(200), base::Duration(30'000)};
constexpr base::Backoff kNodeBackoff{base::Duration(5'000), base::Duration(60'000)};
constexpr base::Duration kStable{60'000}, kGrace{30'000}, kNote{2'000}, kFirstNote{200};
constexpr int kCannotExec = 127;

guard::Verdict verdict_of(guard::Class klass, std::string words) {
  guard::Verdict v;
  v.klass = klass;
  v.signature = std::move(words);
  return v;
}

std::vector<std::pair<std::string, std::string>> parse_initial(const std::string& text) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const auto part : base::split(text, ',')) {
    const auto equals = part.find('=');
    if (equals != std::string_view::npos)
      out.emplace_back(part.substr(0, equals), part.substr(equals + 1));
  }
  return out;
}

std::int64_t bump_in(const std::vector<std::string>& argv) {
  constexpr std::string_view kFlag = "--bump-revision=";
  for (const auto& arg : argv)
    if (arg.starts_with(kFlag))
      return base::parse_int(std::string_view(arg).substr(kFlag.size())).value_or(0);
  return 0;
}

bool has_flag(const std::vector<std::string>& argv, const std::string& name) {
  return std::ranges::any_of(argv, [&](const auto& arg) { return arg.starts_with(name + "="); });
}

const guard::Paths& paths() {
  static const guard::Paths kPaths{"/member"};
  return kPaths;
}

}  // namespace

void GuardLife::begin() {
  place_.verdict = nullptr;
  place_.state = nullptr;
  guard_ = Guard{};
  round();
}

void GuardLife::round() {
  guard_.phase = Guard::Phase::kWaiting;
  write_state(guard::Phase::kStarting);
  if (!place_.ticket)
    return conclude(
        verdict_of(guard::Class::kConfig, "the ticket cannot be used: it is not there"));
  guard::Seen seen;
  if (place_.volume.marker_torn)
    seen.marker = base::Fact<guard::Marker>::unknown("the marker is torn");
  else if (place_.volume.marker)
    seen.marker = *place_.volume.marker;
  else
    seen.marker = base::Fact<guard::Marker>::absent();
  seen.wal = wal_seen(place_.volume.data);
  seen.leftovers = place_.volume.leftovers || !place_.volume.data.blank();
  guard::Decision decision = guard::decide(*place_.ticket, seen);
  if (decision.marker.origin.empty()) decision.marker.origin = base::to_hex(++world_.origins);
  if (decision.start == guard::Start::kNone)
    return conclude(verdict_of(decision.klass, decision.why));
  if (auto failed = prepare(decision)) return conclude(*std::move(failed));
  if (guard_.phase == Guard::Phase::kNone) return;  // it died
  run_etcd(decision);
}

std::optional<guard::Verdict> GuardLife::prepare(const guard::Decision& decision) {
  Volume& volume = place_.volume;
  guard::Verdict no_room = verdict_of(guard::Class::kNode, "no space left on device");
  if (decision.move_aside) {
    if (volume.disk == Disk::kReadOnly) return no_room;
    volume.data = Dir{};
    volume.leftovers = false;
  }
  if (decision.start == guard::Start::kRestore) {
    // Before anything is built: data that stands there afterwards is what was built.
    guard::Marker begun = decision.marker;
    begun.started = false;
    begun.restoring = std::exchange(begun.restored, {});
    if (!keep_marker(begun)) return no_room;
    if (dies_at("restore.begun")) return std::nullopt;
    if (auto failed = build_restored()) return failed;
    if (dies_at("restore.built")) return std::nullopt;
  }
  const File<guard::Marker> before = volume.marker;
  if (before && !volume.marker_torn && *before == decision.marker) return std::nullopt;
  if (keep_marker(decision.marker)) return std::nullopt;
  // The marker there says all that a start needs; only its note of the log is behind.
  if (decision.start != guard::Start::kOwn || !before || !before->started || !before->member_id)
    return no_room;
  return std::nullopt;
}

std::optional<guard::Verdict> GuardLife::build_restored() {
  const guard::Ticket& ticket = *place_.ticket;
  std::string why;
  const auto argv = guard::restore_argv(ticket, paths(), why);
  if (argv.empty()) return verdict_of(guard::Class::kConfig, why);
  const auto saved = world_.saved.find(ticket.restore_operation);
  if (saved == world_.saved.end() || !saved->second.snapshot)
    return verdict_of(guard::Class::kConfig, "restore: there is no such snapshot");
  Dir dir = restore(*saved->second.snapshot, ticket.member_name,
                    parse_initial(ticket.initial_cluster), ticket.restore_token, bump_in(argv));
  if (dir.blank()) return verdict_of(guard::Class::kConfig, "restore: the snapshot is not sound");
  if ((ticket.member_id && dir.member != ticket.member_id) ||
      (ticket.cluster_id && dir.cluster != ticket.cluster_id))
    return verdict_of(guard::Class::kConfig, "the restored directory is of another member");
  place_.volume.data = std::move(dir);
  return std::nullopt;
}

bool GuardLife::dies_at(std::string_view point) {
  if (world_.faults.once.erase(std::string(point)) == 0) return false;
  die();
  return true;
}

bool GuardLife::keep_marker(const guard::Marker& marker) {
  if (place_.volume.disk != Disk::kFine) return false;
  place_.volume.marker = file(marker);
  place_.volume.marker_torn = false;
  return true;
}

void GuardLife::run_etcd(const guard::Decision& decision) {
  const guard::Ticket& ticket = *place_.ticket;
  guard_.first_start =
      decision.start == guard::Start::kBlankNew || decision.start == guard::Start::kBlankExisting;
  if (!world_.binaries.contains(ticket.version)) {
    guard::LogScanner scanner;
    scanner.feed(fmt::format("{}{}\n", guard::kCannotRun, ticket.etcd), 0);
    bool condemns = false;
    return conclude(guard::judge({kCannotExec, 0}, scanner, 0, condemns));
  }
  auto argv = guard::etcd_argv(ticket, paths(), decision.start);
  argv.erase(argv.begin());
  Args args = read_args(api::parse_version(ticket.version).value_or(api::Version{}), argv);
  args.machine = place_.machine;
  args.disk = place_.volume.disk;
  args.tls.client.on = has_flag(argv, "--cert-file");
  args.tls.client.leaf = place_.server;
  args.tls.client.trusted = {1};
  args.tls.peer.on = has_flag(argv, "--peer-cert-file");
  args.tls.peer.leaf = place_.peer;
  args.tls.peer.trusted = {world_.peer_authority(ticket.incarnation)};
  guard_.etcd = world_.etcd_.start(std::move(args), std::move(place_.volume.data), world_.now_);
  place_.volume.data = Dir{};
  guard_.phase = Guard::Phase::kWatching;
  guard_.started = world_.now_;
  guard_.note = world_.now_ + kFirstNote;
  guard_.kill_at.reset();
  write_state(guard::Phase::kRunning);
}

void GuardLife::step() {
  for (int again = 0; again < 2; ++again) {
    if (guard_.phase == Guard::Phase::kWatching) {
      const Process* etcd = world_.etcd_.find(guard_.etcd);
      if (etcd != nullptr && etcd->phase == Process::Phase::kEnded) etcd_ended();
    }
    if (guard_.phase != Guard::Phase::kWatching) break;
    if (guard_.note <= world_.now_) {
      note_log();
      if (guard_.state_owed) write_state(guard::Phase::kRunning);
      const bool known = place_.volume.marker && place_.volume.marker->member_id &&
                         place_.volume.marker->last_index > 0;
      guard_.note = world_.now_ + (known ? kNote : kFirstNote);
    }
    if (!guard_.kill_at || *guard_.kill_at > world_.now_) break;
    guard_.kill_at = world_.now_ + kGrace;
    world_.etcd_.stop(guard_.etcd, Etcd::Stop::kKill, world_.now_);
  }
  if (guard_.phase == Guard::Phase::kWaiting && guard_.wake <= world_.now_) round();
}

void GuardLife::etcd_ended() {
  const End end = *world_.etcd_.find(guard_.etcd)->end;
  place_.volume.data = world_.etcd_.reap(guard_.etcd);
  guard_.etcd = 0;
  guard_.phase = Guard::Phase::kWaiting;
  guard::LogScanner scanner;
  if (!end.log.empty()) scanner.feed(end.log + "\n", 0);
  bool condemns = false;
  guard::Verdict v = guard::judge({end.code, end.signal}, scanner, 0, condemns);
  if (guard_.kill_at && !guard::is_final(v.klass)) v.klass = guard::Class::kStopped;
  if (world_.now_ - guard_.started >= kStable) guard_.failures = 0;
  note_log();
  if (condemns && place_.volume.marker) {
    guard::Marker m = *place_.volume.marker;
    m.condemned = v.klass;
    keep_marker(m);
  } else if (guard_.first_start && place_.volume.data.blank() && place_.volume.marker) {
    // etcd never made a log, so this first start has not happened.
    guard::Marker m = *place_.volume.marker;
    m.started = false;
    place_.volume.leftovers = false;
    keep_marker(m);
  }
  conclude(std::move(v));
}

void GuardLife::conclude(guard::Verdict verdict) {
  const bool stopped = verdict.klass == guard::Class::kStopped;
  verdict.failures = stopped ? 0 : guard_.failures + 1;
  verdict.at = world_.now_;
  place_.verdict = file(verdict);
  guard_.kill_at.reset();
  if (stopped || guard::is_final(verdict.klass)) {
    write_state(guard::Phase::kEnded);
    guard_ = Guard{};
    return;
  }
  ++guard_.failures;
  const auto& backoff = verdict.klass == guard::Class::kNode ? kNodeBackoff : kBackoff;
  const auto random = world_.etcd_.timing().constant ? 0 : world_.draw();
  guard_.phase = Guard::Phase::kWaiting;
  guard_.wake = world_.now_ + std::max(base::Duration{1}, backoff.wait(guard_.failures, random));
  write_state(guard::Phase::kBackoff);
}

void GuardLife::ask_to_stop() {
  if (guard_.phase == Guard::Phase::kWaiting)
    return conclude(verdict_of(guard::Class::kStopped, "asked to stop"));
  if (guard_.phase != Guard::Phase::kWatching || guard_.kill_at) return;
  guard_.kill_at = world_.now_ + kGrace;
  world_.etcd_.stop(guard_.etcd, Etcd::Stop::kTerm, world_.now_);
}

void GuardLife::nudge() {
  if (guard_.phase != Guard::Phase::kWaiting) return;
  guard_.failures = 0;
  round();
}

void GuardLife::note_log() {
  if (!place_.volume.marker || place_.volume.marker_torn) return;
  const Process* running =
      guard_.phase == Guard::Phase::kWatching ? world_.etcd_.find(guard_.etcd) : nullptr;
  const guard::WalSeen wal = wal_seen(running != nullptr ? running->dir : place_.volume.data);
  const guard::Marker& was = *place_.volume.marker;
  const guard::LogEnd noted{was.last_term, was.last_index};
  const bool ours = !was.member_id || wal.member_id == was.member_id;
  const bool further = wal.end > noted || wal.hard_term > was.hard_term || wal.commit > was.commit;
  if (!wal.member_id || !ours || (!further && was.member_id && was.cluster_id)) return;
  guard::Marker m = was;
  m.member_id = wal.member_id;
  m.cluster_id = wal.cluster_id;
  const guard::LogEnd end = std::max(wal.end, noted);
  m.last_term = end.term;
  m.last_index = end.index;
  m.hard_term = std::max(m.hard_term, wal.hard_term);
  m.commit = std::max(m.commit, wal.commit);
  keep_marker(m);
}

void GuardLife::die() {
  if (guard_.phase == Guard::Phase::kWatching) {
    world_.etcd_.stop(guard_.etcd, Etcd::Stop::kKill, world_.now_);
    (void)world_.etcd_.settle(world_.now_);
    place_.volume.data = world_.etcd_.reap(guard_.etcd);
  }
  guard_ = Guard{};
}

void GuardLife::write_state(guard::Phase phase) {
  guard_.state_owed = place_.volume.disk != Disk::kFine;
  if (guard_.state_owed) return;
  guard::State s = place_.state ? *place_.state : guard::State{};
  s.phase = phase;
  s.boot_id = std::to_string(world_.machines.at(static_cast<size_t>(place_.machine)).boots);
  s.guard_pid = 1;
  s.etcd_pid = phase == guard::Phase::kRunning ? guard_.etcd : 0;
  if (phase == guard::Phase::kRunning) {
    s.version = place_.ticket->version;
    s.template_hash = place_.ticket->template_hash;
    ++s.starts;
  }
  s.since = world_.now_;
  place_.state = file(std::move(s));
}

}  // namespace sim
