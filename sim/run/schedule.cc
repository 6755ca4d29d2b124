#include "sim/run/schedule.h"

#include <fmt/format.h>

namespace sim {

const std::vector<WorkInfo>& works() {
  using base::Duration;
  const std::set kHosts{Platform::kHost}, kKubernetes{Platform::kKubernetes};
  const std::set kBoth{Platform::kHost, Platform::kKubernetes};
  static const std::vector<WorkInfo> kWorks{
      {Work::kWriter, "writer", Duration{1'000}, false, kBoth},
      {Work::kScaler, "scaler", Duration{90'000}, false, kBoth},
      {Work::kUpgrader, "upgrader", Duration{150'000}, false, kBoth},
      {Work::kReviser, "reviser", Duration{120'000}, false, kBoth},
      {Work::kKiller, "killer", Duration{25'000}, true, kBoth},
      {Work::kThief, "thief", Duration{100'000}, true, kBoth},
      {Work::kDisaster, "disaster", Duration{400'000}, true, kBoth},
      {Work::kPartitioner, "partitioner", Duration{40'000}, true, kBoth},
      {Work::kSleeper, "sleeper", Duration{40'000}, true, kBoth},
      {Work::kFiller, "filler", Duration{200'000}, true, kHosts},
      {Work::kClock, "clock", Duration{300'000}, true, kHosts},
      {Work::kDisks, "disks", Duration{120'000}, true, kHosts},
      {Work::kWhims, "whims", Duration{150'000}, false, kBoth},
      {Work::kCrasher, "crasher", Duration{15'000}, true, kBoth},
      {Work::kConfuser, "confuser", Duration{10'000}, true, kHosts},
      {Work::kDouble, "double", Duration{60'000}, true, kHosts},
      {Work::kKeeper, "keeper", Duration{100'000}, false, kHosts},
      {Work::kVandal, "vandal", Duration{20'000}, true, kHosts},
      {Work::kEvictor, "evictor", Duration{30'000}, true, kKubernetes},
      {Work::kWeather, "weather", Duration{40'000}, true, kKubernetes},
      {Work::kWatches, "watches", Duration{40'000}, true, kKubernetes},
  };
  return kWorks;
}

namespace {

bool of_stores(Work work) {
  return work == Work::kKeeper || work == Work::kVandal;
}

// By dice of its own: a schedule without a store is what it is without this.
void draw_store(Schedule& out, const std::set<std::string>& only) {
  Dice dice(out.seed ^ 0xBAC409ULL);
  const bool named = only.contains("keeper") || only.contains("vandal");
  if (only.empty() ? !dice.chance(30) : !named) return;
  using base::Duration;
  out.wanted.backup_interval = dice.one_of<Duration>(
      {Duration{10'000}, Duration{30'000}, Duration{60'000}, Duration{180'000}});
  out.wanted.verify = dice.one_of<Duration>({Duration{60'000}, Duration{300'000}});
  out.wanted.max_backups = dice.one_of<int>({1, 2, 3, 3, 5, 0});
  out.wanted.restore = dice.chance(50);
  out.wanted.restore_on_loss = dice.chance(30);
  for (const WorkInfo& work : works()) {
    if (!of_stores(work.work)) continue;
    const bool drawn = dice.chance(70);
    if (only.empty() ? drawn : only.contains(std::string(work.name))) out.on.insert(work.work);
  }
}

}  // namespace

Schedule draw_schedule(std::uint64_t seed, const Draw& draw) {
  const auto& only = draw.only;
  Schedule out;
  out.seed = seed;
  out.platform = draw.platform;
  out.steps = draw.steps;
  Dice dice(seed ^ 0x5EEDULL);
  out.wanted.size = dice.one_of<int>({1, 2, 3, 3, 3, 4, 5, 5});
  out.wanted.version = dice.one_of<std::string>({"3.5.12", "3.5.33", "3.5.33", "3.6.16"});
  out.wanted.tls = dice.chance(80);
  out.wanted.ask_first = dice.chance(20);
  out.wanted.recovery_wait = dice.one_of<base::Duration>(
      {base::Duration{2'000}, base::Duration{30'000}, base::Duration{120'000}});
  out.wanted.repair =
      dice.one_of<base::Duration>({base::Duration{30'000}, base::Duration{300'000}});
  for (const WorkInfo& work : works()) {
    if (of_stores(work.work) || !work.on.contains(out.platform)) continue;
    const bool drawn = work.work == Work::kDisaster ? dice.chance(15) : dice.chance(50);
    const bool named = only.contains(std::string(work.name));
    if (work.work == Work::kWriter || (only.empty() ? drawn : named)) out.on.insert(work.work);
  }
  if (out.on.contains(Work::kClock)) out.wanted.validity = base::Duration{600'000};
  if (out.platform == Platform::kHost) draw_store(out, only);
  return out;
}

std::string to_text(const Schedule& schedule) {
  std::string on;
  for (const WorkInfo& work : works())
    if (schedule.on.contains(work.work)) on += fmt::format(" {}", work.name);
  return fmt::format("{}, with{}", to_text(schedule.wanted), on);
}

}  // namespace sim
