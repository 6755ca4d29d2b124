// The operator's loop in one thread: what is declared at the fake API server, the shipping intents,
// reconcilers, planner and driver, and one node of fakes.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "conformance/kube_bench.h"
#include "engine/queue.h"
#include "manager/kube_backups.h"
#include "manager/kube_restores.h"
#include "sim/world/operator.h"

namespace conformance {

using namespace std::chrono_literals;

class KubeManagerStory : public testing::Test {
 protected:
  KubeManagerStory() {
    for (const char* v : {"3.5.12", "3.5.33", "3.6.16"}) node.world.binaries.insert(v);
    restart();
  }
  // An empty memory: as after a crash, or in a new term.
  void restart() {
    backups.reset();
    restores.reset();
    clusters.reset();
    platform = machine.platform(random, log);
    clusters.emplace(manager::KubeClusters::Parts{*platform, node.client, node.clock, random, log,
                                                  registry, &plan::plan, [this] { return term; }});
    restores.emplace(manager::KubeRestores::Parts{*platform, *clusters, node.clock, log,
                                                  [this] { return term; }});
    backups.emplace(manager::KubeBackups::Parts{*platform, *clusters, node.clock, log, registry,
                                                [this] { return term; }});
  }
  void turn() {
    node.turn();
    platform->look({});
    clusters->take();
    for (const auto& key : clusters->keys()) ASSERT_TRUE(queue.wake(key));
    serve();
    backups->turn({});
    restores->turn({});
  }
  // What is due by its own appointment.
  void serve() {
    while (const auto key = queue.try_take()) {
      const auto again = clusters->work(*key, {});
      if (!again) problems.push_back(again.error().text());
      queue.done(*key, again.value_or(std::nullopt));
    }
  }
  bool run_until(const std::function<bool()>& reached, base::Duration limit = 120s) {
    const auto until = node.world.now() + limit;
    while (node.world.now() < until) {
      turn();
      if (reached()) return true;
      node.let_pass(250ms);
    }
    std::string said;
    for (const auto& problem : problems) said += problem + "\n";
    for (const auto* resource : {&kube::kEtcdClusters, &kube::kCoreosClusters})
      for (const auto& object : node.all(*resource))
        said += json::print(object, json::Style::kPretty) + "\n";
    ADD_FAILURE() << "not reached; " << said;
    return false;
  }

  json::Value declare(const kube::Resource& resource, const std::string& name, json::Object spec) {
    return node.must(kube::create(resource, "default",
                                  json::Object{{"apiVersion", resource.api_version()},
                                               {"kind", resource.kind},
                                               {"metadata", json::Object{{"name", name}}},
                                               {"spec", std::move(spec)}}));
  }
  void edit(const kube::Resource& resource, const std::string& name, json::Object spec) {
    node.must(
        kube::merge_patch(resource, {"default", name}, json::Object{{"spec", std::move(spec)}}));
  }
  const json::Value* find(const kube::Resource& resource, const std::string& name) {
    return node.server.find(resource, {"default", name});
  }
  std::string text(const kube::Resource& resource, const std::string& name, std::string_view path) {
    const auto* object = find(resource, name);
    return object == nullptr ? "" : json::get_string(*object, path).value_or("");
  }
  std::int64_t number(const std::string& name, std::string_view path) {
    const auto* object = find(kube::kEtcdClusters, name);
    return object == nullptr ? -1 : json::get_int(*object, path).value_or(-1);
  }
  // "True", "False", "Unknown"; empty: nothing is said.
  std::string condition(const kube::Resource& resource, const std::string& name,
                        std::string_view type, std::string_view field = "status") {
    const auto* object = find(resource, name);
    const auto* all = object == nullptr ? nullptr : object->at("status.conditions");
    if (all == nullptr || !all->is_array()) return {};
    for (const auto& one : *all->if_array())
      if (json::get_string(one, "type").value_or("") == type)
        return json::get_string(one, field).value_or("");
    return {};
  }
  bool serves(const std::string& name, std::int64_t size) {
    const auto* own = find(kube::kEtcdClusters, name);
    return own != nullptr && condition(kube::kEtcdClusters, name, "Available") == "True" &&
           number(name, "status.readyReplicas") == size &&
           number(name, "status.observedGeneration") == number(name, "metadata.generation") &&
           find(kube::kServices, name + "-client") != nullptr &&
           condition(kube::kEtcdClusters, name, "Progressing") == "False";
  }
  size_t count(const kube::Resource& resource) { return node.all(resource).size(); }

  KubeNode node;
  sim::NodeMachine machine{node};
  sim::NoLog log;
  sim::WorldRandom random{node.world};
  metrics::Registry registry;
  std::optional<std::int64_t> term = 1;
  engine::Queue queue{node.clock, random, {}};
  std::unique_ptr<k8s::Platform> platform;
  std::optional<manager::KubeClusters> clusters;
  std::optional<manager::KubeBackups> backups;
  std::optional<manager::KubeRestores> restores;
  std::vector<std::string> problems;
};

}  // namespace conformance
