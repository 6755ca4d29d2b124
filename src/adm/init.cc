// init: the first member of a new cluster.
#include <fmt/format.h>

#include "adm/begin.h"
#include "adm/certificates.h"
#include "adm/checks.h"
#include "adm/commands.h"
#include "adm/node.h"
#include "adm/steps.h"

namespace adm {
namespace {

// Fixed before anything is made of it, and never chosen a second time in one life of the host.
base::Status choose(const Context& context, Host& host) {
  if (host.stage != Stage::kNone) return {};
  TRY_OK(found_cluster(host));
  return save_host(context.places(), host);
}

Answer instructions(const Host& host) {
  Answer out;
  out.text = fmt::format(
      "etcd {0} serves as member {1} at {2}.\n\n"
      "To add a host, copy {3}/ca.crt and {3}/ca.key into its {3}, then run there:\n\n"
      "  etcdadm join {4}\n\n"
      "`etcdadm status` shows the cluster; {5}/etcdctl.sh is etcdctl with its flags.\n",
      host.version, host.name, host.client_url(), host.certs_dir, host.peer_url(),
      host.install_dir);
  out.value["name"] = host.name;
  out.value["version"] = host.version;
  out.value["clientURL"] = host.client_url();
  out.value["peerURL"] = host.peer_url();
  out.value["clusterID"] = base::to_text(host.cluster_id);
  out.value["memberID"] = base::to_text(host.member_id);
  out.value["join"] = "etcdadm join " + host.peer_url();
  return out;
}

std::vector<Step> steps_of(const Context& context, Host& host, Answer& answer) {
  std::vector<Step> out;
  const auto add = [&](const char* name, std::string what, std::function<base::Status()> act) {
    out.push_back({name, std::move(what), std::move(act)});
  };
  add("preflight", fmt::format("check that {} and the ports are free", host.data_dir),
      [&]() -> base::Status {
        if (host.stage != Stage::kNone) return {};
        TRY_OK(check_room(context, host));
        return clear_data(context, host);
      });
  add("install", fmt::format("put etcd {} and etcd-guard into {}", host.version, host.install_dir),
      [&] { return install_programs(context, host); });
  add("certificates",
      fmt::format("make the authority and the certificates in {} that are missing", host.certs_dir),
      [&] { return make_certificates(host, context.clock.now()); });
  if (!context.flags.snapshot.empty())
    add("snapshot", fmt::format("check {} and begin with what it holds", context.flags.snapshot),
        [&] {
          return begin_from_snapshot(context, host, context.flags.snapshot,
                                     context.flags.skip_hash_check);
        });
  add("configure", fmt::format("write the member's ticket into {}", context.places().member()),
      [&]() -> base::Status {
        TRY_OK(choose(context, host));
        return write_member(context, host);
      });
  add("start", fmt::format("start etcd-guard and etcd ({})", host.init_system),
      [&] { return start_member(context, host); });
  add("etcdctl", fmt::format("write {}/etcdctl.sh", host.install_dir),
      [&] { return write_etcdctl(host); });
  add("health", fmt::format("wait until {} serves", host.client_url()), [&]() -> base::Status {
    TRY_OK(wait_serving(context, host));
    return latch(context, host);
  });
  add("post-init-instructions", "say how to go on", [&]() -> base::Status {
    answer = instructions(host);
    return {};
  });
  return out;
}

}  // namespace

Reply init(const Context& given) {
  Context context = given;
  TRY(auto begun, begin(context, "init"));
  Answer answer;
  const auto steps = steps_of(context, begun.host, answer);
  const Run run{"init", context.flags.phase};
  if (context.flags.dry_run) return dry_run(run, steps);
  TRY_OK(run_steps(context, run, steps));
  return answer;
}

}  // namespace adm
