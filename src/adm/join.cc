// join URL: another member of a cluster that exists. It begins as a learner and votes once it is in
// sync, so that a host that never comes up costs the cluster nothing.
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "adm/begin.h"
#include "adm/certificates.h"
#include "adm/checks.h"
#include "adm/commands.h"
#include "adm/door.h"
#include "adm/fetch_authority.h"
#include "adm/node.h"
#include "adm/retry.h"
#include "adm/steps.h"
#include "adm/user.h"
#include "api/version.h"
#include "base/text.h"
#include "drivers/host/members.h"
#include "pki/random.h"

namespace adm {
namespace {

using base::Code;

constexpr base::Duration kChange{10'000};

struct Joining {
  Context& context;
  Host& host;
  std::optional<Pass> pass;
  Answer answer;

  base::Result<Cluster> cluster() {
    if (!host.endpoints.empty()) return cluster_of(context, host);
    TRY(const auto door, find_door(context, host));
    context.say(door.said);
    host.endpoints = door.client_urls;
    TRY(auto tls, client_tls(host.certs_dir));
    return Cluster(door.client_urls, std::move(tls), context.clock);
  }

  base::Status certificates() {
    if (pass) TRY_OK(fetch_authority(context, host, *pass));
    return take_certificates(host, context.clock.now());
  }

  // Also where one was asked for, and in each phase that needs it: none of them keeps it.
  base::Status choose_version() {
    if (host.stage != Stage::kNone) return {};
    TRY(const auto at, cluster());
    TRY(const auto sight, at.look());
    std::vector<api::Version> running;
    for (const auto& [id, status] : sight->statuses)
      if (status)
        if (auto version = api::parse_version(status->version))
          running.push_back(*std::move(version));
    TRY(host.version, version_to_join(running, context.flags.version));
    return {};
  }

  // A dead member of our name would get our address in the list; a person decides what it is.
  base::Status check_list(const Sight& sight) {
    for (const auto& m : sight.list.members)
      if (m.name == host.name && sight.by_peer(host.peer_url()) != &m)
        return base::fail(
            Code::kFailedPrecondition,
            fmt::format("the cluster has a member {} already, at {}: if that host is gone, "
                        "`etcdadm member remove {}` on a live one; else choose another --name",
                        m.name, base::join(m.peer_urls, ","), base::to_text(m.id)));
    const etcd::Member* present = sight.by_peer(host.peer_url());
    if (present == nullptr || host.stage != Stage::kNone) return {};
    if (present->client_urls.empty()) return {};  // it never started: an earlier try of ours
    return base::fail(
        Code::kFailedPrecondition,
        fmt::format("the cluster has a member at {} already, {}, that has run before, and this "
                    "host has nothing of it: `etcdadm member remove {}` on a live host first",
                    host.peer_url(), present->name, base::to_text(present->id)));
  }

  base::Status keep(const Sight& sight, const etcd::Member& own) {
    host.member_id = own.id;
    host.cluster_id = sight.list.cluster_id;
    host.token = "joined-" + base::to_text(host.cluster_id);
    host.joined.clear();
    for (const auto& m : sight.list.members)
      for (const auto& url : m.peer_urls)
        host.joined.emplace_back(m.id == own.id   ? host.name
                                 : m.name.empty() ? "unnamed-" + base::to_text(m.id)
                                                  : m.name,
                                 url);
    host.endpoints = client_urls(sight.list);
    host.permit = guard::Permit::kJoin;
    host.origin.clear();
    if (host.volume.empty() || host.stage == Stage::kNone) {
      TRY(host.volume, pki::random_hex(8));
    }
    host.stage = Stage::kChosen;
    return save_host(context.places(), host);
  }

  base::Result<std::string> add_once(const Cluster& at) {
    TRY(const auto sight, at.look());
    TRY_OK(check_list(*sight));
    // An earlier try may have been answered and the answer lost.
    if (const auto* own = sight->by_peer(host.peer_url())) {
      TRY_OK(keep(*sight, *own));
      return std::string();
    }
    if (auto why = why_not_add(*sight); !why.empty()) return why;
    const auto api = at.voter(*sight, true);
    if (!api) return api.error().message;
    const auto added = (*api)->member_add(host.peer_url(), true, kChange);
    if (!added) return added.error().error.message;
    TRY(const auto after, at.look());
    const auto* own = after->by_peer(host.peer_url());
    if (own == nullptr) return "the list does not have the new member yet";
    TRY_OK(keep(*after, *own));
    return std::string();
  }

  base::Status add() {
    if (host.stage == Stage::kStarted || host.stage == Stage::kMember) return {};
    TRY_OK(choose_version());
    TRY(const auto at, cluster());
    TRY(const auto limit, start_timeout(context));
    return until_done(context, context.flags.retry ? limit : base::Duration{0},
                      "the cluster takes no new member", [&] { return add_once(at); });
  }

  // The list that etcd compares with must be the one of now, as long as it never started.
  base::Status configure() {
    if (host.stage == Stage::kNone)
      return base::fail(Code::kFailedPrecondition, "the phase membership comes first");
    if (host.stage == Stage::kChosen) {
      TRY(const auto at, cluster());
      TRY(const auto sight, at.look());
      const auto* own = sight->by_id(host.member_id);
      if (own == nullptr)
        return base::fail(Code::kAborted,
                          "the cluster has removed the new member meanwhile: `etcdadm reset "
                          "--keep-config`, then join again");
      TRY_OK(keep(*sight, *own));
    }
    return write_member(context, host);
  }

  base::Result<std::string> promote_once(const Cluster& at) {
    TRY(const auto sight, at.look());
    const auto* own = sight->by_id(host.member_id);
    if (own == nullptr)
      return base::fail(Code::kFailedPrecondition,
                        "the cluster has removed this member; `etcdadm reset` cleans up here");
    const auto files = context.places().member_files();
    if (const auto verdict = last_verdict(context.places());
        !verdict.empty() && host::is_alive(files) != base::Fact<bool>(true))
      return base::fail(
          Code::kFailedPrecondition,
          fmt::format("etcd did not stay up: {}; its log is {}/etcd.log", verdict, files.log));
    if (own->client_urls.empty()) return "it has not started yet";
    // Before it votes its ticket says that blank data is a loss.
    if (host.stage != Stage::kMember) TRY_OK(latch(context, host));
    host.endpoints = client_urls(sight->list);
    TRY_OK(save_host(context.places(), host));
    if (!own->learner) return std::string();
    if (auto why = why_not_promote(*sight, own->id); !why.empty()) return why;
    const auto api = at.voter(*sight, true);
    if (!api) return api.error().message;
    const auto promoted = (*api)->member_promote(own->id, kChange);
    if (!promoted) return promoted.error().error.message;
    return std::string();
  }

  base::Status promote() {
    TRY(const auto limit, start_timeout(context));
    TRY(const auto at, cluster());
    TRY_OK(until_done(context, limit, "it does not vote", [&] { return promote_once(at); }));
    TRY_OK(wait_serving(context, host));
    answer.text = fmt::format(
        "{0} is a voting member of the cluster, etcd {1} at {2}.\n{3}`etcdadm status` shows it.\n",
        host.name, host.version, host.client_url(), told_user(host));
    answer.value["name"] = host.name;
    answer.value["version"] = host.version;
    answer.value["clientURL"] = host.client_url();
    answer.value["clusterID"] = base::to_text(host.cluster_id);
    answer.value["memberID"] = base::to_text(host.member_id);
    return {};
  }
};

std::vector<Step> steps_of(Joining& j) {
  const Host& h = j.host;
  const auto& places = j.context.places();
  std::vector<Step> out;
  out.push_back({"stop", fmt::format("check that {} and the ports are free", h.data_dir),
                 [&j]() -> base::Status {
                   if (j.host.stage != Stage::kNone) return {};
                   TRY_OK(check_room(j.context, j.host));
                   return clear_data(j.context, j.host);
                 }});
  out.push_back({"certificates",
                 fmt::format("{}complete {} by its authority",
                             j.pass ? "fetch the authority with the token; " : "", h.certs_dir),
                 [&j] { return j.certificates(); }});
  out.push_back({"install", fmt::format("put etcd and etcd-guard into {}", h.install_dir),
                 [&j]() -> base::Status {
                   // Alone it may also be the preparation of a host that sees no cluster yet.
                   if (j.context.flags.phase.empty() || j.context.flags.version.empty())
                     TRY_OK(j.choose_version());
                   return install_programs(j.context, j.host);
                 }});
  out.push_back({"membership",
                 fmt::format("add {} to the cluster of {} as a learner", h.peer_url(),
                             j.context.flags.subject),
                 [&j] { return j.add(); }});
  out.push_back({"configure", fmt::format("write the member's ticket into {}", places.member()),
                 [&j] { return j.configure(); }});
  out.push_back({"start", fmt::format("start etcd-guard and etcd ({})", h.init_system),
                 [&j] { return start_member(j.context, j.host); }});
  out.push_back({"etcdctl", fmt::format("write {}/etcdctl.sh", h.install_dir),
                 [&j] { return write_etcdctl(j.host); }});
  out.push_back({"health", "promote it once it is in sync, and wait until it serves",
                 [&j] { return j.promote(); }});
  return out;
}

}  // namespace

Reply join(const Context& given) {
  Context context = given;
  TRY_OK(parse_endpoint(context.flags.subject));
  TRY(const auto pass, pass_of(context.flags));
  TRY(auto begun, begin(context, "join"));
  // An earlier life's: this is another cluster, or the same one at another place.
  if (begun.host.stage == Stage::kNone) begun.host.endpoints.clear();
  Joining joining{context, begun.host, pass, {}};
  const auto steps = steps_of(joining);
  const Run run{"join", context.flags.phase};
  if (context.flags.dry_run) return dry_run(run, steps);
  TRY_OK(run_steps(context, run, steps));
  return joining.answer;
}

}  // namespace adm
