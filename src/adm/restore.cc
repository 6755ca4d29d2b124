// snapshot restore: into the configured data directory, where it makes a cluster of one member
// under a new token and starts it; into any other, where it only writes.
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "adm/begin.h"
#include "adm/certificates.h"
#include "adm/checks.h"
#include "adm/commands.h"
#include "adm/node.h"
#include "adm/remote.h"
#include "adm/restore_work.h"
#include "adm/steps.h"
#include "base/text.h"
#include "drivers/host/members.h"
#include "etcd/bolt/verify.h"
#include "pki/random.h"
#include "posix/env.h"
#include "posix/files.h"
#include "posix/place.h"
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

bool overlap(const std::string& a, const std::string& b) {
  return (a + "/").starts_with(b + "/") || (b + "/").starts_with(a + "/");
}

// Whatever lives or lies there stays as it is. `host`: of this host, if there is one.
base::Status must_be_free(const Context& context, const Host* host, const std::string& folder) {
  TRY(const auto real, posix::real_path(folder));
  TRY(const auto state, posix::real_path(context.places().state_dir));
  if (overlap(real, state))
    return base::fail(
        Code::kFailedPrecondition,
        fmt::format("{} holds or is part of {}, where etcdadm keeps what it knows of this host: "
                    "nothing was changed",
                    folder, state));
  if (host != nullptr) {
    TRY(const auto data, posix::real_path(host->data_dir));
    const bool lives = host->stage != Stage::kNone ||
                       host::is_alive(context.places().member_files()) == base::Fact<bool>(true);
    if (lives && overlap(real, data))
      return base::fail(Code::kFailedPrecondition,
                        fmt::format("{} holds or is part of {}, the data directory of this host's "
                                    "member: nothing was changed. `etcdadm reset --keep-config` "
                                    "first",
                                    folder, data));
  }
  TRY(const bool empty, is_empty(folder));
  if (empty) return {};
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

struct Plan {
  std::string folder;
  std::string work;  // a folder of this run alone, beside it
  std::string part;  // in that; gets the folder's name once it is whole
  std::vector<std::string> argv;
  std::string start;
};

base::Result<Plan> plan_folder(const Context& context, const Host& host) {
  Plan out;
  out.folder = context.flags.data_dir;
  TRY(const std::string file, posix::absolute_path(context.flags.subject));
  TRY(const auto etcdutl, etcdutl_of(host));
  TRY(const auto random, pki::random_hex(8));
  out.work = work_folder(out.folder, random);
  out.part = data_in_work(out.work);
  const std::string name = host.name.empty() ? "default" : host.name;
  const std::string peer = host.bind_address.empty() ? "http://localhost:2380" : host.peer_url();
  const std::vector<std::string> member{
      "--name=" + name, fmt::format("--initial-cluster={}={}", name, peer),
      "--initial-advertise-peer-urls=" + peer, "--initial-cluster-token=etcd-" + random};
  out.start = fmt::format("etcd --data-dir={} {}", out.folder, base::join(member, " "));
  out.argv = {etcdutl, "snapshot", "restore", file, "--data-dir=" + out.part};
  out.argv.insert(out.argv.end(), member.begin(), member.end());
  if (context.flags.member_file) out.argv.emplace_back("--skip-hash-check");
  return out;
}

base::Status build(const Context& context, const Plan& plan) {
  TRY_IN(plan.argv.front(), const auto ran,
         posix::run({plan.argv, {}, "/"}, {kBuild}, context.stop));
  if (ran.exit_code == 0) return {};
  return base::fail(Code::kInternal,
                    fmt::format("{} ended with {}: {}", plan.argv.front(), ran.exit_code,
                                base::trim(ran.err.empty() ? ran.out : ran.err)));
}

// A folder of its own: nothing is started, nothing of this host's configuration changes.
Reply into_folder(const Context& context, const Host& host) {
  TRY(const auto plan, plan_folder(context, host));
  const std::string& folder = plan.folder;
  Answer out;
  if (context.flags.dry_run) {
    out.text =
        fmt::format("etcdadm snapshot restore would run\n  {}\nand give the folder the name {}\n",
                    base::join(plan.argv, " "), folder);
    return out;
  }
  TRY(const auto removed, sweep_work(folder));
  for (const auto& name : removed)
    context.say("removed what a restore that was killed had left: " + name);
  TRY(const auto working, begin_work(plan.work, folder));
  if (context.fault) context.fault("build.before");
  if (auto built = build(context, plan); !built) {
    TRY_OK(posix::remove_tree(plan.work));
    return std::unexpected(built.error());
  }
  if (context.fault) context.fault("build.after");
  if (posix::exists(folder) != base::Fact<bool>(false)) {
    TRY(const auto names, posix::list_dir(folder));
    if (names.empty()) {
      TRY_OK(posix::remove_tree(folder));
    } else {
      TRY(const auto to, move_aside(folder, "old", context.clock.now()));
      context.say(fmt::format("what was in {} is kept in {}", folder, to));
    }
  }
  TRY_OK(posix::rename(plan.part, folder));
  TRY_OK(posix::remove_tree(plan.work));
  out.text = fmt::format("{} holds what {} held. Nothing was started; this starts it:\n\n  {}\n",
                         folder, context.flags.subject, plan.start);
  out.value["dataDir"] = folder;
  out.value["started"] = false;
  out.value["start"] = plan.start;
  return out;
}

// From a file of it that is gone afterwards.
Reply restore_remote(const Context& context) {
  TRY(const auto scratch, get_remote(context, context.flags.subject));
  Context local = context;
  local.flags.subject = scratch.path();
  local.flags.subject_url = context.flags.subject;
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
  const std::string given =
      context.flags.data_dir_given || !loaded ? context.flags.data_dir : host.data_dir;
  TRY_OK(check_folder("--data-dir", given));
  TRY(std::string folder, posix::absolute_path(given));
  bool configured = false;
  if (loaded) {
    TRY(const auto real, posix::real_path(folder));
    TRY(const auto own, posix::real_path(host.data_dir));
    configured = real == own;
    if (configured) folder = host.data_dir;
  }
  Context ours = context;
  ours.flags.data_dir = folder;
  TRY(const auto open, unfinished(places));
  const bool goes_on = configured && open == "snapshot restore" && host.stage != Stage::kNone;
  if (goes_on) {
    TRY_OK(check_beginning(host, context.flags.subject, context.flags.member_file));
  } else {
    // Once begun, it has what it needs in the state directory.
    if (is_remote(context.flags.subject)) return restore_remote(context);
    TRY_OK(must_be_good(context.flags.subject, context.flags.member_file));
    if (configured && host.stage != Stage::kNone)
      return base::fail(Code::kFailedPrecondition,
                        fmt::format("this host is member {} of a cluster, and {} is its data: "
                                    "nothing was changed. `etcdadm reset --keep-config` takes it "
                                    "out first",
                                    host.name, folder));
    if (!configured && posix::is_mount_point(folder) == base::Fact<bool>(true))
      return base::fail(Code::kFailedPrecondition,
                        fmt::format("{} is a mount point, which a finished folder cannot take the "
                                    "place of: give a folder in it; nothing was changed",
                                    folder));
    TRY_OK(must_be_free(ours, loaded ? &host : nullptr, folder));
  }
  std::optional<posix::FileLock> lock;
  if (loaded && !ours.flags.dry_run) {
    TRY(lock, lock_state(places));
  }
  return configured ? into_member(ours, host) : into_folder(ours, host);
}

}  // namespace adm
