// `run --platform kubernetes`: the operator against an API server.
#include <fmt/format.h>

#include <memory>

#include "base/text.h"
#include "bin/commands.h"
#include "bin/run_parts.h"
#include "etcd/api.h"
#include "kube/access.h"
#include "manager/kube_manager.h"
#include "posix/clock.h"
#include "posix/env.h"
#include "posix/files.h"
#include "posix/logger.h"
#include "posix/process.h"
#include "posix/signals.h"

namespace bin {
namespace {

constexpr size_t kConfigLimit = size_t{4} << 20;
constexpr const char* kLease = "etcd-operator";

std::string env(const std::string& name) {
  return posix::get_env(name).value_or("");
}

base::Result<kube::Access> access_of(const RunFlags& flags) {
  kube::Environment around;
  around.kubeconfig = env("KUBECONFIG");
  around.home = env("HOME");
  around.service_host = env("KUBERNETES_SERVICE_HOST");
  around.service_port = env("KUBERNETES_SERVICE_PORT");
  return kube::find_access({flags.kubeconfig, flags.context}, around, [](const std::string& path) {
    return posix::read_file(path, kConfigLimit);
  });
}

manager::KubeManagerOptions options_of(const RunFlags& flags, const kube::Access& access,
                                       base::Random& random) {
  manager::KubeManagerOptions out;
  out.http_addr = flags.http_addr;
  if (flags.workers != 0) out.workers = flags.workers;
  // Outside of a pod: a person who tries it.
  const std::string ns = env("POD_NAMESPACE").empty() ? access.ns : env("POD_NAMESPACE");
  const std::string pod = env("POD_NAME").empty() ? "etcd-operator" : env("POD_NAME");
  out.platform.objects.operator_image = flags.operator_image;
  out.platform.objects.cluster_domain = flags.cluster_domain;
  out.platform.objects.operator_namespace = ns;
  out.platform.one_namespace = flags.watch_namespace;
  out.platform.sees_volumes = flags.watch_namespace.empty();
  out.platform.instance = pod;
  out.lease.name = {ns, kLease};
  // Of this process alone: a container that was restarted has its pod's name again.
  out.lease.identity = fmt::format("{}_{}", pod, base::to_hex(random.next()));
  return out;
}

}  // namespace

int run_on_kubernetes(const RunFlags& flags) {
  if (flags.operator_image.empty())
    return report(base::Error{base::Code::kInvalidArgument,
                              "--platform kubernetes needs --operator-image IMAGE: members take "
                              "etcd-guard from it"});
  const auto signals = posix::StopOnSignal::install();
  if (!signals) return report(signals.error());
  const auto access = access_of(flags);
  if (!access) return report(access.error());
  const posix::SystemClock clock;
  posix::SystemRandom random;
  const auto log = posix::make_logger(log_options(flags), clock, posix::to_stderr());
  auto options = options_of(flags, *access, random);
  std::unique_ptr<DieAtPoints> fault;
  if (!flags.fault_points.empty()) {
    fault = std::make_unique<DieAtPoints>(flags.fault_points);
    options.faults = fault.get();
  }
  const auto transport = kube::connect(*access, clock);
  if (!transport) return report(transport.error());
  const auto machine = k8s::make_machine();
  log->info("ApiServer", {{"server", access->server}, {"access", access->source}});
  const auto manager = manager::KubeManager::open(
      options, {**transport, clock, random, *log, *machine, etcd::connect});
  if (!manager) return report(manager.error());
  (*manager)->run((*signals)->source().get_token());
  return kDone;
}

}  // namespace bin
