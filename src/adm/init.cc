// init: the first member of a new cluster.
#include <fmt/format.h>

#include "adm/begin.h"
#include "adm/certificates.h"
#include "adm/checks.h"
#include "adm/commands.h"
#include "adm/listener.h"
#include "adm/node.h"
#include "adm/steps.h"
#include "adm/user.h"
#include "posix/socket.h"

namespace adm {
namespace {

// Fixed before anything is made of it, and never chosen a second time in one life of the host.
base::Status choose(const Context& context, Host& host) {
  if (host.stage != Stage::kNone) return {};
  TRY_OK(found_cluster(host));
  return save_host(context.places(), host);
}

// A host that joins finds the listener there; without it the authority is copied by hand.
base::Status check_door(const Context& context, const Host& host) {
  TRY(const auto life, token_life(context.flags));
  if (life == base::Duration{0}) return {};
  if (const auto listener = posix::TcpListener::listen(host.bind_address, context.flags.token_port);
      !listener)
    return base::fail(base::Code::kFailedPrecondition,
                      fmt::format("the port for hosts that join (--token-port) cannot be used: {}; "
                                  "--token-ttl 0 opens none",
                                  listener.error().message));
  return {};
}

// The cluster serves whatever comes of it.
base::Status leave_door_open(const Context& context, const Host& host, std::string& command) {
  TRY(const auto life, token_life(context.flags));
  if (life == base::Duration{0}) return {};
  const auto token = open_door(context, host, life);
  if (!token) {
    context.say(token.error().message + "; `etcdadm token create` tries it again");
    return {};
  }
  TRY(const auto book, load_book(context.places()));
  TRY(command, join_command(host, *token, book.port));
  return {};
}

Answer instructions(const Context& context, const Host& host, const std::string& command) {
  Answer out;
  out.text = fmt::format("etcd {} serves as member {} at {}.\n{}\n", host.version, host.name,
                         host.client_url(), told_user(host));
  if (!command.empty())
    out.text += fmt::format(
        "To add a host, run there within {}:\n\n  {}\n\n"
        "Later `etcdadm token create` here prints the command anew. Or copy {}/ca.crt\n"
        "and ca.key to the host, then run there:\n\n  etcdadm join {}\n\n",
        context.flags.token_ttl, command, host.certs_dir, host.peer_url());
  else
    out.text += fmt::format(
        "To add a host, `etcdadm token create` here prints the command. Or copy {0}/ca.crt and\n"
        "ca.key to the host, then run there:\n\n  etcdadm join {1}\n\n",
        host.certs_dir, host.peer_url());
  out.text +=
      fmt::format("`etcdadm status` shows the cluster; {}/etcdctl.sh is etcdctl with its flags.\n",
                  host.install_dir);
  out.value["name"] = host.name;
  out.value["version"] = host.version;
  out.value["clientURL"] = host.client_url();
  out.value["peerURL"] = host.peer_url();
  out.value["clusterID"] = base::to_text(host.cluster_id);
  out.value["memberID"] = base::to_text(host.member_id);
  out.value["join"] = command.empty() ? "etcdadm join " + host.peer_url() : command;
  return out;
}

struct Beginning {
  Host& host;
  std::string command;  // for a host that joins
  Answer answer;
};

std::vector<Step> steps_of(const Context& context, Beginning& b) {
  Host& host = b.host;
  std::vector<Step> out;
  const auto add = [&](const char* name, std::string what, std::function<base::Status()> act) {
    out.push_back({name, std::move(what), std::move(act)});
  };
  add("preflight", fmt::format("check that {} and the ports are free", host.data_dir),
      [&]() -> base::Status {
        if (host.stage != Stage::kNone) return {};
        TRY_OK(check_room(context, host));
        TRY_OK(check_door(context, host));
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
  add("token", "leave a listener for hosts that join",
      [&] { return leave_door_open(context, host, b.command); });
  add("post-init-instructions", "say how to go on", [&]() -> base::Status {
    b.answer = instructions(context, host, b.command);
    return {};
  });
  return out;
}

}  // namespace

Reply init(const Context& given) {
  Context context = given;
  TRY_OK(token_life(context.flags));
  TRY(auto begun, begin(context, "init"));
  if (context.flags.phase.empty())
    TRY_OK(check_beginning(begun.host, context.flags.snapshot, context.flags.skip_hash_check));
  Beginning beginning{begun.host, {}, {}};
  const auto steps = steps_of(context, beginning);
  const Run run{"init", context.flags.phase};
  if (context.flags.dry_run) return dry_run(run, steps);
  TRY_OK(run_steps(context, run, steps));
  return beginning.answer;
}

}  // namespace adm
