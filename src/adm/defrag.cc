// defrag: members give their free pages back, one after the other, the leader last.
#include <fmt/format.h>

#include <algorithm>

#include "adm/cluster.h"
#include "adm/commands.h"
#include "plan/defragment.h"
#include "plan/quorum.h"

namespace adm {
namespace {

using base::Code;

constexpr base::Duration kDefragment = std::chrono::minutes(10), kStatus{3'000};

struct Target {
  base::MemberId id;
  std::string name, url;
};

// The one that was asked for, or all that answer; who leads comes last.
base::Result<std::vector<Target>> targets_of(const Sight& sight, const std::string& who) {
  std::vector<Target> out;
  base::MemberId only;
  if (!who.empty()) {
    TRY(const auto* member, sight.find(who));
    only = member->id;
  }
  for (const auto& m : sight.list.members) {
    if ((only && m.id != only) || m.client_urls.empty()) continue;
    out.push_back({m.id, m.name, m.client_urls.front()});
  }
  const auto leader = sight.leader();
  std::ranges::sort(out, {}, [&](const Target& t) { return std::pair(t.id == leader, t.name); });
  return out;
}

// A member does not answer while it defragments: the others must be a quorum meanwhile.
base::Status may_block(const Sight& sight, const Target& target) {
  if (!sight.quorum)
    return base::fail(Code::kFailedPrecondition, "no quorum answers: " + sight.problem);
  if (const auto hazard = plan::defragment_hazard(sight.view); !hazard.why.empty())
    return base::fail(Code::kFailedPrecondition, hazard.why);
  const plan::Seat* seat = sight.view.by_id(target.id);
  if (seat == nullptr || !seat->healthy)
    return base::fail(Code::kFailedPrecondition, target.name + " is not healthy");
  // With one voter, or two, there is no other way.
  if (plan::tolerated(sight.view.voters) == 0 || sight.view.may_stop(*seat)) return {};
  return base::fail(
      Code::kFailedPrecondition,
      fmt::format("{} of {} voters are healthy: without {}, which blocks meanwhile, they are no "
                  "quorum of {}",
                  sight.view.healthy_voters, sight.view.voters, target.name,
                  plan::quorum_of(sight.view.voters)));
}

}  // namespace

Reply defrag(const Context& context) {
  TRY(const auto host, load_host(context.places()));
  TRY(const auto at, cluster_of(context, host));
  TRY(const auto first, at.look());
  TRY(const auto targets, targets_of(*first, context.flags.subject));
  Answer out;
  json::Array list;
  for (const auto& target : targets) {
    // Anew for each: the last one may have taken minutes.
    TRY(const auto sight, at.look());
    TRY_OK(may_block(*sight, target));
    if (context.flags.dry_run) {
      out.text += fmt::format("etcdadm defrag would defragment {}\n", target.name);
      continue;
    }
    context.say("defragments " + target.name);
    const auto api = at.at(target.url);
    const auto before = api->status(kStatus);
    if (const auto done = api->defragment(kDefragment); !done)
      return std::unexpected(done.error().error.in(target.name));
    const auto after = api->status(kStatus);
    const auto size = [](const auto& status) { return status ? status->db_size : 0; };
    list.emplace_back(
        json::Object{{"member", target.name}, {"before", size(before)}, {"after", size(after)}});
    out.text +=
        fmt::format("{}: {} bytes before, {} after\n", target.name, size(before), size(after));
  }
  out.value["members"] = std::move(list);
  return out;
}

}  // namespace adm
