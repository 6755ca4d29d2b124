// Objects that only hold texts: certificates, and the record.
#include <utility>

#include "api/names.h"
#include "base/base64.h"
#include "render/kubernetes_parts.h"

namespace render {

using json::Object;
using json::Value;

Value cluster_secret(const api::Cluster& cluster, const std::string& name,
                     const std::map<std::string, std::string>& texts) {
  auto out = object_of(cluster, "v1", "Secret", name);
  out["type"] = "kubernetes.io/tls";
  Object data;
  for (const auto& [key, text] : texts) data[key] = base::encode_base64(text);
  out["data"] = std::move(data);
  return out;
}

Value record_map(const base::ClusterKey& key, const std::string& text) {
  api::Cluster cluster;
  cluster.key = key;
  auto out = object_of(cluster, "v1", "ConfigMap", api::ObjectNames{key.name}.record(),
                       /*owned=*/false);
  out["data"] = Object{{std::string(kRecordKey), text}};
  return out;
}

}  // namespace render
