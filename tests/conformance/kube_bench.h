// The Kubernetes driver of cluster default/c, with one node of fakes below it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "conformance/kube_node.h"
#include "drivers/kube/platform.h"
#include "posix/logger.h"

namespace conformance {

// What the drivers ask of the machine, answered by the simulated world.
class WorldMachine final : public k8s::Machine {
 public:
  explicit WorldMachine(KubeNode& of) : node(of) {}
  void pause(base::Duration d, const std::stop_token& /*stop*/) override { node.let_pass(d); }
  void together(std::span<const std::function<void()>> calls) override {
    node.world.begin_parallel();
    for (const auto& call : calls) {
      call();
      node.world.next_parallel();
    }
    node.world.end_parallel();
  }
  std::optional<api::Version> cluster_version(const std::string& metrics_url,
                                              base::Duration /*deadline*/,
                                              const std::stop_token& /*stop*/) override {
    const auto place = live::host_port(metrics_url);
    const auto member = node.member_at(place.substr(0, place.rfind(':')));
    const auto* etcd = member.empty() ? nullptr : node.world.process_of(member);
    if (etcd == nullptr || !etcd->is_up() || etcd->state().cluster_minor == 0) return std::nullopt;
    return api::Version{3, etcd->state().cluster_minor, 0, ""};
  }
  base::Result<std::string> page(const std::string& url, base::Duration /*deadline*/,
                                 const std::stop_token& /*stop*/) override {
    return node.page(url);
  }
  // By address; the world knows members by the names that they advertise.
  std::unique_ptr<etcd::EtcdApi> dial(const std::string& url, const etcd::Tls& tls) {
    sim::Client client;
    client.machine = 0;
    client.tls.on = !tls.ca.empty();
    client.tls.leaf = node.world.operator_leaf;
    client.tls.trusted = {1};
    const auto scheme = url.substr(0, url.find("://") + 3);
    return sim::connect(node.world,
                        tls.server_name.empty() ? url : scheme + tls.server_name + ":2379", client);
  }

  std::unique_ptr<k8s::Platform> platform(base::Random& random, base::Logger& log) {
    return platform(node.client, random, log);
  }
  std::unique_ptr<k8s::Platform> platform(kube::Client& client, base::Random& random,
                                          base::Logger& log) {
    k8s::PlatformOptions options;
    options.objects.operator_image = "etcd-operator:1";
    return k8s::Platform::make(
        options, {client, node.clock, random, log, *this,
                  [this](const std::string& url, const etcd::Tls& tls) { return dial(url, tls); }});
  }

 private:
  KubeNode& node;
};

class KubeBench final {
 public:
  explicit KubeBench(int size = 1) {
    cluster_ = node.must(kube::create(
        kube::kEtcdClusters, "default",
        json::Object{{"metadata", json::Object{{"name", "c"}}}, {"spec", json::Object()}}));
    intent_.cluster.key = {"default", "c"};
    intent_.cluster.uid = json::get_string(cluster_, "metadata.uid").value_or("");
    intent_.cluster.spec.size = size;
    intent_.cluster.spec.version = *api::parse_version("3.5.12");
    node.world.binaries.insert("3.5.12");
    reopen();
  }

  k8s::ClusterDriver& driver() {
    refresh();
    return *driver_;
  }
  void refresh() {
    node.turn();
    platform_->look({});
  }
  plan::Intent& intent() { return intent_; }
  void reopen() {
    driver_.reset();
    platform_ = machine_.platform(random_, *log_);
    driver_ = platform_->driver(intent_.cluster.key);
  }
  void tear_record() {
    const auto* map = node.server.find(kube::kConfigMaps, {"default", "c-record"});
    ASSERT_NE(map, nullptr);
    const auto text = json::get_string(*map, "data.record").value_or("");
    node.must(kube::merge_patch(
        kube::kConfigMaps, {"default", "c-record"},
        json::Object{{"data", json::Object{{"record", text.substr(0, text.size() / 2)}}}}));
  }
  void forbid_writes(bool on) {
    node.server.calm();
    if (!on) return;
    for (const auto* what : {"create configmaps", "patch configmaps"})
      node.server.befall(what, sim::KubeServer::Fate::kUnavailable);
  }
  // The volumes of members that were put aside.
  std::vector<std::string> left() {
    std::vector<std::string> out;
    for (const auto& claim : node.all(kube::kClaims)) {
      const auto* labels = claim.at("metadata.labels");
      const auto* state = labels == nullptr ? nullptr : labels->find(render::kVolumeStateLabel);
      if (state != nullptr && *state == json::Value("removed"))
        out.push_back(json::get_string(claim, "metadata.name").value_or(""));
    }
    return out;
  }
  void let_pass(base::Duration d) { node.let_pass(d); }

  KubeNode node;

 private:
  WorldMachine machine_{node};
  json::Value cluster_;
  plan::Intent intent_;
  sim::WorldRandom random_{node.world};
  std::unique_ptr<base::Logger> log_ = posix::make_null_logger();
  std::unique_ptr<k8s::Platform> platform_;
  std::unique_ptr<k8s::ClusterDriver> driver_;
};

}  // namespace conformance
