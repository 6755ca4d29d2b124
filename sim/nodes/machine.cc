#include "sim/nodes/machine.h"

namespace sim {

void NodeMachine::pause(base::Duration d, const std::stop_token& /*stop*/) {
  node_.let_pass(d);
}

void NodeMachine::together(std::span<const std::function<void()>> calls) {
  node_.world.begin_parallel();
  for (const auto& call : calls) {
    call();
    node_.world.next_parallel();
  }
  node_.world.end_parallel();
}

std::optional<api::Version> NodeMachine::cluster_version(const std::string& metrics_url,
                                                         base::Duration /*deadline*/,
                                                         const std::stop_token& /*stop*/) {
  const auto place = live::host_port(metrics_url);
  const auto member = node_.member_at(place.substr(0, place.rfind(':')));
  const auto* etcd = member.empty() ? nullptr : node_.world.process_of(member);
  if (etcd == nullptr || !etcd->is_up() || etcd->state().cluster_minor == 0) return std::nullopt;
  return api::Version{3, etcd->state().cluster_minor, 0, ""};
}

base::Result<std::string> NodeMachine::page(const std::string& url, base::Duration /*deadline*/,
                                            const std::stop_token& /*stop*/) {
  return node_.page(url);
}

std::unique_ptr<etcd::EtcdApi> NodeMachine::dial(const std::string& url, const etcd::Tls& tls) {
  Client client;
  client.machine = 0;
  client.tls.on = !tls.ca.empty();
  client.tls.leaf = node_.world.operator_leaf;
  client.tls.trusted = {1};
  const auto scheme = url.substr(0, url.find("://") + 3);
  return connect(node_.world, tls.server_name.empty() ? url : scheme + tls.server_name + ":2379",
                 client);
}

std::unique_ptr<k8s::Platform> NodeMachine::platform(kube::Client& client, base::Random& random,
                                                     base::Logger& log) {
  k8s::PlatformOptions options;
  options.objects.operator_image = "etcd-operator:1";
  return k8s::Platform::make(
      options, {client, node_.clock, random, log, *this,
                [this](const std::string& url, const etcd::Tls& tls) { return dial(url, tls); }});
}

}  // namespace sim
