#include "sim/world/world.h"

#include <algorithm>
#include <utility>

#include "sim/world/guard_life.h"
#include "sim/world/stores.h"

namespace sim {
namespace {

constexpr base::Duration kWritten{20};  // a state record is on disk after it

// SplitMix64: all that a world needs, and its state is one number.
std::uint64_t mix(std::uint64_t& state) {
  state += 0x9E3779B97F4A7C15ULL;
  std::uint64_t z = state;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31);
}

}  // namespace

Settings Settings::instant() {
  Settings s;
  s.timing = Timing::instant();
  s.waits = false;
  s.latency = {base::Duration{0}, base::Duration{0}};
  return s;
}

World::World(const Settings& settings)
    : machines(1),
      settings_(settings),
      etcd_(settings.timing, settings.seed),
      now_(settings.start),
      random_(settings.seed) {}

unsigned long long World::draw() {
  return mix(random_);
}

CallFault World::next_call(const std::string& /*url*/, std::string_view call) {
  return faults.next(call, faults.etcd_calls, draw());
}

base::Duration World::latency() {
  const auto& span = settings_.latency;
  if (span.high <= span.low) return span.low;
  const auto width = static_cast<unsigned long long>((span.high - span.low).count()) + 1;
  return span.low + base::Duration(static_cast<std::int64_t>(draw() % width));
}

std::optional<base::Instant> World::next_due(bool notes) const {
  auto next = etcd_.next_event();
  const auto consider = [&](base::Instant at) {
    if (!next || at < *next) next = at;
  };
  for (const auto& [name, p] : places) {
    if (p.guard.phase == Guard::Phase::kWaiting) consider(p.guard.wake);
    if (p.guard.phase != Guard::Phase::kWatching) continue;
    if (p.guard.kill_at) consider(*p.guard.kill_at);
    if (notes) consider(p.guard.note);
  }
  if (stores != nullptr)
    if (const auto at = stores->next_event()) consider(*at);
  return next;
}

std::optional<base::Instant> World::next_event() const {
  return next_due(false);
}

void World::step_to(base::Instant at) {
  now_ = std::max(now_, at);
  (void)etcd_.settle(now_);
  for (auto& [name, p] : places) GuardLife(*this, p).step();
  if (stores != nullptr) stores->settle(*this);
}

void World::settle() {
  step_to(now_);
  for (auto next = next_event(); next && *next <= now_; next = next_event()) step_to(now_);
}

void World::advance(base::Duration by) {
  if (in_parallel_) {
    call_cost_ += by;
    return;
  }
  const base::Instant until = now_ + by;
  for (auto next = next_due(true); next && *next <= until; next = next_due(true)) step_to(*next);
  now_ = until;
  // What etcd writes within moments is on disk before anybody looks.
  if (by >= kWritten) (void)etcd_.settle(now_);
}

void World::begin_parallel() {
  in_parallel_ = true;
  call_cost_ = longest_ = base::Duration{0};
}

void World::next_parallel() {
  longest_ = std::max(longest_, std::exchange(call_cost_, base::Duration{0}));
}

void World::end_parallel() {
  next_parallel();
  in_parallel_ = false;
  if (settings_.waits) advance(longest_);
}

bool World::is_alive(const std::string& member) const {
  const auto found = places.find(member);
  return found != places.end() && found->second.guard.phase != Guard::Phase::kNone;
}

void World::start_guard(const std::string& member) {
  Place& p = place(member);
  if (p.guard.phase != Guard::Phase::kNone || !is_up(p.machine)) return;
  GuardLife(*this, p).begin();
}

void World::stop_guard(const std::string& member) {
  if (is_alive(member)) GuardLife(*this, places.at(member)).ask_to_stop();
}

void World::nudge_guard(const std::string& member) {
  if (is_alive(member)) GuardLife(*this, places.at(member)).nudge();
}

void World::note_logs() {
  for (auto& [name, p] : places) GuardLife(*this, p).note_log();
}

void World::kill_etcd(const std::string& member) {
  const auto found = places.find(member);
  if (found == places.end() || found->second.guard.phase != Guard::Phase::kWatching) return;
  etcd_.stop(found->second.guard.etcd, Etcd::Stop::kKill, now_);
}

void World::kill_guard(const std::string& member) {
  if (is_alive(member)) GuardLife(*this, places.at(member)).die();
}

void World::crash_machine(int machine) {
  for (const auto& [name, p] : places)
    if (p.machine == machine) kill_guard(name);
  machines.at(static_cast<size_t>(machine)).up = false;
}

void World::boot_machine(int machine) {
  Machine& m = machines.at(static_cast<size_t>(machine));
  if (m.up) return;
  m.up = true;
  ++m.boots;
}

bool World::is_up(int machine) const {
  return machines.at(static_cast<size_t>(machine)).up;
}

bool World::reaches(int machine) const {
  return is_up(machine) && !etcd_.is_cut(0, machine) && !etcd_.is_cut(machine, 0);
}

Volume World::take_volume(const std::string& member) {
  kill_guard(member);
  return std::exchange(place(member).volume, Volume{});
}

void World::put_volume(const std::string& member, Volume volume) {
  kill_guard(member);
  place(member).volume = std::move(volume);
}

void World::lose_data(const std::string& member) {
  Volume volume = take_volume(member);
  volume.data = Dir{};
  volume.leftovers = false;
  put_volume(member, std::move(volume));
}

void World::destroy(const std::string& member) {
  kill_guard(member);
  places.erase(member);
}

void World::set_disk(const std::string& member, Disk disk) {
  place(member).volume.disk = disk;
}

void World::tear_record() {
  if (record.bytes) record.bytes = file(record.bytes->substr(0, record.bytes->size() / 2));
}

void World::forget_cluster() {
  std::vector<std::string> names;
  for (const auto& [name, p] : places) names.push_back(name);
  for (const auto& name : names) destroy(name);
  ++record.version;
  record.bytes = nullptr;
  saved.clear();
  retained.clear();
  authorities_.clear();
  operator_leaf = user_leaf = Leaf{};
  published = false;
}

int World::peer_authority(const std::string& incarnation) {
  const auto found = std::ranges::find(authorities_, incarnation);
  const auto at = found - authorities_.begin();
  if (found == authorities_.end()) authorities_.push_back(incarnation);
  return static_cast<int>(at) + 2;  // 1 is the clients'
}

void World::set_leaves(const std::string& member, const Leaf& server, const Leaf& peer) {
  Place& p = place(member);
  p.server = server;
  p.peer = peer;
  if (p.guard.phase != Guard::Phase::kWatching) return;
  etcd_.set_leaf(p.guard.etcd, false, server, now_);
  etcd_.set_leaf(p.guard.etcd, true, peer, now_);
}

Volume World::volume_of(const std::string& member) const {
  const auto found = places.find(member);
  if (found == places.end()) return {};
  Volume volume = found->second.volume;
  if (const Process* running = process_of(member)) volume.data = running->dir;
  return volume;
}

const Process* World::process_of(const std::string& member) const {
  const auto found = places.find(member);
  if (found == places.end() || found->second.guard.phase != Guard::Phase::kWatching) return nullptr;
  return etcd_.find(found->second.guard.etcd);
}

Place& World::place(const std::string& member) {
  const auto [found, made] = places.try_emplace(member);
  if (made) {
    found->second.machine = static_cast<int>(machines.size());
    machines.emplace_back();
  }
  return found->second;
}

}  // namespace sim
