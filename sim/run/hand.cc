#include "sim/run/hand.h"

#include <fmt/format.h>

#include <algorithm>

namespace sim {
namespace {

using base::Duration;
const std::string kBig = "big";

}  // namespace

bool Hand::common(Work kind) {
  if (kind == Work::kWriter) {
    const std::string n = std::to_string(++c_.written_);
    return write("k" + n, "v" + n);
  }
  if (kind == Work::kScaler) return scale();
  if (kind == Work::kUpgrader) return upgrade();
  if (kind == Work::kReviser) return revise();
  if (kind == Work::kKiller) return kill();
  if (kind == Work::kPartitioner) return partition();
  if (kind == Work::kSleeper) return freeze();
  return kind == Work::kFiller && fill();
}

void Hand::later(Duration mean, std::function<void()> act) {
  c_.later_.emplace(world_.now() + dice_.about(mean), std::move(act));
}

std::string Hand::some_member() {
  std::vector<std::string> names;
  for (const auto& [name, place] : world_.places) names.push_back(name);
  return names.empty() ? "" : dice_.one_of(names);
}

bool Hand::write(const std::string& key, std::string value) {
  const auto client = c_.user();
  if (!client) return false;
  std::vector<const Process*> up;
  for (const Process& p : world_.etcd().processes())
    if (p.is_up() && p.ready) up.push_back(&p);
  if (up.empty()) return false;
  const std::string url = dice_.one_of(up)->args->client_url;
  const auto done = connect(world_, url, *client)->put(key, value, Duration{1'000});
  // A key that is written again may hold a later value whose answer was lost.
  if (done && key != kBig) c_.oracles_.acknowledged(world_, key, value);
  return true;
}

bool Hand::scale() {
  wanted_.size = dice_.one_of<int>({1, 2, 3, 3, 4, 5, 5});
  c_.edit();
  return true;
}

bool Hand::upgrade() {
  const auto at = std::ranges::find(c_.versions_, wanted_.version);
  if (dice_.chance(25) && at != c_.versions_.begin()) {
    wanted_.version = *std::prev(at);
  } else {
    if (std::next(at) == c_.versions_.end()) return false;
    wanted_.version = *std::next(at);
  }
  c_.edit();
  return true;
}

bool Hand::revise() {
  wanted_.edit = static_cast<int>(dice_.below(3));
  c_.edit();
  return true;
}

bool Hand::kill() {
  const std::string member = some_member();
  if (member.empty()) return false;
  const auto how = dice_.below(3);
  if (how == 0) {
    c_.note("etcd of " + member + " is killed");
    world_.kill_etcd(member);
  } else if (how == 1) {
    c_.note("the guard of " + member + " is killed");
    world_.kill_guard(member);
  } else {
    const int machine = world_.places.at(member).machine;
    c_.note("the machine of " + member + " crashes");
    world_.crash_machine(machine);
    later(Duration{30'000}, [this_ = &c_, machine] {
      this_->note(fmt::format("machine {} boots", machine));
      this_->world().boot_machine(machine);
    });
  }
  c_.wake();
  return true;
}

bool Hand::partition() {
  if (world_.machines.size() < 2) return false;
  const int a = static_cast<int>(dice_.below(world_.machines.size()));
  const int b = static_cast<int>(dice_.below(world_.machines.size()));
  if (a == b) return false;
  const bool both = dice_.chance(60);
  c_.note(fmt::format("machine {} is cut off from {}{}", a, b, both ? ", both ways" : ""));
  world_.etcd().cut(a, b, world_.now());
  if (both) world_.etcd().cut(b, a, world_.now());
  later(Duration{20'000}, [this_ = &c_, a, b] {
    this_->note(fmt::format("machines {} and {} hear each other again", a, b));
    this_->world().etcd().heal(a, b, this_->world().now());
    this_->world().etcd().heal(b, a, this_->world().now());
  });
  return true;
}

bool Hand::freeze() {
  const Process* process = world_.process_of(some_member());
  if (process == nullptr || !process->is_up()) return false;
  const Pid pid = process->pid;
  c_.note(fmt::format("etcd {} hangs", process->args->name));
  world_.etcd().pause(pid, world_.now());
  later(Duration{10'000}, [this_ = &c_, pid] {
    if (this_->world().etcd().find(pid) == nullptr) return;
    this_->note("it goes on");
    this_->world().etcd().resume(pid, this_->world().now());
  });
  return true;
}

bool Hand::fill() {
  if (wanted_.quota == 0) {
    wanted_.quota = std::int64_t{2} << 20U;
    c_.edit();
    return true;
  }
  c_.note("big values are written");
  for (int i = 0; i < 10; ++i) write(kBig, std::string(250'000, static_cast<char>('a' + i)));
  return true;
}

}  // namespace sim
