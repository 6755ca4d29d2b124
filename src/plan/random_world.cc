#include "plan/random_world.h"

#include <fmt/format.h>
#include <rapidcheck.h>

#include <algorithm>

#include "plan/property.h"
#include "plan/random_draw.h"

namespace plan::test {
namespace {

using namespace std::chrono_literals;

base::MemberId id_of(int ordinal) {
  return base::MemberId{0xa0U + static_cast<unsigned>(ordinal)};
}
Addresses addresses_of(int ordinal) {
  return {fmt::format("https://127.0.0.1:{}", 20000 + ordinal), "https://127.0.0.1:1", ""};
}
api::Version version() {
  return std::array<api::Version, 4>{
      {{3, 5, 12, ""}, {3, 5, 33, ""}, {3, 6, 16, ""}, {3, 7, 3, ""}}}
      .at(static_cast<std::size_t>(below(4)));
}
std::string hash() {
  return chance(80) ? "t1" : "t2";
}

Intent draw_intent() {
  Intent out;
  out.cluster.key.name = "c";
  api::ClusterSpec& spec = out.cluster.spec;
  spec.size = 1 + below(7);
  spec.version = version();
  out.wish = chance(85) ? Wish::kPresent : any<Wish>(3);
  out.template_hash = hash();
  spec.paused = chance(3);
  spec.hibernate = chance(5);
  out.stop = chance(5);
  out.paused = chance(3);
  if (chance(5)) spec.restore = api::Restore{};
  spec.recovery.on_quorum_loss = any<api::OnQuorumLoss>(3);
  spec.recovery.on_data_loss = any<api::OnDataLoss>(3);
  spec.when_scaled = any<api::ClaimPolicy>(2);
  spec.when_deleted = any<api::ClaimPolicy>(2);
  if (chance(50)) spec.tls.mode = api::TlsMode::kDisabled;
  if (chance(20)) out.approvals.push_back({"op", start() + 1h});
  return out;
}

MemberRecord draw_member(int ordinal, const Record& record) {
  MemberRecord m;
  m.name = fmt::format("c-{}", ordinal);
  m.ordinal = ordinal;
  m.addresses = addresses_of(ordinal);
  m.volume = fmt::format("v{}", ordinal);
  m.incarnation = record.incarnation;
  m.version = chance(70) ? record.version : version();
  m.template_hash = hash();
  m.ran = chance(80);
  m.may_start = chance(85);
  m.started_at = ago();
  if (chance(20)) m.unreachable_since = ago();
  if (record.formation == Formation::kForming) return m;
  m.id = id_of(ordinal);
  m.permit = Permit::kData;
  const int roll = below(100);
  m.phase = roll < 85   ? Phase::kVoter
            : roll < 90 ? Phase::kRemoving
            : roll < 95 ? Phase::kRetired
                        : Phase::kSurvivor;
  if (m.phase != Phase::kVoter) m.may_start = false;
  return m;
}

// At most one member joins at a time.
void draw_joining(Record& record, int ordinal) {
  MemberRecord m = draw_member(ordinal, record);
  m.phase = chance(50) ? Phase::kAdding : Phase::kLearner;
  m.permit = chance(70) ? Permit::kJoin : Permit::kData;
  if (m.phase == Phase::kAdding) {
    m.id = chance(70) ? base::MemberId{} : id_of(ordinal);
    m.permit = Permit::kJoin;
    m.may_start = m.ran = false;
  }
  record.members[m.name] = m;
}

Record draw_record() {
  Record r;
  r.key.name = "c";
  r.formation = chance(85) ? Formation::kLatched : any<Formation>(2);
  r.old_tokens = {"c-i0"};
  if (r.formation == Formation::kNone) return r;
  r.incarnation = "i1";
  r.token = "c-i1";
  r.size = 1 + below(7);
  r.version = version();
  r.template_hash = hash();
  const int count = r.formation == Formation::kForming ? r.size : 1 + below(6);
  for (int i = 0; i < count; ++i) {
    MemberRecord m = draw_member(i, r);
    r.members[m.name] = m;
  }
  r.next_ordinal = count;
  if (r.formation == Formation::kLatched) {
    r.cluster_id = base::ClusterId{0xc1};
    r.open_to_clients = chance(90);
    r.hibernated = chance(5);
    r.declared_by = chance(20) ? "another" : "";
    r.highest_minor_seen = 5 + below(3);
    if (chance(30)) draw_joining(r, r.next_ordinal++);
  }
  r.last_quorum_read = ago();
  if (chance(20)) r.quorum_lost_since = ago();
  if (r.formation == Formation::kForming || chance(40)) {
    Operation o;
    o.id = "op";
    o.kind =
        r.formation == Formation::kForming ? OperationKind::kBootstrap : any<OperationKind>(12);
    o.member = chance(50) ? fmt::format("c-{}", below(6)) : "";
    o.step = std::array<std::string, 5>{"remove", "add", "restart", "discard", "approve empty"}.at(
        static_cast<std::size_t>(below(5)));
    o.started_at = ago();
    o.deadline = start() + (chance(70) ? 10min : -10min);
    o.halted = chance(20);
    r.operation = o;
  }
  return r;
}

MemberFacts draw_facts(const Record& record) {
  MemberFacts f;
  const bool well = chance(60);
  f.process = fact(well ? Process::kRunning : any<Process>(4));
  f.data = fact(well ? Data::kOwn : any<Data>(6));
  f.ticket = fact(well ? Permit::kData : any<Permit>(4));
  if (!well && chance(60)) f.ended = Ending{any<End>(10), "its last words", ago(), 1};
  f.version = chance(80) ? record.version.text() : version().text();
  f.template_hash = hash();
  f.certificate_expires = fact(base::Instant(start() + (chance(90) ? 1000h : -1h)));
  f.certificate_renew_at = fact(base::Instant(start() + (chance(90) ? 500h : -1h)));
  return f;
}

EtcdStatus draw_status(base::MemberId leader) {
  EtcdStatus s;
  s.cluster_id = base::ClusterId{chance(95) ? 0xc1U : 0xbadU};
  s.leader = chance(85) ? leader : id_of(below(7));
  if (chance(5)) s.leader = {};
  s.version = version().text();
  s.storage_version = chance(80) ? "3.5.0" : "3.6.0";
  s.raft_term = chance(90) ? 5U : 4U + static_cast<unsigned>(below(4));
  s.raft_applied = s.raft_index = chance(90) ? 10'000U : static_cast<unsigned>(below(10'000));
  s.revision = 1 + below(1000);
  s.db_size = chance(80) ? 20 << 20 : 2LL << 30;
  s.db_in_use = chance(80) ? s.db_size : s.db_size / 4;
  s.db_quota = 2LL << 30;
  s.learner = chance(10);
  return s;
}

