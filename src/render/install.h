// The objects that install the operator on Kubernetes. Pure. The Helm chart's default output is the
// same; tools/deploy-check compares them.
#pragma once

#include <string>
#include <vector>

#include "json/value.h"

namespace render {

struct InstallOptions {
  std::string name_space = "etcd-operator-system";
  std::string image;           // of the operator; "repository:tag"
  std::string version;         // of the operator, for labels
  bool one_namespace = false;  // rights and watches in `name_space` only
};

// Without the CRDs. In the order in which they must be applied.
std::vector<json::Value> install_objects(const InstallOptions& options);

}  // namespace render
