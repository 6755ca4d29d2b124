// Stories in which somebody reads and writes keys.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "conformance/kube_manager_bench.h"

namespace conformance {

class KubeClientStory : public KubeManagerStory {
 protected:
  std::unique_ptr<etcd::EtcdApi> client(const std::string& cluster, int member) {
    sim::Client c;
    c.machine = 0;
    c.tls.on = true;
    c.tls.leaf = node.world.operator_leaf;
    c.tls.trusted = {1};
    return sim::connect(
        node.world,
        fmt::format("https://{0}-{1}-0.{0}.default.svc.cluster.local:2379", cluster, member), c);
  }
  std::int64_t put(const std::string& cluster, const std::string& key) {
    for (int member = 0; member < 9; ++member)
      if (const auto done = client(cluster, member)->put(key, "v", 3s)) return *done;
    ADD_FAILURE() << "nobody takes " << key;
    return 0;
  }
  bool has(const std::string& cluster, const std::string& key) {
    for (int member = 0; member < 9; ++member)
      if (const auto got = client(cluster, member)->range(key, "", false, 0, 3s))
        return !got->kvs.empty();
    ADD_FAILURE() << "nobody answers for " << key;
    return false;
  }
  // "AsWanted what happens is…"; empty: nothing is said.
  std::string said(const kube::Resource& resource, const std::string& name, std::string_view type) {
    const auto* object = find(resource, name);
    const auto* all = object == nullptr ? nullptr : object->at("status.conditions");
    if (all == nullptr || !all->is_array()) return {};
    for (const auto& one : *all->if_array())
      if (json::get_string(one, "type").value_or("") == type)
        return json::get_string(one, "reason").value_or("") + " " +
               json::get_string(one, "message").value_or("");
    return {};
  }
};

}  // namespace conformance