void draw_live(World& w) {
  Membership list;
  list.cluster_id = base::ClusterId{chance(95) ? 0xc1U : 0xbadU};
  for (const auto& [name, m] : w.record.members) {
    const bool out = m.phase == Phase::kRetired || m.phase == Phase::kSurvivor;
    if (!chance(out ? 5 : 92)) continue;
    EtcdMember e;
    e.id = m.id && chance(98) ? m.id : id_of(m.ordinal);
    e.name = name;
    e.peer_url = m.addresses.peer_url;
    const bool joins = m.phase == Phase::kAdding || m.phase == Phase::kLearner;
    e.learner = chance(joins ? 85 : 3);
    e.started = chance(joins ? 60 : 95);
    list.members.push_back(e);
  }
  if (chance(15))
    list.members.push_back(
        {base::MemberId{0xbeef}, "x", "https://192.0.2.1:2380", chance(60), chance(40)});
  const auto leader = id_of(below(4));
  for (const EtcdMember& e : list.members) {
    if (chance(85)) w.seen.statuses[e.id] = fact(draw_status(leader));
  }
  if (chance(80)) {
    w.seen.membership = list;
    w.seen.quorum_read = start();
  } else {
    w.seen.membership = base::Fact<Membership>::unknown("request timed out");
    w.seen.quorum_read = fact(ago());
  }
}

void draw_last(Observation& seen) {
  LastAct last;
  last.action =
      std::array<std::string, 12>{"AddLearner",     "RemoveMember",     "PromoteMember",
                                  "WriteTicket",    "StartMember",      "PrepareMember",
                                  "MoveLeader",     "DiscardFormation", "StopMember",
                                  "ExportSurvivor", "SnapshotSurvivor", "NewPeerAuthority"}
          .at(static_cast<std::size_t>(below(12)));
  last.damaged = chance(20);
  last.outcome = any<Outcome>(3);
  last.failures = last.outcome == Outcome::kDone ? 0 : 1 + static_cast<unsigned>(below(4));
  last.at = ago();
  seen.last = last;
}

// --- disasters ----------------------------------------------------------------------------------

