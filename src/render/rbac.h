// What the operator may do on Kubernetes: one line for each resource with the reason, from which
// roles are made. Whoever adds a call adds it here; nothing is allowed "for later".
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "json/value.h"

namespace render {

enum class Reach {
  kOwnNamespace,  // where the operator itself lives
  kClusters,      // the namespaces of the clusters
  kWholeCluster   // of no namespace; a namespaced operator does without
};

struct Permission {
  Reach reach = Reach::kClusters;
  std::string_view group;      // "" is the core
  std::string_view resources;  // separated by one blank
  std::string_view verbs;
  std::string_view why;
  std::string_view names = {};  // only these objects
};

std::span<const Permission> permissions();

// The rules of a Role or ClusterRole.
json::Array rules_of(Reach reach);
// "| Reach | Resources | Verbs | Why |" for the reference page.
std::string permissions_page();

}  // namespace render
