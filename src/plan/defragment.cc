#include "plan/defragment.h"

#include <fmt/format.h>

#include "api/hazards.h"
#include "plan/members.h"

namespace plan {
namespace {

// After so many failed moves the leader is defragmented where it is.
constexpr std::uint32_t kMoveTries = 3;

std::string mebibytes(std::int64_t bytes) {
  return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1024.0 * 1024.0));
}

}  // namespace

bool much_is_free(const EtcdStatus& status) {
  const std::int64_t free = status.db_size - status.db_in_use;
  return status.db_size > kDefragmentAbove && free * 100 > status.db_size * kDefragmentFreePercent;
}

DefragmentHazard defragment_hazard(const View& view) {
  for (const Seat& seat : view.seats) {
    if (seat.status == nullptr) continue;
    const auto version = api::parse_version(seat.status->version);
    if (!version) return {fmt::format("the version of {} is not known", seat.name()), false};
    if (api::has_hazard(*version, api::HazardAction::kNoDefragment)) {
      return {fmt::format("etcd {} may corrupt its data when it ends while defragmenting: upgrade",
                          version->text()),
              true};
    }
    const bool behind = seat.etcd != nullptr && (seat.etcd->learner || !caught_up(view, seat));
    if (behind && api::has_hazard(*version, api::HazardAction::kNoDefragmentCatchUp)) {
      return {fmt::format("{} is catching up, and etcd {} must not defragment meanwhile",
                          seat.name(), version->text()),
              false};
    }
  }
  return {};
}

std::optional<Answer> defragment_next(Context& c, Reason why,
                                      const std::function<bool(const Seat&)>& need) {
  const Seat* next = nullptr;
  for (const Seat& seat : c.view.seats) {
    if (seat.record == nullptr || seat.etcd == nullptr || seat.status == nullptr || !need(seat))
      continue;
    const bool leads = c.view.leader != nullptr && c.view.leader->etcd == seat.etcd;
    if (next == nullptr || !leads) next = &seat;
    if (!leads) break;
  }
  if (next == nullptr) return std::nullopt;
  const bool leads = c.view.leader != nullptr && c.view.leader->etcd == next->etcd;
  if (leads && failures_of(c.seen, "MoveLeader") < kMoveTries) {
    const Seat* to = best_transferee(c.view, [](const Seat&) { return true; });
    if (to != nullptr) {
      return Answer::act(Reason::kLeaderMoved, MoveLeader{next->etcd->id, to->etcd->id},
                         fmt::format("leadership moves from {} to {} before {} is defragmented",
                                     next->name(), to->name(), next->name()));
    }
  }
  c.record.last_defragmented[next->record->name] = c.now;
  const std::int64_t free = next->status->db_size - next->status->db_in_use;
  std::string text = fmt::format("{} gives back {} of {}", next->name(), mebibytes(free),
                                 mebibytes(next->status->db_size));
  c.events.push_back({why, false, text});
  return Answer::act(why, Defragment{next->record->name, next->etcd->id}, std::move(text));
}

}  // namespace plan
