#include "sim/checkers/stores.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace sim {
namespace {

constexpr base::Duration kSlack{2'000};  // from a look to the words about it

const api::Condition* is_true(const engine::Report& report, api::ConditionType type) {
  const auto* found = api::find_condition(report.plan.status, type);
  return found != nullptr && found->status == api::Truth::kTrue ? found : nullptr;
}

auto age(const StoredBackup& b) {
  return std::tuple(b.revision, b.time);
}

// The newest of an incarnation that is `wanted`; null: there is none.
template <class Wanted>
const StoredBackup* newest(const std::vector<StoredBackup>& all, const std::string& incarnation,
                           const Wanted& wanted) {
  const StoredBackup* best = nullptr;
  for (const StoredBackup& b : all)
    if (b.incarnation == incarnation && wanted(b) && (best == nullptr || age(b) > age(*best)))
      best = &b;
  return best;
}

const StoredBackup* find(const std::vector<StoredBackup>& all, const std::string& name) {
  const auto at = std::ranges::find(all, name, &StoredBackup::name);
  return at == all.end() ? nullptr : &*at;
}

std::string name_in(const std::string& location) {
  const auto file = location.rfind('/');
  if (file == std::string::npos || file == 0) return location;
  const auto life = location.rfind('/', file - 1);
  return location.substr(life == std::string::npos ? 0 : life + 1);
}

}  // namespace

// S6. Nothing but a job of ours removes an object, and none damages one.
std::string StoreOracles::retention(const std::vector<StoredBackup>& now,
                                    const StoreRules& rules) const {
  const auto whole = [](const StoredBackup& b) { return b.whole && !b.bad; };
  const auto marked = [](const StoredBackup& b) { return b.proven && !b.bad; };
  for (const StoredBackup& b : before_) {
    if (find(now, b.name) != nullptr) continue;
    const auto* was = newest(before_, b.incarnation, whole);
    const auto* is = newest(now, b.incarnation, whole);
    if (was == &b && (is == nullptr || age(*is) < age(b)))
      return fmt::format("S6: {} was the newest whole backup, and was removed", b.name);
    const auto* proof = newest(before_, b.incarnation, marked);
    if (proof == &b && b.whole && newest(now, b.incarnation, marked) == nullptr)
      return fmt::format("S6: {} was the only proven backup, and was removed", b.name);
    if (!whole(b)) continue;
    const auto newer = std::ranges::count_if(now, [&](const StoredBackup& other) {
      return other.incarnation == b.incarnation && other.looks_whole && age(other) > age(b);
    });
    if (rules.max_backups == 0 || newer < rules.max_backups)
      return fmt::format("S6: {} was removed, with {} newer ones; {} are to be kept", b.name, newer,
                         rules.max_backups);
  }
  return {};
}

// S9, S11: who looks for something to begin from finds the newest that is good.
std::string StoreOracles::lookups(const Stores& stores) {
  for (; lookups_ < stores.lookups().size(); ++lookups_) {
    const StoreLookup& l = stores.lookups()[lookups_];
    if (l.empty && !l.best.empty())
      return fmt::format("S9: {} is whole, and the store was said to be empty", l.best);
    if (!l.brought.empty() && !l.best.empty() && l.brought < l.best)
      return fmt::format("S11: {} was brought, and {} is newer and whole", l.brought, l.best);
    if (!l.brought.empty() && !l.holds)
      return fmt::format("S11: {} was brought, and it is no whole backup", l.brought);
  }
  return {};
}

// Of a cluster that serves for the first time, where there was none before.
std::string StoreOracles::beginning(const World& world, const Process& leader,
                                    const StoreRules& rules) {
  if (leader.dir.cluster == cluster_) return {};
  cluster_ = leader.dir.cluster;
  if (!std::exchange(nothing_, false) || !rules.restores) return {};
  if (lookups_ == looked_before_)
    return "S9: a cluster began, and nobody looked into the store that it is to begin from";
  const StoreLookup& last = world.stores->lookups().back();
  if (last.brought.empty()) return {};
  ++restores_;
  const auto has = contents(leader.state());
  for (const auto& [key, value] : contents(*last.holds)) {
    const auto found = has.find(key);
    if (found == has.end() || found->second != value)
      return fmt::format("S11: {} holds {}={}, the cluster that began from it does not",
                         last.brought, key, value);
  }
  return {};
}

void StoreOracles::note(const World& world, const std::vector<StoredBackup>& now,
                        base::Duration keep) {
  for (const StoredBackup& b : now) {
    if (b.whole) whole_[b.name].is = b;
    const auto known = whole_.find(b.name);
    if (known == whole_.end()) continue;
    if (b.looks_whole) known->second.seen = world.now();
    if (b.proven && b.whole) proven_.insert(b.name);
  }
  if (const Process* leader = server(world))
    served_.push_back({world.now(), leader->dir.cluster, leader->state().revision});
  while (served_.size() > 1 && served_[1].at < world.now() - keep) served_.pop_front();
}

const StoreOracles::Sample* StoreOracles::served_by(base::Instant at) const {
  const Sample* found = nullptr;
  for (const Sample& s : served_)
    if (s.at <= at) found = &s;
  return found;
}

std::string StoreOracles::after_step(const World& world, const StoreRules& rules) {
  if (world.stores == nullptr) return {};
  if (world.stores->running() > 1) return "two jobs of one cluster work at a time";
  const auto& now = world.stores->backups();
  if (auto wrong = retention(now, rules); !wrong.empty()) return wrong;
  if (auto wrong = lookups(*world.stores); !wrong.empty()) return wrong;
  note(world, now, 2 * rules.interval + base::Duration(60'000));
  before_ = now;
  if (!world.record.bytes) {
    nothing_ = true;
    looked_before_ = lookups_;
  }
  const Process* leader = server(world);
  return leader == nullptr ? "" : beginning(world, *leader, rules);
}

std::string StoreOracles::after_pass(const engine::Report& report, const StoreRules& rules) const {
  const auto& last = report.plan.status.last_backup;
  if (last && !last->location.empty() && !whole_.contains(name_in(last->location)))
    return fmt::format("the status tells of the backup {}, which was never whole", last->location);
  if (last && last->proven && !proven_.contains(name_in(last->location)))
    return fmt::format("the status says that {} is proven, and it is not", last->location);
  if (is_true(report, api::ConditionType::kBackupHealthy) == nullptr) return {};
  const base::Instant since = report.at - 2 * rules.interval - kSlack;
  const Sample* then = served_by(since);
  // One that began later has nothing older to be kept.
  if (then == nullptr || served_.empty() || then->cluster != served_.back().cluster) return {};
  const bool held = std::ranges::any_of(whole_, [&](const auto& known) {
    const auto& [is, seen] = known.second;
    return is.cluster == then->cluster && is.revision >= then->revision && seen >= since;
  });
  if (held) return {};
  return fmt::format(
      "BackupHealthy is True, and nothing that was written by revision {}, two intervals ago, is "
      "in a whole backup",
      then->revision);
}

std::string StoreOracles::missing(const World& world, base::Instant by) const {
  const Process* leader = server(world);
  if (leader == nullptr) return "nobody serves";
  if (world.stores->running() > 0) return "a job still runs";
  const Sample* then = served_by(by);
  if (then == nullptr) return "nothing is known of that time";
  const bool held = std::ranges::any_of(before_, [&](const StoredBackup& b) {
    return b.whole && b.cluster == leader->dir.cluster && b.revision >= then->revision;
  });
  return held ? "" : fmt::format("no whole backup has revision {}", then->revision);
}

bool StoreOracles::hidden_damage(const World& world) const {
  const Process* leader = server(world);
  return leader != nullptr && std::ranges::any_of(before_, [&](const StoredBackup& b) {
           return b.cluster == leader->dir.cluster && b.looks_whole && !b.whole && !b.bad;
         });
}

}  // namespace sim
