// The Kubernetes driver of cluster default/c, with one node of fakes below it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "drivers/kube/platform.h"
#include "posix/logger.h"
#include "sim/nodes/machine.h"

namespace conformance {

// Whose complaints fail the test.
class KubeNode final : public sim::KubeNode {
 public:
  KubeNode()
      : sim::KubeNode(sim::Settings{}, [](const std::string& what) { ADD_FAILURE() << what; }) {}
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
  sim::NodeMachine machine_{node};
  json::Value cluster_;
  plan::Intent intent_;
  sim::WorldRandom random_{node.world};
  std::unique_ptr<base::Logger> log_ = posix::make_null_logger();
  std::unique_ptr<k8s::Platform> platform_;
  std::unique_ptr<k8s::ClusterDriver> driver_;
};

}  // namespace conformance
