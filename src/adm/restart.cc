#include "adm/restart.h"

#include <fmt/format.h>

#include <algorithm>

#include "adm/cluster.h"
#include "adm/node.h"
#include "adm/retry.h"
#include "adm/user.h"

namespace adm {
namespace {

using base::Code;

constexpr base::Duration kChange{10'000}, kLead{30'000};
constexpr size_t kFew = 2;

// Empty: it may be stopped now.
base::Result<std::string> make_way(const Context& context, const Host& host, const Cluster& at) {
  auto looked = at.look();
  if (!looked) return looked.error().message;
  const Sight& sight = **looked;
  if (!sight.quorum) return "no quorum answers: " + sight.problem;
  const plan::Seat* own = sight.view.by_id(host.member_id);
  if (own == nullptr)
    return base::fail(Code::kFailedPrecondition, "this host is no member of the cluster any more");
  if (!own->healthy) return std::string();  // there is nothing to spare
  if (sight.view.voters <= kFew) {
    if (sight.view.healthy_voters < sight.view.voters)
      return fmt::format("{} of {} voters are healthy", sight.view.healthy_voters,
                         sight.view.voters);
    context.say(
        fmt::format("of {} voter{} none can be spared: the cluster does not serve for a "
                    "moment",
                    sight.view.voters, sight.view.voters == 1 ? "" : "s"));
    return std::string();
  }
  if (!sight.view.may_stop(*own))
    return fmt::format("{} of {} voters are healthy: without this one they would be no quorum",
                       sight.view.healthy_voters, sight.view.voters);
  if (sight.leader() != host.member_id) return std::string();
  const auto* heir = sight.view.heir(*own);
  if (heir == nullptr) return "no other member could lead";
  TRY(const auto leader, at.voter(sight, true));
  (void)leader->move_leader(heir->id(), kChange);
  return "leadership goes to " + heir->name();
}

}  // namespace

base::Status restart_member(const Context& context, Host& host) {
  TRY(const auto at, cluster_of(context, host));
  const auto way = until_done(context, kLead, "this member cannot be restarted",
                              [&] { return make_way(context, host, at); });
  if (!way && way.error().code == Code::kDeadlineExceeded)
    return base::fail(Code::kFailedPrecondition, way.error().message);
  TRY_OK(way);
  // What would keep it from coming back is said while it still serves.
  TRY_OK(check_reach(host, context.places()));
  TRY_OK(stop_member(context, host));
  TRY_OK(start_member(context, host));
  TRY_OK(wait_serving(context, host));
  TRY(const auto limit, start_timeout(context));
  // The connections between members come back after etcd serves its clients.
  return until_done(context, limit, "the member does not count as healthy again",
                    [&]() -> base::Result<std::string> {
                      auto looked = at.look();
                      if (!looked) return looked.error().message;
                      const auto* own = (*looked)->view.by_id(host.member_id);
                      if (own == nullptr || !own->healthy)
                        return std::string("it does not follow the leader yet");
                      return std::string();
                    });
}

}  // namespace adm
