// info: this host's member as JSON; download: a version of etcd into the cache.
#include <fmt/format.h>

#include "adm/checks.h"
#include "adm/commands.h"
#include "adm/node.h"
#include "adm/user.h"
#include "api/version.h"
#include "drivers/host/binaries.h"
#include "drivers/host/members.h"
#include "json/json.h"

namespace adm {

Reply info(const Context& context) {
  TRY(const auto host, load_host(context.places()));
  const auto files = context.places().member_files();
  const auto alive = host::is_alive(files);
  Answer out;
  auto& v = out.value;
  v["name"] = host.name;
  v["memberID"] = base::to_text(host.member_id);
  v["clusterID"] = base::to_text(host.cluster_id);
  v["stage"] = name_of(host.stage);
  v["version"] = host.version;
  v["peerURLs"] = std::vector<std::string>{host.peer_url()};
  v["clientURLs"] = std::vector<std::string>{host.client_url()};
  v["metricsURL"] = host.metrics_url();
  v["initSystem"] = host.init_system;
  if (host.init_system == "systemd") v["user"] = host.user.empty() ? kRoot : host.user;
  v["dataDir"] = host.data_dir;
  v["certsDir"] = host.certs_dir;
  v["installDir"] = host.install_dir;
  v["log"] = files.log + "/etcd.log";
  v["guardRuns"] = alive == base::Fact<bool>(true);
  if (const auto verdict = last_verdict(context.places()); !verdict.empty()) v["lastEnd"] = verdict;
  out.text = json::print(v, json::Style::kPretty) + "\n";
  return out;
}

Reply download(const Context& context) {
  const std::string text = context.flags.version.empty() ? kDefaultVersion : context.flags.version;
  TRY_IN("--version", const auto version, api::parse_version(text));
  TRY_OK(check_folder("--cache-dir", context.flags.cache_dir));
  Answer out;
  if (context.flags.dry_run) {
    out.text = fmt::format("etcdadm download would put etcd {} into {}\n", version.text(),
                           context.flags.cache_dir);
    return out;
  }
  host::FetchOptions options;
  options.etcd_dir = context.flags.cache_dir;
  options.release_url = context.flags.release_url;
  TRY(const auto programs, host::fetch_etcd(version, options, context.say, context.stop));
  out.value["version"] = version.text();
  out.value["etcd"] = programs.etcd;
  out.text = fmt::format("etcd {} is in {}\n", version.text(), programs.etcd);
  return out;
}

}  // namespace adm