// Of a member where no quorum is: mostly it is clear what became of it.
MemberFacts draw_remains(const Record& record) {
  MemberFacts f = draw_facts(record);
  const int roll = below(10);
  if (roll < 4) {
    f.data = Data::kOwn;
    f.ended.reset();
  } else if (roll < 8) {
    f.data = chance(80) ? Data::kBlank : Data::kOlder;
    f.ended = Ending{End::kDataLost, "no data", ago(), 1};
  } else if (chance(30)) {
    f.data = Data::kOwn;
    f.ended = Ending{chance(50) ? End::kRemoved : End::kDataLost, "its last words", ago(), 1};
  }
  if (chance(95)) f.process = chance(80) ? Process::kStopped : any<Process>(4);
  if (chance(6)) f.process = base::Fact<Process>::unknown("its lock cannot be read");
  if (chance(70)) {
    f.log_term = 4U + static_cast<unsigned>(below(2));
    f.log_index = 9'000U + static_cast<unsigned>(below(4));
    f.log_commit = f.log_index - 1;
  }
  return f;
}

// The decision is stored, and not yet carried out or just given to a new incarnation.
void draw_recovery(Record& r) {
  Recovery recovery;
  recovery.operation = "op";
  recovery.old_incarnation = r.incarnation;
  recovery.chosen_at = ago();
  recovery.approved = chance(50);
  std::vector<std::string> names;
  for (auto& [name, member] : r.members) {
    names.push_back(name);
    member.may_start = false;
    if (recovery.approved && chance(20)) recovery.vouched.insert(name);
    if (chance(20)) recovery.failed[name] = 1 + below(2);
  }
  const auto nth = static_cast<std::size_t>(below(static_cast<int>(names.size())));
  recovery.survivor = names.at(nth);
  Operation o;
  o.id = "op";
  o.kind = OperationKind::kRecovery;
  o.member = recovery.survivor;
  o.step =
      std::array<std::string, 3>{"save", "stop", "export"}.at(static_cast<std::size_t>(below(3)));
  if (chance(30)) {
    recovery.failure = "the recovery came to nothing";
    recovery.operation = "op0";
    o.step = chance(50) ? "approve again" : "approve again without proof";
    o.halted = true;
  }
  o.started_at = recovery.chosen_at;
  o.deadline = start() + (chance(80) ? 10min : -10min);
  r.operation = o;
  r.recovery = recovery;
  // Only a person orders another try.
  if (!recovery.failed.empty() && recovery.failure.empty()) r.recovery->approved = true;
  if (chance(60)) return;
  r.old_tokens.insert(r.token);
  r.incarnation = "i3";
  r.token = "c-i3";
  r.formation = Formation::kForming;
  r.cluster_id = {};
  r.epoch += 1;
  for (auto& [name, member] : r.members)
    member.phase = chance(70) || name == recovery.survivor ? Phase::kSurvivor : Phase::kRetired;
  MemberRecord m = draw_member(r.next_ordinal++, r);
  m.permit = Permit::kRestore;
  m.ran = m.may_start = chance(60);
  if (recovery.failure.empty()) {
    r.operation->step = chance(50) ? "fence" : "restore";
    r.operation->member = m.name;
  }
  r.members[m.name] = m;
}

void draw_disaster(World& w) {
  w.seen.membership = base::Fact<Membership>::unknown("request timed out");
  w.seen.quorum_read = fact(ago());
  w.record.quorum_lost_since = ago();
  if (chance(10)) w.record.strangers = {"f00 at https://192.0.2.9:2380"};
  if (chance(40)) draw_recovery(w.record);
  if (chance(70)) w.intent.cluster.spec.recovery.on_quorum_loss = api::OnQuorumLoss::kAutomatic;
  for (auto& [name, m] : w.record.members) {
    const bool one = std::ranges::any_of(
        w.record.members, [](const auto& e) { return e.second.phase == Phase::kRemoving; });
    if (!one && m.phase == Phase::kVoter && chance(10)) {
      m.phase = Phase::kRemoving;
      m.may_start = false;
    }
    if (chance(70)) m.started_at = start() - 2h;
    if (chance(97)) w.seen.members[name] = draw_remains(w.record);
    if (w.record.recovery && chance(50)) w.seen.members[name].process = Process::kStopped;
    auto& status = w.seen.statuses[m.id];
    const auto facts = w.seen.members.find(name);
    const bool runs = facts != w.seen.members.end() && facts->second.process == Process::kRunning;
    if (runs && chance(80)) {
      EtcdStatus s = draw_status({});
      s.leader = {};
      status = s;
    } else if (!chance(3)) {
      status = base::Fact<EtcdStatus>::unknown("connection refused");
    }
  }
}

}  // namespace

