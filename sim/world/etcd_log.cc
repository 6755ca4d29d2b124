#include "sim/world/etcd_log.h"

#include <algorithm>

namespace sim {
namespace {

constexpr std::int64_t kOverhead = 200;  // bytes of one revision beside its key and value

std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
  value += hash + 0x9e3779b97f4a7c15ULL;
  value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9ULL;
  value = (value ^ value >> 27) * 0x94d049bb133111ebULL;
  return value ^ value >> 31;
}

std::uint64_t mix(std::uint64_t hash, std::string_view text) {
  std::uint64_t value = 0xcbf29ce484222325ULL;
  for (const char c : text) value = (value ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return mix(mix(hash, text.size()), value);
}

std::uint64_t id_after(std::uint64_t parent, std::uint64_t term, std::uint64_t index,
                       const Op& op) {
  std::uint64_t id = mix(mix(mix(parent, term), index), static_cast<std::uint64_t>(op.kind));
  id = mix(mix(mix(id, op.member.value), op.text), op.more);
  id = mix(mix(id, static_cast<std::uint64_t>(op.number)), op.learner ? 1U : 0U);
  return mix(id, static_cast<std::uint64_t>(op.alarm));
}

// The chain is freed one by one: a destructor that recursed would need a stack as deep as the log.
template <class T>
void release(std::shared_ptr<const T>& chain, std::shared_ptr<const T> T::* next) {
  while (chain && chain.use_count() == 1) {
    auto rest = std::move(const_cast<T&>(*chain).*next);  // NOLINT: its last owner is here
    chain = std::move(rest);
  }
}

Refusal refuse(etcd::GrpcCode code, std::string_view text) {
  return {code, "etcdserver: " + std::string(text)};
}

using enum etcd::GrpcCode;

bool url_in_use(const Membership& now, const std::string& url, base::MemberId except) {
  return std::ranges::any_of(now.members, [&](const etcd::Member& m) {
    return m.id != except && std::ranges::find(m.peer_urls, url) != m.peer_urls.end();
  });
}

etcd::Member* find_in(Membership& m, base::MemberId id) {
  const auto found = std::ranges::find(m.members, id, &etcd::Member::id);
  return found == m.members.end() ? nullptr : &*found;
}

constexpr std::int64_t kMaxLearners = 1;

// As etcd does when it applies a change of the membership, in its order.
Refusal refusal_of_change(const Membership& now, const Op& op) {
  if (now.was_removed(op.member)) return refuse(kNotFound, "member not found");
  const etcd::Member* found = now.find(op.member);
  if (op.kind == OpKind::kAdd) {
    if (found != nullptr) return refuse(kFailedPrecondition, "member ID already exist");
    if (url_in_use(now, op.text, op.member))
      return refuse(kFailedPrecondition, "Peer URLs already exists");
    if (op.learner && std::ranges::count(now.members, true, &etcd::Member::learner) >= kMaxLearners)
      return refuse(kFailedPrecondition, "too many learner members in cluster");
    return {};
  }
  if (found == nullptr) return refuse(kNotFound, "member not found");
  if (op.kind == OpKind::kPromote && !found->learner)
    return refuse(kFailedPrecondition, "can only promote a learner member");
  if (op.kind == OpKind::kUpdate && url_in_use(now, op.text, op.member))
    return refuse(kFailedPrecondition, "Peer URLs already exists");
  return {};
}

void change_members(State& state, const Op& op) {
  auto next = std::make_shared<Membership>(*state.membership);
  etcd::Member* found = find_in(*next, op.member);
  switch (op.kind) {
    case OpKind::kAdd: {
      const etcd::Member added{op.member, {}, {op.text}, {}, op.learner};
      next->members.insert(
          std::ranges::upper_bound(next->members, op.member, {}, &etcd::Member::id), added);
      break;
    }
    case OpKind::kRemove:
      next->members.erase(next->members.begin() + (found - next->members.data()));
      next->removed.push_back(op.member);
      break;
    case OpKind::kPromote:
      found->learner = false;
      break;
    case OpKind::kUpdate:
      found->peer_urls = {op.text};
      break;
    default:
      if (found == nullptr) return;  // a member that was removed before it could tell its name
      found->name = op.text;
      found->client_urls = {op.more};
      break;
  }
  state.membership = std::move(next);
}

void put(State& state, const Op& op) {
  auto added = std::make_shared<Put>();
  added->key = op.text;
  added->value = op.more;
  added->revision = ++state.revision;
  added->digest =
      mix(mix(mix(state.digest(), op.text), op.more), static_cast<std::uint64_t>(state.revision));
  added->before = state.puts;
  state.puts = std::move(added);
  state.live_bytes += kOverhead + static_cast<std::int64_t>(op.text.size() + op.more.size());
}

// The newest value of a key stays, and what is newer than the revision.
void compact(State& state, std::int64_t revision) {
  state.compacted = revision;
  state.live_bytes = 0;
  std::vector<std::string_view> kept;
  for (const Put* p = state.puts.get(); p != nullptr; p = p->before.get()) {
    if (p->revision <= revision) {
      const auto place = std::ranges::lower_bound(kept, p->key);
      if (place != kept.end() && *place == p->key) continue;
      kept.insert(place, p->key);
    }
    state.live_bytes += kOverhead + static_cast<std::int64_t>(p->key.size() + p->value.size());
  }
}

Refusal refusal_of(const State& state, const Op& op) {
  switch (op.kind) {
    case OpKind::kAdd:
    case OpKind::kRemove:
    case OpKind::kPromote:
    case OpKind::kUpdate:
      return refusal_of_change(*state.membership, op);
    case OpKind::kPut:
      if (state.has_alarm(etcd::AlarmKind::kCorrupt)) return refuse(kDataLoss, "corrupt cluster");
      if (state.has_alarm(etcd::AlarmKind::kNoSpace))
        return refuse(kResourceExhausted, "mvcc: database space exceeded");
      return {};
    case OpKind::kCompact:
      if (state.has_alarm(etcd::AlarmKind::kCorrupt)) return refuse(kDataLoss, "corrupt cluster");
      if (op.number <= state.compacted)
        return refuse(kOutOfRange, "mvcc: required revision has been compacted");
      if (op.number > state.revision)
        return refuse(kOutOfRange, "mvcc: required revision is a future revision");
      return {};
    default:
      return {};
  }
}

bool same(const etcd::Alarm& a, const Op& op) {
  return a.member == op.member && a.kind == op.alarm;
}

// Whether anything changed.
bool apply(State& state, const Op& op) {
  switch (op.kind) {
    case OpKind::kAdd:
    case OpKind::kRemove:
    case OpKind::kPromote:
    case OpKind::kUpdate:
    case OpKind::kPublish:
      change_members(state, op);
      return true;
    case OpKind::kPut:
      put(state, op);
      return true;
    case OpKind::kCompact:
      compact(state, op.number);
      return true;
    case OpKind::kRaise:
      if (std::ranges::any_of(state.alarms, [&](const auto& a) { return same(a, op); }))
        return false;
      state.alarms.push_back({op.member, op.alarm});
      return true;
    case OpKind::kDisarm:
      return std::erase_if(state.alarms, [&](const auto& a) { return same(a, op); }) != 0;
    case OpKind::kClusterVersion:
      state.cluster_minor = static_cast<int>(op.number);
      return true;
    case OpKind::kDowngrade:
      state.downgrade_minor = static_cast<int>(op.number);
      return true;
    case OpKind::kAuth:
      state.auth = op.number != 0;
      return true;
    case OpKind::kBoot:
    case OpKind::kRestore:
    case OpKind::kNothing:
      break;
  }
  return false;
}

// What 3.6 writes while the cluster is still of 3.5, and 3.7 cannot read. A cluster that began with
// 3.6 holds none (measured: 3.6.16 alone, then 3.7.3 on its data).
bool in_old_form(const State& before, const Op& op, int writer_minor) {
  if (op.kind != OpKind::kPublish && op.kind != OpKind::kClusterVersion) return false;
  return writer_minor < 6 || (before.cluster_minor > 0 && before.cluster_minor < 6);
}

std::shared_ptr<const State> no_state() {
  static const auto kEmpty = [] {
    auto state = std::make_shared<State>();
    state->membership = std::make_shared<const Membership>();
    return std::shared_ptr<const State>(std::move(state));
  }();
  return kEmpty;
}

}  // namespace

Put::~Put() {
  release(before, &Put::before);
}

Entry::~Entry() {
  release(parent, &Entry::parent);
}

const etcd::Member* Membership::find(base::MemberId id) const {
  const auto found = std::ranges::find(members, id, &etcd::Member::id);
  return found == members.end() ? nullptr : &*found;
}

bool Membership::was_removed(base::MemberId id) const {
  return std::ranges::find(removed, id) != removed.end();
}

size_t Membership::voters() const {
  return static_cast<size_t>(std::ranges::count(members, false, &etcd::Member::learner));
}

bool State::has_alarm(etcd::AlarmKind kind) const {
  return std::ranges::find(alarms, kind, &etcd::Alarm::kind) != alarms.end();
}

const State& state_of(const Log& log) {
  return log ? *log->state : *no_state();
}

Log append(const Log& log, std::uint64_t term, const Op& op, int writer_minor) {
  auto entry = std::make_shared<Entry>();
  entry->term = term;
  entry->index = index_of(log) + 1;
  entry->id = id_after(log ? log->id : 0, term, entry->index, op);
  entry->op = op;
  entry->parent = log;
  entry->state = log ? log->state : no_state();
  entry->old_form = in_old_form(*entry->state, op, writer_minor) ? entry->index
                    : log                                        ? log->old_form
                                                                 : 0;
  entry->refusal = refusal_of(*entry->state, op);
  if (entry->refusal.code == kOk) {
    State next = *entry->state;
    if (apply(next, op)) entry->state = std::make_shared<const State>(std::move(next));
  }
  return entry;
}

Log boot(std::vector<etcd::Member> founders, base::ClusterId cluster,
         const std::shared_ptr<const State>& from) {
  auto members = std::make_shared<Membership>();
  members->cluster = cluster;
  std::ranges::sort(founders, {}, &etcd::Member::id);
  auto entry = std::make_shared<Entry>();
  entry->term = 1;
  entry->index = founders.size();
  entry->op.kind = from ? OpKind::kRestore : OpKind::kBoot;
  entry->id = mix(cluster.value, static_cast<std::uint64_t>(entry->op.kind));
  for (const auto& m : founders) entry->id = mix(mix(entry->id, m.id.value), m.name);
  if (from) entry->id = mix(mix(entry->id, from->digest()), from->revision < 0 ? 0U : 1U);
  auto state = std::make_shared<State>(from ? *from : State());
  members->members = std::move(founders);
  state->membership = std::move(members);
  state->downgrade_minor = 0;
  state->cluster_minor = 0;
  entry->state = std::move(state);
  return entry;
}

Log at(const Log& log, std::uint64_t index) {
  Log found = log;
  while (found && found->index > index) found = found->parent;
  return found;
}

bool holds(const Log& log, const Log& entry) {
  if (log == entry) return true;
  if (!entry) return true;
  const Log mine = at(log, entry->index);
  return mine && mine->index == entry->index && mine->id == entry->id;
}

Log follow(const Log& mine, const Log& theirs, int minor) {
  if (mine == theirs || holds(theirs, mine)) return theirs;
  // Down to where the terms agree.
  std::vector<const Entry*> rest;
  Log common = mine;
  const Entry* from = theirs.get();
  for (; from != nullptr; from = from->parent.get()) {
    common = at(common, from->index);
    if (index_of(common) == from->index && common->term == from->term) break;
    rest.push_back(from);
  }
  if (from != nullptr && common->id == from->id) return theirs;
  if (from == nullptr) return theirs;  // nothing in common: all is sent, as a snapshot if need be
  Log result = common;
  for (auto entry = rest.rbegin(); entry != rest.rend(); ++entry)
    result = append(result, (*entry)->term, (*entry)->op, minor);
  return result;
}

}  // namespace sim
