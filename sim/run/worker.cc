#include "sim/run/worker.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/fault_points.h"

namespace sim {
namespace {

using base::Duration;
constexpr Duration kOldCopy{180'000};

}  // namespace

bool Worker::work(Work kind) {
  switch (kind) {
    case Work::kThief:
      return steal();
    case Work::kDisaster:
      return ruin();
    case Work::kClock:
      return jump();
    case Work::kDisks:
      return break_disk();
    case Work::kWhims:
      return whim();
    case Work::kCrasher:
      s_.operate_until(static_cast<unsigned>(1 + dice_.below(16)));
      return true;
    case Work::kConfuser:
      return confuse();
    case Work::kDouble:
      s_.operate_late();
      return true;
    case Work::kKeeper:
      return ask_backup();
    case Work::kVandal:
      return vandalize();
    case Work::kWriter:
    case Work::kScaler:
    case Work::kUpgrader:
    case Work::kReviser:
    case Work::kKiller:
    case Work::kPartitioner:
    case Work::kSleeper:
    case Work::kFiller:
    case Work::kEvictor:
    case Work::kWeather:
    case Work::kWatches:
      break;
  }
  return common(kind);
}

void Worker::hurt(const std::string& member) {
  const auto how = dice_.below(5);
  auto& copies = s_.copies_[member];
  // A younger one than what was ever audited of its volume is taken for the volume (docs/proof.md).
  const bool old = !copies.empty() && world_.now() - copies.front().first > kOldCopy &&
                   s_.watched_.knows_more(member, copies.front().second);
  if (how == 0) {
    s_.note("the whole directory of " + member + " is deleted");
    world_.destroy(member);
  } else if (how == 1 && old) {
    s_.note("an older copy is put in the place of the volume of " + member);
    world_.put_volume(member, copies.front().second);
  } else if (how == 2) {
    s_.note("the log of " + member + " is damaged");
    Volume volume = world_.take_volume(member);
    if (!volume.data.blank()) volume.data.damage = Damage::kCrc;
    world_.put_volume(member, std::move(volume));
  } else if (how == 3 && s_.copies_.size() > 1) {
    const auto& [other, theirs] =
        *std::next(s_.copies_.begin(), static_cast<std::ptrdiff_t>(dice_.below(s_.copies_.size())));
    if (other == member || theirs.empty()) {
      s_.note("the data of " + member + " is lost");
      world_.lose_data(member);
    } else {
      s_.note("the volume of " + other + " is put in the place of that of " + member);
      world_.put_volume(member, theirs.front().second);
    }
  } else {
    s_.note("the data of " + member + " is lost");
    world_.lose_data(member);
  }
  copies.clear();
  s_.wake();
}

bool Worker::steal() {
  const std::string member = some_member();
  if (member.empty()) return false;
  auto& copies = s_.copies_[member];
  if (copies.empty() && !world_.volume_of(member).data.blank()) {
    copies.emplace_back(world_.now(), world_.volume_of(member));  // for a later day
    return false;
  }
  const auto sound = s_.oracles_.sound(world_);
  if (sound.up == 0 || sound.up - 1 < sound.voters / 2 + 1) return false;
  hurt(member);
  return true;
}

bool Worker::ruin() {
  std::vector<std::string> names;
  for (const auto& [name, place] : world_.places)
    if (!world_.volume_of(name).data.blank()) names.push_back(name);
  if (names.empty()) return false;
  const auto spared = dice_.below(names.size() / 2 + 1);
  for (std::size_t i = 0; i < spared; ++i)
    names.erase(names.begin() + static_cast<std::ptrdiff_t>(dice_.below(names.size())));
  for (const auto& name : names) hurt(name);
  return true;
}

bool Worker::jump() {
  const auto by = dice_.about(Duration{200'000});
  s_.note("nobody looks for " + base::to_text(by));
  s_.go_to(world_.now() + by);
  return true;
}

bool Worker::break_disk() {
  if (dice_.chance(30)) {
    s_.note("the place of the record is full");
    world_.faults.record_disk_full = true;
    later(Duration{20'000}, [this_ = &s_] { this_->world_.faults.record_disk_full = false; });
    return true;
  }
  const std::string member = some_member();
  if (member.empty()) return false;
  s_.note("the disk of " + member + " is full or read-only");
  world_.set_disk(member, dice_.chance(50) ? Disk::kFull : Disk::kReadOnly);
  later(Duration{20'000}, [this_ = &s_, member] {
    if (this_->world_.places.contains(member)) this_->world_.set_disk(member, Disk::kFine);
  });
  return true;
}

bool Worker::whim() {
  if (wanted_.paused || wanted_.hibernate || wanted_.stopped || wanted_.deleted) return false;
  switch (dice_.below(4)) {
    case 0:
      wanted_.paused = true;
      break;
    case 1:
      wanted_.hibernate = true;
      break;
    case 2:
      wanted_.stopped = true;
      break;
    default:
      wanted_.deleted = true;
      wanted_.delete_data = dice_.chance(30);
      break;
  }
  s_.edit();
  later(Duration{60'000}, [this_ = &s_] {
    Wanted& w = this_->wanted_;
    if (w.deleted) this_->lives_.restart();
    w.paused = w.hibernate = w.stopped = w.deleted = w.delete_data = false;
    this_->edit();
  });
  return true;
}

bool Worker::confuse() {
  static const std::vector<std::string> kCalls = [] {
    std::vector<std::string> calls{"member_list", "status",         "alarms",      "quorum_read",
                                   "member_add",  "member_promote", "move_leader", "member_remove"};
    for (const auto& point : engine::fault_points())
      if (point.ends_with(".before") && !point.starts_with("observe"))
        calls.push_back(point.substr(0, point.size() - std::string_view(".before").size()));
    return calls;
  }();
  static const std::vector<CallFault> kFaults{CallFault::kRefused, CallFault::kLostAnswer,
                                              CallFault::kLostRequest};
  const std::string& call = dice_.one_of(kCalls);
  const CallFault fault = dice_.one_of(kFaults);
  s_.note(fmt::format("the next {} fails in way {}", call, static_cast<int>(fault)));
  world_.faults.once[call] = fault;
  return true;
}

bool Worker::ask_backup() {
  wanted_.backup_now = base::to_rfc3339(world_.now());
  s_.note("user: asks for a backup");
  s_.edited_ = true;
  s_.wake();
  return true;
}

bool Worker::vandalize() {
  Depot& depot = *s_.depot_;
  const auto how = dice_.below(8);
  s_.note(fmt::format("what befalls the store: {}", how));
  if (how == 0) {
    depot.weather.refused = 200;
    depot.weather.lost = depot.weather.lost_answer = 50;
  } else if (how == 1) {
    depot.weather.forbidden = true;
  } else if (how == 2) {
    depot.weather.full = true;
  } else if (how == 3) {
    depot.weather.lied_nothing = depot.weather.lied_half = 80;
  } else if (how == 4) {
    const std::string key = depot.damage(dice_.next(), dice_.chance(50));
    s_.note("damaged: " + key);
    return !key.empty();
  } else if (how == 5) {
    depot.die_at(static_cast<unsigned>(1 + dice_.below(14)));
    return true;
  } else if (how == 6) {
    for (const auto kind : {Stores::Kind::kBackup, Stores::Kind::kDrill, Stores::Kind::kFetch})
      depot.end(kind);
    return true;
  } else {
    depot.slow = true;
  }
  later(Duration{30'000}, [this_ = &s_] {
    this_->depot_->weather = {};
    this_->depot_->slow = false;
  });
  return true;
}

}  // namespace sim
