// snapshot restore: into the configured data directory, where it makes a cluster of one member
// under a new token and starts it; into any other, where it only writes.
#include <fmt/format.h>

#include <algorithm>

#include "adm/begin.h"
#include "adm/certificates.h"
#include "adm/checks.h"
#include "adm/commands.h"
#include "adm/node.h"
#include "adm/remote.h"
#include "adm/steps.h"
#include "base/text.h"
#include "drivers/host/members.h"
#include "etcd/bolt/verify.h"
#include "pki/random.h"
#include "posix/env.h"
#include "posix/files.h"
#include "posix/process.h"

namespace adm {
namespace {

using base::Code;

constexpr base::Duration kBuild = std::chrono::hours(1);

base::Status must_be_good(const std::string& file, bool member_file) {
  TRY(const auto source, bolt::FileSource::open(file));
  const auto facts = bolt::verify(source, {.trailer_required = !member_file, .hash_kv = false});
  if (facts) return {};
  return std::unexpected(facts.error().in(
      file + (facts.error().code == Code::kDataLoss ? ": not a good snapshot" : "")));
}

// Whatever lives or lies there stays as it is.
base::Status must_be_free(const Context& context, const std::string& folder) {
  if (host::is_alive(context.places().member_files()) == base::Fact<bool>(true))
    if (const auto host = load_host(context.places()); host && host->data_dir == folder)
      return base::fail(Code::kFailedPrecondition,
                        fmt::format("{} is the data directory of the etcd that runs here: nothing "
                                    "was changed. `etcdadm reset --keep-config` first",
                                    folder));
  const auto names = posix::list_dir(folder);
  if (!names && names.error().code == Code::kNotFound) return {};
  if (!names) return std::unexpected(names.error());
  if (std::ranges::all_of(*names, [](const auto& name) { return name == "lost+found"; })) return {};
  if (context.flags.force) return {};
  return base::fail(Code::kFailedPrecondition,
                    fmt::format("{} is not empty: nothing was changed; --force moves it aside and "
                                "keeps it",
                                folder));
}

// On a host that init or join had configured.
Reply into_member(const Context& context, Host host) {
  const auto places = context.places();
  const std::string& file = context.flags.subject;
  Answer answer;
  std::vector<Step> steps;
  steps.push_back({"snapshot", fmt::format("check {} and copy it", file), [&]() -> base::Status {
                     if (host.stage != Stage::kNone) return {};
                     TRY_OK(check_room(context, host));
                     TRY_OK(clear_data(context, host));
                     return begin_from_snapshot(context, host, file, context.flags.member_file);
                   }});
  steps.push_back({"install", "put the programs where they belong",
                   [&] { return install_programs(context, host); }});
  steps.push_back({"certificates", "complete the certificates",
                   [&] { return make_certificates(host, context.clock.now()); }});
  steps.push_back({"configure", fmt::format("write the member's ticket into {}", places.member()),
                   [&] { return write_member(context, host); }});
  steps.push_back({"start",
                   fmt::format("start etcd-guard, which builds {}, and etcd ({})", host.data_dir,
                               host.init_system),
                   [&] { return start_member(context, host); }});
  steps.push_back(
      {"health", fmt::format("wait until {} serves", host.client_url()), [&]() -> base::Status {
         TRY_OK(wait_serving(context, host));
         TRY_OK(latch(context, host));
         return write_etcdctl(host);
       }});
  const Run run{"snapshot restore", {}};
  if (context.flags.dry_run) return dry_run(run, steps);
  TRY_OK(run_steps(context, run, steps));
  answer.text = fmt::format(
      "{0} is restored from {1} and serves at {2} as a cluster of one member ({3}).\n"
      "On each other host: `etcdadm reset` (or reset --keep-config), then\n\n  etcdadm join {4}\n",
      host.name, file, host.client_url(), base::to_text(host.cluster_id), host.peer_url());
  answer.value["name"] = host.name;
  answer.value["clusterID"] = base::to_text(host.cluster_id);
  answer.value["clientURL"] = host.client_url();
  answer.value["started"] = true;
  return answer;
}

base::Result<std::string> etcdutl_of(const Host& host) {
  std::string own = host.install_dir + "/etcdutl";
  if (posix::exists(own) == base::Fact<bool>(true)) return own;
  const auto path = posix::get_env("PATH").value_or("/usr/bin:/bin");
  auto found = posix::find_program("etcdutl", path);
  if (!found)
    return base::fail(Code::kNotFound,
                      "etcdutl is neither " + own + " nor on PATH: `etcdadm download` brings it");
  return found;
}

// A folder of its own: nothing is started, nothing of this host's configuration changes.
Reply into_folder(const Context& context, const Host& host) {
  const std::string& folder = context.flags.data_dir;
  TRY(const std::string file, posix::absolute_path(context.flags.subject));
  TRY(const auto etcdutl, etcdutl_of(host));
  TRY(const auto random, pki::random_hex(8));
  const std::string token = "etcd-" + random;
  const std::string name = host.name.empty() ? "default" : host.name;
  const std::string peer = host.bind_address.empty() ? "http://localhost:2380" : host.peer_url();
  Answer out;
  std::vector<std::string> argv{etcdutl,
                                "snapshot",
                                "restore",
                                file,
                                "--data-dir=" + folder,
                                "--name=" + name,
                                fmt::format("--initial-cluster={}={}", name, peer),
                                "--initial-advertise-peer-urls=" + peer,
                                "--initial-cluster-token=" + token};
  if (context.flags.member_file) argv.emplace_back("--skip-hash-check");
  if (context.flags.dry_run) {
    out.text = "etcdadm snapshot restore would run\n  " + base::join(argv, " ") + "\n";
    return out;
  }
  if (posix::exists(folder) != base::Fact<bool>(false)) {
    TRY(const auto names, posix::list_dir(folder));
    if (names.empty()) {
      TRY_OK(posix::remove_tree(folder));  // etcdutl makes it, and wants it absent
    } else {
      TRY(const auto to, move_aside(folder, "old", context.clock.now()));
      context.say(fmt::format("what was in {} is kept in {}", folder, to));
    }
  }
  TRY_IN(etcdutl, const auto ran, posix::run({argv, {}, "/"}, {kBuild}, context.stop));
  if (ran.exit_code != 0)
    return base::fail(Code::kInternal,
                      fmt::format("{} ended with {}: {}", etcdutl, ran.exit_code,
                                  base::trim(ran.err.empty() ? ran.out : ran.err)));
  const std::string start = fmt::format(
      "etcd --data-dir={} --name={} --initial-cluster={}={} "
      "--initial-advertise-peer-urls={} --initial-cluster-token={}",
      folder, name, name, peer, peer, token);
  out.text = fmt::format("{} holds what {} held. Nothing was started; this starts it:\n\n  {}\n",
                         folder, file, start);
  out.value["dataDir"] = folder;
  out.value["started"] = false;
  out.value["start"] = start;
  return out;
}

// From a file of it that is gone afterwards.
Reply restore_remote(const Context& context) {
  TRY(const auto scratch, get_remote(context, context.flags.subject));
  Context local = context;
  local.flags.subject = scratch.path();
  auto reply = snapshot_restore(local);
  std::string& words = reply ? reply->text : reply.error().message;
  for (size_t at = words.find(scratch.path()); at != std::string::npos;
       at = words.find(scratch.path(), at + context.flags.subject.size()))
    words.replace(at, scratch.path().size(), context.flags.subject);
  return reply;
}

}  // namespace

Reply snapshot_restore(const Context& context) {
  const auto places = context.places();
  auto loaded = load_host(places);
  if (!loaded && loaded.error().code != Code::kNotFound) return std::unexpected(loaded.error());
  Host host = loaded ? *loaded : Host{};
  std::string folder =
      context.flags.data_dir_given || !loaded ? context.flags.data_dir : host.data_dir;
  TRY_OK(check_folder("--data-dir", folder));
  while (folder.size() > 1 && folder.ends_with('/')) folder.pop_back();
  Context ours = context;
  ours.flags.data_dir = folder;
  const bool configured = loaded && host.data_dir == folder;
  TRY(const auto open, unfinished(places));
  const bool goes_on = configured && open == "snapshot restore" && host.stage != Stage::kNone;
  if (!goes_on) {
    // Once begun, it has what it needs in the state directory.
    if (is_remote(context.flags.subject)) return restore_remote(context);
    TRY_OK(must_be_good(context.flags.subject, context.flags.member_file));
    if (configured && host.stage != Stage::kNone)
      return base::fail(Code::kFailedPrecondition,
                        fmt::format("this host is member {} of a cluster, and {} is its data: "
                                    "nothing was changed. `etcdadm reset --keep-config` takes it "
                                    "out first",
                                    host.name, folder));
    TRY_OK(must_be_free(ours, folder));
  }
  if (!configured) return into_folder(ours, host);
  if (ours.flags.dry_run) return into_member(ours, host);
  TRY(const auto lock, lock_state(places));
  return into_member(ours, host);
}

}  // namespace adm
