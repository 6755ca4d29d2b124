#include "sim/model/happen.h"

#include <algorithm>

#include "api/annotations.h"
#include "sim/model/asked.h"

namespace sim::model {
namespace {

using namespace std::chrono_literals;

constexpr base::Duration kTick = 10s, kLook = 50s, kAway = 600s;
constexpr int kLooks = 18;  // fifteen minutes

// What is taken away may have been the last copy.
Volume take(Cluster& state, const std::string& member) {
  return state.world.take_volume(member);
}

// What the guard had no time to note yet (two seconds) is beyond this model.
void put_damaged(Cluster& state, const std::string& member, void (*damage)(Dir&, int), int how) {
  // A full disk takes no notes either: what is cut then is beyond it too.
  Place& place = state.world.place(member);
  const Disk disk = std::exchange(place.volume.disk, Disk::kFine);
  state.world.note_logs();
  place.volume.disk = disk;
  Volume volume = take(state, member);
  damage(volume.data, how);
  state.world.put_volume(member, std::move(volume));
  excuse(state);
}

void roll_back(Dir& dir, int how) {
  const auto end = index_of(dir.tip);
  if (end > 1) dir = rolled_back(dir, how == 1 ? end - 1 : std::max<std::uint64_t>(1, end / 2));
}
void tear(Dir& dir, int how) {
  roll_back(dir, how);
  dir.damage = Damage::kTorn;
}
void flip(Dir& dir, int /*how*/) {
  dir.damage = Damage::kCrc;
}

// A client overwrites its key where that makes a difference: where a member that cannot hear of it
// holds the newest write, or the membership has changed since.
void write(Cluster& state) {
  // Endpoints are told when the cluster is open.
  if (!state.world.published || !state.stored || !state.stored->open_to_clients) return;
  const Process* leader = nullptr;
  for (const Process& p : state.world.etcd().processes())
    if (p.leads && p.is_up() && state.world.etcd().can_read(p.pid)) leader = &p;
  if (leader == nullptr) return;
  const bool first = state.ghost.acked == 0 || !holds_write(leader->state(), state.ghost.acked);
  const bool stale = std::ranges::any_of(state.world.places, [&](const auto& entry) {
    const Volume volume = state.world.volume_of(entry.first);
    if (volume.data.blank() || volume.data.cluster != leader->dir.cluster) return false;
    const Process* p = state.world.process_of(entry.first);
    const bool hears = p != nullptr && (p == leader || state.world.etcd().linked(*p, *leader));
    return !hears && state.ghost.acked != 0 &&
           holds_write(state_of(volume.data.tip), state.ghost.acked);
  });
  if (!first && !stale) return;
  const Pid pid = leader->pid;
  const auto sent = state.world.etcd().put(pid, "w", "1", state.world.now());
  if (!sent || !sent->entry || !state.world.etcd().done(*sent)) return;
  if (sent->entry->refusal.code != etcd::GrpcCode::kOk) return;
  state.ghost.acked = sent->entry->state->digest();
  state.ghost.excused = false;
}

// Once with one value, which only a person can delete; or by halves, of which the first is garbage.
void fill(Cluster& state, bool by_halves) {
  for (const Process& p : state.world.etcd().processes()) {
    if (!p.leads || !p.is_up()) continue;
    const auto room = p.args->quota - p.dir.db_size - 800;
    const auto size = std::clamp<std::int64_t>(by_halves ? room / 2 : room, 1, 65'536);
    const Pid pid = p.pid;
    const std::string value(static_cast<std::size_t>(size), 'x');
    for (int i = 0; i < (by_halves ? 3 : 2); ++i)
      (void)state.world.etcd().put(pid, "big", value, state.world.now());
    return;
  }
}

std::int64_t quota_of(const Cluster& state, const std::string& member) {
  const Process* p = state.world.process_of(member);
  return p == nullptr ? 0 : p->args->quota;
}

// As it was left by keys that are gone: the files keep their size.
bool free_pages(Cluster& state) {
  constexpr std::int64_t kLarge = std::int64_t{200} << 20U;
  for (auto& [name, place] : state.world.places) {
    if (state.world.volume_of(name).data.blank() || quota_of(state, name) < kLarge * 2)
      return false;
  }
  for (auto& [name, place] : state.world.places) {
    state.world.kill_guard(name);
    place.volume.data.db_size = kLarge;
    state.world.start_guard(name);
  }
  return true;
}

void set_leaves(Cluster& state, const std::string& member, base::Duration left) {
  const base::Instant now = state.world.now();
  const auto aged = [&](Leaf leaf) {
    if (leaf.until == base::Instant{}) return leaf;
    leaf.until = now + left;
    leaf.from = now - 10 * std::chrono::abs(left) - 1h;
    return leaf;
  };
  const Place& p = state.world.place(member);
  state.world.set_leaves(member, aged(p.server), aged(p.peer));
}

void all_leaves_due(Cluster& state) {
  std::vector<std::string> names;
  for (const auto& [name, place] : state.world.places) names.push_back(name);
  for (const std::string& name : names) set_leaves(state, name, 24h);
  const base::Instant now = state.world.now();
  for (Leaf* leaf : {&state.world.operator_leaf, &state.world.user_leaf})
    if (leaf->until != base::Instant{}) *leaf = {leaf->ca, now - 240h, now + 24h, leaf->name};
}

void heal(Cluster& state) {
  const auto cuts = state.world.etcd().cuts();
  for (const auto& [from, to] : cuts) state.world.etcd().heal(from, to, state.world.now());
  for (auto& [name, place] : state.world.places) {
    place.volume.disk = Disk::kFine;
    state.world.boot_machine(place.machine);
  }
}

void corrupt(Cluster& state, const std::string& member) {
  const Process* p = state.world.process_of(member);
  if (p == nullptr) return;
  const Pid pid = p->pid;
  (void)state.world.etcd().compact(pid, p->state().revision, state.world.now());
  // No two members are wrong in the same way: equal hashes would make them a majority.
  state.world.etcd().corrupt(pid, static_cast<std::uint32_t>(7 + ordinal_of(member)),
                             state.world.now());
}

// A person looks at what they are asked to vouch for: what is out of sight does not run.
bool approve(Cluster& state) {
  if (!state.stored || !state.stored->operation) return false;
  for (const auto& [name, place] : state.world.places)
    if (!state.world.reaches(place.machine) && state.world.is_alive(name)) return false;
  const plan::Operation& o = *state.stored->operation;
  if (o.kind != plan::OperationKind::kRecovery || !o.step.starts_with("approve")) return false;
  const bool given = std::ranges::any_of(
      state.intent.approvals, [&](const plan::Approval& a) { return a.operation == o.id; });
  if (given) return false;
  state.intent.approvals.push_back({o.id, state.world.now() + 24h});
  state.ghost.excused = true;
  return true;
}

// The hash names all that was changed, so that equal hashes mean equal options.
bool changes_template(plan::Intent& i, const std::string& option, const std::string& word) {
  if (i.template_hash.find(word) != std::string::npos) return false;
  i.template_hash += "." + word;
  auto& options = i.cluster.spec.etcd_options;
  const auto name = option.substr(0, option.find('='));
  std::erase_if(options,
                [&](const std::string& o) { return !name.empty() && o.starts_with(name); });
  if (!option.empty()) options.push_back(option);
  return true;
}

bool edit(Cluster& state, const Event& e) {
  plan::Intent& i = state.intent;
  api::ClusterSpec& spec = i.cluster.spec;
  i.cluster.generation += 1;
  switch (e.kind) {
    case Kind::kSetSize:
      return std::exchange(spec.size, e.member) != e.member;
    case Kind::kSetVersion: {
      const api::Version to{3, e.member, e.other, ""};
      return std::exchange(spec.version, to) != to;
    }
    case Kind::kSetTemplate:
      return changes_template(i, "", "t2");
    case Kind::kRaiseQuota:
      return changes_template(i, "--quota-backend-bytes=1048576", "quota");
    case Kind::kSetBadTemplate:
      return changes_template(i, "--no-such-flag=1", "bad");
    case Kind::kPause:
      spec.paused = !spec.paused;
      return true;
    case Kind::kHibernate:
      spec.hibernate = !spec.hibernate;
      return true;
    case Kind::kStop:
      i.stop = !i.stop;
      return true;
    case Kind::kDeleteData:
      spec.when_deleted = api::ClaimPolicy::kDelete;
      return std::exchange(i.wish, plan::Wish::kDeleted) != plan::Wish::kDeleted;
    case Kind::kProtect:
      i.cluster.annotations[std::string(api::kProtectAnnotation)] = "true";
      return std::exchange(i.wish, plan::Wish::kDeleted) != plan::Wish::kDeleted;
    case Kind::kDelete:
      return std::exchange(i.wish, plan::Wish::kDeleted) != plan::Wish::kDeleted;
    case Kind::kUnreadable:
      return std::exchange(i.wish, plan::Wish::kStale) != plan::Wish::kStale;
    case Kind::kAskFirst:
      return std::exchange(spec.recovery.on_quorum_loss, api::OnQuorumLoss::kApprove) !=
             api::OnQuorumLoss::kApprove;
    case Kind::kNeverRecover:
      spec.recovery.on_data_loss = api::OnDataLoss::kNever;
      return std::exchange(spec.recovery.on_quorum_loss, api::OnQuorumLoss::kNever) !=
             api::OnQuorumLoss::kNever;
    case Kind::kRestore:
      if (spec.restore) return false;
      spec.restore = api::Restore{};
      return true;
    case Kind::kPutBack: {
      auto approvals = i.approvals;
      i = *state.first_intent;
      i.approvals = std::move(approvals);
      return true;
    }
    default:
      return false;
  }
}

bool by_hand(Cluster& state, const Event& e) {
  for (const Process& p : state.world.etcd().processes()) {
    if (!p.leads || !p.is_up()) continue;
    const Pid pid = p.pid;
    const base::Instant now = state.world.now();
    if (e.kind == Kind::kAddForeign)
      return state.world.etcd().member_add(pid, "https://by-hand:2380", false, now).has_value();
    const Process* gone = state.world.process_of(member_name(e.member));
    return gone != nullptr && state.world.etcd().member_remove(pid, gone->id(), now).has_value();
  }
  return false;
}

bool befall_others(Cluster& state, const Event& e) {
  World& w = state.world;
  const auto machine = [&](int ordinal) { return w.place(member_name(ordinal)).machine; };
  switch (e.kind) {
    case Kind::kCutOperator:
      w.etcd().cut(0, machine(e.member), w.now());
      w.etcd().cut(machine(e.member), 0, w.now());
      return true;
    case Kind::kCutMembers:
      w.etcd().cut(machine(e.other), machine(e.member), w.now());
      [[fallthrough]];
    case Kind::kCutOneWay:
      w.etcd().cut(machine(e.member), machine(e.other), w.now());
      return true;
    case Kind::kTearRecord:
      forget_operator(state);
      w.tear_record();
      state.torn = true;
      return true;
    case Kind::kLoseRecord:
      forget_operator(state);
      w.record.bytes = nullptr;
      w.record.version += 1;
      state.stored.reset();
      return true;
    default:
      return edit(state, e);
  }
}

bool befall(Cluster& state, const Event& e) {
  World& w = state.world;
  const std::string member = member_name(e.member);
  switch (e.kind) {
    case Kind::kKillEtcd:
      w.kill_etcd(member);
      return true;
    case Kind::kKillGuard:
      w.kill_guard(member);
      return true;
    case Kind::kCrashMachine:
      w.crash_machine(w.place(member).machine);
      return true;
    case Kind::kLoseData:
      w.lose_data(member);
      excuse(state);
      return true;
    case Kind::kLoseVolume:
      if (state.ghost.taken.contains(member)) return false;
      state.ghost.taken[member] = take(state, member);
      return true;
    case Kind::kVolumeBack: {
      const auto at = state.ghost.taken.find(member);
      if (at == state.ghost.taken.end() || !w.places.contains(member)) return false;
      w.put_volume(member, std::move(at->second));
      state.ghost.taken.erase(member);
      return true;
    }
    case Kind::kForeignVolume:
      if (state.ghost.taken.contains(member)) return false;
      state.ghost.taken[member] = take(state, member);
      w.put_volume(member, w.volume_of(member_name(e.other)));
      return true;
    case Kind::kOlderData:
      put_damaged(state, member, roll_back, e.other);
      return true;
    case Kind::kTornTail:
      put_damaged(state, member, tear, 1);
      return true;
    case Kind::kBadLog:
      put_damaged(state, member, flip, 0);
      return true;
    case Kind::kCorrupt:
      corrupt(state, member);
      return true;
    case Kind::kDiskFull:
      w.set_disk(member, Disk::kFull);
      return true;
    case Kind::kLeafDue:
      all_leaves_due(state);
      return true;
    case Kind::kLeafExpired:
      set_leaves(state, member, -1s);
      return true;
    case Kind::kFillQuota:
      fill(state, e.member == 1);
      return true;
    case Kind::kFreePages:
      return free_pages(state);
    case Kind::kAddForeign:
    case Kind::kRemoveByHand:
      return by_hand(state, e);
    default:
      return befall_others(state, e);
  }
}

Mishap mishap_of(Kind kind) {
  switch (kind) {
    case Kind::kPassRefused:
      return Mishap::kRefused;
    case Kind::kPassAnswerLost:
      return Mishap::kLostAnswer;
    case Kind::kPassRequestLost:
      return Mishap::kLostRequest;
    case Kind::kPassDiesBefore:
      return Mishap::kDieBefore;
    case Kind::kPassDiesAfter:
      return Mishap::kDieAfter;
    default:
      return Mishap::kNone;
  }
}

void judged_pass(Cluster& state, const Event& e, Counts& counts, Happened& out) {
  const Before before = note(state);
  const Twist twist{mishap_of(e.kind), calls().at(static_cast<std::size_t>(e.call)), e.member};
  out.passed = pass(state, twist);
  if (out.passed->thought) count(counts, out.passed->thought->plan);
  out.violation = judge_pass(before, *out.passed, state, counts);
  if (out.violation.rule.empty()) out.violation = judge_state(state, counts);
}

void go_by(Cluster& state, base::Duration by, Counts& counts, Happened& out) {
  state.world.advance(by);
  state.passed = false;
  out.violation = judge_state(state, counts);
}

// The operator looks again and again, as long as it only waits.
void wait_patiently(Cluster& state, Counts& counts, Happened& out) {
  const auto id = state.stored ? state.stored->cluster_id : base::ClusterId{};
  const bool quorum = look_at(state.world, id).has_quorum();
  for (int i = 0; i < kLooks && out.violation.rule.empty(); ++i) {
    go_by(state, kLook, counts, out);
    if (!out.violation.rule.empty()) return;
    judged_pass(state, {}, counts, out);
    if (!out.passed->thought || !out.passed->thought->plan.steps.empty()) break;
  }
  if (out.violation.rule.empty() && out.passed && out.passed->thought)
    out.violation = judge_patience(quorum, state, out.passed->thought->plan, counts);
}

}  // namespace

Happened happen(Cluster& state, const Event& e, Counts& counts) {
  Happened out;
  switch (e.kind) {
    case Kind::kPass:
    case Kind::kPassRefused:
    case Kind::kPassAnswerLost:
    case Kind::kPassRequestLost:
    case Kind::kPassDiesBefore:
    case Kind::kPassDiesAfter:
      judged_pass(state, e, counts, out);
      break;
    case Kind::kTime:
      go_by(state, kTick, counts, out);
      if (!out.violation.rule.empty()) break;
      write(state);
      out.violation = judge_state(state, counts);
      break;
    case Kind::kPatience:
      wait_patiently(state, counts, out);
      break;
    case Kind::kOperatorAway:
      forget_operator(state);
      go_by(state, kAway, counts, out);
      break;
    case Kind::kHeal:
      heal(state);
      break;
    case Kind::kApprove:
      out.possible = approve(state);
      break;
    default:
      out.possible = befall(state, e);
      if (out.possible) out.violation = judge_state(state, counts);
      break;
  }
  if (out.possible) count(counts, e.kind);
  return out;
}

std::vector<Event> faults_at(const Cluster& state) {
  std::vector<Event> out;
  const World& w = state.world;
  std::vector<int> data;
  for (const auto& [name, place] : w.places)
    if (!w.volume_of(name).data.blank()) data.push_back(ordinal_of(name));
  for (const auto& [name, place] : w.places) {
    const int m = ordinal_of(name);
    const Process* p = w.process_of(name);
    const bool has = std::ranges::find(data, m) != data.end();
    if (p != nullptr) out.push_back({Kind::kKillEtcd, m});
    if (w.is_alive(name)) out.push_back({Kind::kKillGuard, m});
    if (w.is_up(place.machine)) out.push_back({Kind::kCrashMachine, m});
    if (place.volume.disk == Disk::kFine) out.push_back({Kind::kDiskFull, m});
    if (w.reaches(place.machine) && w.is_up(place.machine)) out.push_back({Kind::kCutOperator, m});
    if (place.has_leaves()) out.push_back({Kind::kLeafExpired, m});
    if (state.ghost.taken.contains(name)) out.push_back({Kind::kVolumeBack, m});
    if (!has) continue;
    if (p != nullptr && p->dir.wrong_bytes == 0) out.push_back({Kind::kCorrupt, m});
    for (const Kind kind : {Kind::kLoseData, Kind::kLoseVolume, Kind::kTornTail, Kind::kBadLog})
      out.push_back({kind, m});
    for (const int how : {1, 2}) out.push_back({Kind::kOlderData, m, how});
    for (const int other : data) {
      if (other == m) continue;
      out.push_back({Kind::kForeignVolume, m, other});
      out.push_back({Kind::kCutOneWay, m, other});
      if (m < other) out.push_back({Kind::kCutMembers, m, other});
    }
  }
  if (!w.places.empty()) out.push_back({Kind::kLeafDue});
  if (w.record.bytes && !state.torn)
    for (const Kind kind : {Kind::kTearRecord, Kind::kLoseRecord}) out.push_back({kind});
  if (state.memory.engine.loaded) out.push_back({Kind::kOperatorAway});
  return out;
}

std::vector<Event> edits_at(const Cluster& state, int largest) {
  std::vector<Event> out;
  const plan::Intent& i = state.intent;
  const api::ClusterSpec& spec = i.cluster.spec;
  for (int size = 1; size <= largest; ++size)
    if (size != spec.size) out.push_back({Kind::kSetSize, size});
  out.push_back({Kind::kSetVersion, 6, 16});
  out.push_back({Kind::kSetVersion, 4, 23});  // a downgrade
  out.push_back({Kind::kSetVersion, 6, 99});  // nobody has it
  out.push_back({Kind::kSetVersion, 7, 3});   // of 3.5 two minors at once
  for (const Kind kind :
       {Kind::kFillQuota, Kind::kRaiseQuota, Kind::kSetTemplate, Kind::kSetBadTemplate,
        Kind::kPause, Kind::kHibernate, Kind::kStop, Kind::kDelete, Kind::kDeleteData,
        Kind::kProtect, Kind::kAskFirst, Kind::kNeverRecover, Kind::kRestore, Kind::kUnreadable,
        Kind::kAddForeign, Kind::kFreePages})
    out.push_back({kind});
  out.push_back({Kind::kFillQuota, 1});
  if (i.cluster.generation != state.first_intent->cluster.generation)
    out.push_back({Kind::kPutBack});
  for (const auto& [name, place] : state.world.places)
    if (state.world.process_of(name) != nullptr)
      out.push_back({Kind::kRemoveByHand, ordinal_of(name)});
  return out;
}

}  // namespace sim::model