World draw_world() {
  World w;
  w.now = start();
  w.intent = draw_intent();
  w.record = draw_record();
  Observation& seen = w.seen;
  seen.record_state = w.record.formation == Formation::kNone ? RecordState::kNone
                      : chance(97)                           ? RecordState::kOk
                                                             : RecordState::kTorn;
  if (chance(5)) seen.stray_data = fact(std::vector<std::string>{"c-9"});
  if (chance(5)) seen.stray_processes = fact(std::vector<std::string>{"c-9"});
  draw_live(w);
  for (const auto& [name, m] : w.record.members)
    if (chance(95)) seen.members[name] = draw_facts(w.record);
  if (w.record.formation == Formation::kLatched && chance(40)) draw_disaster(w);
  std::vector<Alarm> alarms;
  if (chance(10)) alarms.push_back({id_of(below(4)), any<AlarmKind>(2)});
  seen.alarms = fact(alarms);
  seen.cluster_version = fact(api::Version{3, 5 + below(3), 0, ""});
  for (int i = 0; chance(20) && i < 5; ++i) seen.hashes[id_of(i)] = {chance(70) ? 1U : 2U, 100, 10};
  for (const char* v : {"3.5.12", "3.5.33", "3.6.16", "3.7.3"})
    seen.binaries[v] = fact(chance(80) ? Binary::kPresent : any<Binary>(3));
  seen.client_certificate_published = chance(80);
  seen.survivor_snapshot = fact(chance(50));
  if (chance(40)) draw_last(seen);
  const bool exports = w.record.recovery && w.record.operation->step == "export";
  if (exports && chance(70)) {
    const bool done = chance(80);
    seen.last = LastAct{"ExportSurvivor",
                        done ? Outcome::kDone : Outcome::kRefused,
                        "a record fails its check sum",
                        start(),
                        done ? 0U : 1U,
                        !done};
  }
  for (int i = 0; i < below(9); ++i) {
    seen.addresses[w.record.next_ordinal + i] = addresses_of(w.record.next_ordinal + i);
    seen.fresh_volumes.push_back(fmt::format("v{}", w.record.next_ordinal + i));
  }
  seen.fresh_incarnation = chance(90) ? "i2" : "i0";
  seen.fresh_operation = "op2";
  if (chance(40)) draw_stores(w);
  return w;
}

std::string to_text(const World& w) {
  std::string out = fmt::format("wish {} size {} stop {} hibernate {}; formation {} list {}\n",
                                static_cast<int>(w.intent.wish), w.intent.cluster.spec.size,
                                w.intent.stop, w.intent.cluster.spec.hibernate,
                                name_of(w.record.formation), w.seen.membership.known());
  for (const auto& [name, m] : w.record.members)
    out += fmt::format("{} {} {} {} may_start {}\n", name, base::to_text(m.id), name_of(m.phase),
                       name_of(m.permit), m.may_start);
  if (w.seen.membership.known()) {
    for (const auto& e : w.seen.membership->members) {
      const auto at = w.seen.statuses.find(e.id);
      const bool answers = at != w.seen.statuses.end() && at->second.known();
      out +=
          fmt::format("listed {} started {} learner {} leader {}\n", base::to_text(e.id), e.started,
                      e.learner, answers ? base::to_text(at->second->leader) : "unknown");
    }
  }
  if (w.record.operation)
    out += fmt::format("operation {} {}\n", name_of(w.record.operation->kind),
                       w.record.operation->step);
  if (w.record.recovery)
    out += fmt::format("recovery from {} of {} approved {} failure '{}'\n",
                       w.record.recovery->survivor, w.record.recovery->old_incarnation,
                       w.record.recovery->approved, w.record.recovery->failure);
  for (const auto& [name, f] : w.seen.members)
    out += fmt::format("{} process {} data {} ended {} log {}.{}\n", name,
                       f.process.known() ? static_cast<int>(*f.process) : -1,
                       f.data.known() ? static_cast<int>(*f.data) : -1,
                       f.ended ? static_cast<int>(f.ended->end) : -1, f.log_term, f.log_index);
  return out;
}

Case draw() {
  Case c{draw_world(), {}};
  c.plan = plan(c.world.intent, c.world.record, c.world.seen, c.world.now);
  RC_LOG() << to_text(c.world) << "plans:\n" << steps(c.plan);
  return c;
}

std::string steps(const Plan& p) {
  std::string out;
  for (const Step& s : p.steps)
    out += fmt::format("{} ({})\n", to_text(s.action), name_of(s.reason));
  return out;
}

}  // namespace plan::test
