#include "archive/members.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "base/text.h"

namespace archive {
namespace {

constexpr base::Duration kLook{5'000};

// Says why it is not usable, or nothing.
std::string look_at(Usable& one, base::Duration time) {
  const auto status = one.api->status(time);
  if (!status) return status.error().message;
  one.status = *status;
  if (status->learner) return "it is a learner";
  if (!status->leader) return "it knows no leader";
  const auto read = one.api->quorum_read(time);
  if (!read) return read.error().message;
  one.revision = *read;
  return {};
}

Outcome<void> drop_corrupt(Members& found, base::Duration time) {
  const auto alarms = found.usable.front().api->alarms(time);
  if (!alarms)
    return trouble(kind::kNoMember,
                   fmt::format("{}: ask for alarms: {}", found.usable.front().endpoint.member,
                               alarms.error().message));
  for (const auto& alarm : *alarms) {
    if (alarm.kind != etcd::AlarmKind::kCorrupt) continue;
    if (!alarm.member)
      return trouble(kind::kCorrupt, "etcd has raised the alarm CORRUPT: its members differ");
    std::erase_if(found.usable, [&](const Usable& one) {
      if (one.status.id != alarm.member) return false;
      found.problems.push_back(one.endpoint.member + ": etcd says CORRUPT of it");
      return true;
    });
  }
  if (found.usable.empty()) return trouble(kind::kCorrupt, base::join(found.problems, "; "));
  return {};
}

}  // namespace

Outcome<Members> look(const std::vector<Endpoint>& endpoints, const World& world,
                      base::Tick deadline) {
  const auto time = std::min(kLook, world.left(deadline));
  std::vector<Usable> all(endpoints.size());
  std::vector<std::string> why(endpoints.size());
  {
    std::vector<std::jthread> askers;
    for (size_t i = 0; i < all.size(); ++i) {
      all[i].endpoint = endpoints[i];
      all[i].api = world.connect(endpoints[i]);
      askers.emplace_back([&, i] { why[i] = look_at(all[i], time); });
    }
  }
  Members found;
  for (size_t i = 0; i < all.size(); ++i) {
    if (why[i].empty())
      found.usable.push_back(std::move(all[i]));
    else
      found.problems.push_back(endpoints[i].member + ": " + why[i]);
  }
  if (found.usable.empty())
    return trouble(kind::kNoMember,
                   "no member can give a snapshot: " + base::join(found.problems, "; "));
  const auto& first = found.usable.front();
  for (const auto& one : found.usable)
    if (one.status.cluster_id != first.status.cluster_id)
      return trouble(kind::kForeign,
                     fmt::format("{} is of the cluster {}, {} of {}", first.endpoint.member,
                                 base::to_text(first.status.cluster_id), one.endpoint.member,
                                 base::to_text(one.status.cluster_id)));
  found.cluster_id = base::to_text(first.status.cluster_id);
  TRY_OK(drop_corrupt(found, time));
  // A follower has more time for us than the leader.
  std::ranges::sort(found.usable, {}, [](const Usable& one) {
    return std::pair(one.status.leader == one.status.id, one.endpoint.member);
  });
  for (const auto& one : found.usable) found.revision = std::max(found.revision, one.revision);
  return found;
}

}  // namespace archive
