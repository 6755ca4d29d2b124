// reset: takes this host out of its cluster and puts away what was here of it.
#include <fmt/format.h>

#include <array>

#include "adm/begin.h"
#include "adm/commands.h"
#include "adm/listener.h"
#include "adm/node.h"
#include "adm/steps.h"
#include "drivers/host/members.h"
#include "posix/files.h"
#include "posix/wakeup.h"

namespace adm {
namespace {

using base::Code;

constexpr base::Duration kChange{10'000}, kLimit{30'000}, kPoll{250};

// Leadership first, so that the writers notice little.
base::Status leave_once(const Context& context, const Host& host, bool& done) {
  TRY(const auto at, cluster_of(context, host));
  TRY(const auto sight, at.look());
  const auto* own = sight->by_id(host.member_id);
  if (sight->quorum && own == nullptr) {
    done = true;
    return {};
  }
  if (auto why = why_not_remove(*sight, host.member_id); !why.empty()) {
    if (sight->quorum && sight->view.voters == 1 && sight->leader() == host.member_id) {
      context.say(host.name + " is the last voter: the cluster ends with it");
      done = true;
      return {};
    }
    return base::fail(Code::kFailedPrecondition,
                      why +
                          ". --skip-remove-member leaves the member in the list, where it counts "
                          "as dead");
  }
  const plan::Seat* seat = sight->view.by_id(host.member_id);
  if (const auto* heir = sight->view.heir(*seat);
      heir != nullptr && sight->leader() == host.member_id) {
    const auto leader = at.voter(*sight, true);
    if (leader) (void)(*leader)->move_leader(heir->id(), kChange);
    return {};
  }
  TRY(const auto api, at.voter(*sight, false, host.member_id));
  const auto removed = api->member_remove(host.member_id, kChange);
  if (!removed && removed.error().outcome != etcd::Outcome::kMayHaveHappened &&
      removed.error().error.code != Code::kUnavailable)
    return std::unexpected(removed.error().error);
  return {};  // the next look tells
}

base::Status leave(const Context& context, const Host& host) {
  const auto until = posix::deadline_in(kLimit);
  bool done = false;
  for (;;) {
    const auto left = leave_once(context, host, done);
    // Where nobody else could be asked, its own end tells.
    if (done || last_verdict(context.places()).starts_with("Removed")) return {};
    // A look that failed may be of the moment in which the leader changes.
    if (!left && left.error().code != Code::kUnavailable) return left;
    if (context.stop.stop_requested()) return base::fail(Code::kCancelled, "asked to stop");
    if (posix::deadline_in({}) >= until)
      return left ? base::fail(Code::kDeadlineExceeded, "the cluster still lists this member")
                  : base::fail(left.error().code,
                               left.error().message +
                                   ". --skip-remove-member leaves the member in the list, where "
                                   "it counts as dead");
    (void)posix::poll_until({}, posix::deadline_in(kPoll), context.stop);
  }
}

base::Status put_data_away(const Context& context, const Host& host) {
  if (context.flags.delete_data) {
    TRY_OK(delete_folder(host.data_dir));
  } else {
    TRY(const bool empty, is_empty(host.data_dir));
    if (!empty) {
      TRY(const auto to, move_aside(host.data_dir, "reset", context.clock.now()));
      context.say(fmt::format("the data is kept in {}", to));
    }
  }
  TRY_OK(posix::remove_file(context.places().snapshot()));
  TRY_OK(posix::remove_file(context.places().endpoints()));
  TRY_OK(posix::remove_file(context.places().upgrade()));
  TRY_OK(posix::remove_tree(context.places().recovery()));
  return posix::remove_tree(context.places().member());
}

base::Status forget(const Context& context, const Host& host) {
  if (const auto service = service_of(host, context.places())) TRY_OK((*service)->forget());
  // A rotation ends with the member; the certificate first, as by it others tell that one is on.
  for (const char* next : {"ca-next.crt", "ca-next.key"})
    TRY_OK(posix::remove_file(host.certs_dir + "/" + next));
  if (!context.flags.keep_config) {
    for (const char* leaf : {"ca", "server", "peer", "etcdctl-etcd-client"})
      for (const char* part : {".crt", ".key"})
        TRY_OK(posix::remove_file(fmt::format("{}/{}{}", host.certs_dir, leaf, part)));
    for (const char* name : {"etcd", "etcdctl", "etcdutl", "etcd-guard", "etcdctl.sh"})
      TRY_OK(posix::remove_file(host.install_dir + "/" + name));
    TRY_OK(posix::remove_file(host.config_dir + "/etcdctl.env"));
    return posix::remove_file(context.places().host_file());
  }
  return save_host(context.places(), bare(host));
}

bool in_list(const Host& host) {
  return host.stage != Stage::kNone && host.member_id;
}

std::vector<Step> steps_of(const Context& context, const Host& host) {
  std::vector<Step> out;
  if (!context.flags.skip_remove_member && in_list(host))
    out.push_back({"remove-member", "remove this member from its cluster",
                   [&] { return leave(context, host); }});
  out.push_back({"token", "end the listener for hosts that join, if there is one",
                 [&] { return close_door(context, host); }});
  out.push_back({"stop", "stop etcd and its guard", [&] { return retire_member(context, host); }});
  out.push_back(
      {"data",
       context.flags.delete_data ? "DELETE " + host.data_dir : "move " + host.data_dir + " aside",
       [&] { return put_data_away(context, host); }});
  out.push_back({"configuration",
                 context.flags.keep_config
                     ? "keep the settings, certificates and programs; forget the member"
                     : "remove the settings, certificates and programs",
                 [&] { return forget(context, host); }});
  return out;
}

std::string question(const Context& context, const Host& host) {
  std::string out =
      fmt::format("This takes {} out of its cluster{}", host.name,
                  context.flags.delete_data ? " and DELETES its data in " + host.data_dir
                                            : "; its data is moved aside");
  const std::string key = host.certs_dir + "/ca.key";
  if (!context.flags.keep_config && posix::exists(key) != base::Fact<bool>(false))
    out += fmt::format(
        ". It also deletes its certificates and {}, the key of the authority: without a copy on "
        "another host nothing can be signed any more (--keep-config leaves them)",
        key);
  return out + ". Go on?";
}

// Killed when all but its journal was gone; or another command did not come as far as to make this
// host anything.
Reply nothing_left(const Context& context, const base::Error& error) {
  TRY(const auto open, unfinished(context.places()));
  if (open.empty()) return std::unexpected(error);
  Answer out;
  out.value["keptConfig"] = false;
  if (context.flags.dry_run) {
    out.text = fmt::format("etcdadm reset would forget that `etcdadm {}` was begun here\n", open);
    return out;
  }
  TRY(const auto lock, lock_state(context.places()));
  TRY_OK(posix::remove_file(context.places().snapshot()));
  TRY_OK(forget_journal(context.places()));
  out.text = open == "reset"
                 ? "This host is in no cluster any more.\n"
                 : fmt::format(
                       "This host is in no cluster. `etcdadm {}`, which was begun here and "
                       "did not end, is forgotten.\n",
                       open);
  return out;
}

}  // namespace

Reply reset(const Context& context) {
  const auto places = context.places();
  auto loaded = load_host(places);
  if (!loaded && loaded.error().code == Code::kNotFound)
    return nothing_left(context, loaded.error());
  if (!loaded) return std::unexpected(loaded.error());
  const Host& host = *loaded;
  const auto steps = steps_of(context, host);
  const Run run{"reset", {}, true, true};
  if (context.flags.dry_run) return dry_run(run, steps);
  TRY(const auto lock, lock_state(places));
  if (!context.flags.yes && !context.ask(question(context, host)))
    return base::fail(Code::kFailedPrecondition, "not confirmed: say --yes, or answer yes");
  TRY_OK(run_steps(context, run, steps));
  Answer out;
  out.text = fmt::format("{} is in no cluster any more.\n", host.name);
  if (context.flags.keep_config)
    out.text +=
        "Its settings are kept: `etcdadm join URL` or `etcdadm snapshot restore FILE` goes "
        "on with them.\n";
  out.value["name"] = host.name;
  out.value["keptConfig"] = context.flags.keep_config;
  return out;
}

}  // namespace adm
