// Parts that several pods have.
#include <fmt/format.h>

#include <utility>

#include "api/quantity.h"
#include "render/kubernetes_parts.h"
#include "render/store_jobs.h"

namespace render {

using json::Array;
using json::Object;
using json::Value;

namespace {

constexpr int kUser = 65532;

std::string folder_of(std::string_view file) {
  return std::string(file.substr(0, file.rfind('/')));
}

}  // namespace

Value pod_security(const api::ClusterSpec& spec) {
  Object out{{"runAsNonRoot", true},
             {"runAsUser", kUser},
             {"runAsGroup", kUser},
             {"fsGroup", kUser},
             {"fsGroupChangePolicy", "OnRootMismatch"},
             {"seccompProfile", Object{{"type", "RuntimeDefault"}}}};
  if (const auto given = pod_field(spec, "securityContext"); given && given->is_object())
    for (const auto& [key, value] : *given->if_object()) out[key] = value;
  return out;
}

Value confined() {
  return Object{{"allowPrivilegeEscalation", false},
                {"readOnlyRootFilesystem", true},
                {"capabilities", Object{{"drop", Array{"ALL"}}}}};
}

Value mount(std::string_view name, std::string_view path, bool read_only) {
  Object out{{"name", name}, {"mountPath", path}};
  if (read_only) out["readOnly"] = true;
  return out;
}

Value tls_volume(std::string_view name, const std::string& own, const std::string& users,
                 std::string_view prefix) {
  Object secret{{"secretName", users.empty() ? own : users}, {"defaultMode", 0440}};
  if (!users.empty()) {
    const auto item = [&](std::string_view key, std::string_view path) {
      return Value(Object{{"key", fmt::format("{}{}", prefix, key)}, {"path", path}});
    };
    secret["items"] =
        Array{item(".crt", "tls.crt"), item(".key", "tls.key"), item("-ca.crt", "ca.crt")};
  }
  return Object{{"name", name}, {"secret", std::move(secret)}};
}

Array store_mounts(const StoreAccess& store) {
  Array out;
  if (!store.secret.empty()) out.push_back(mount("store", kStoreSecretDir, true));
  if (!store.encryption_secret.empty()) out.push_back(mount("key", folder_of(kStoreKeyFile), true));
  if (store.claim.empty()) return out;
  Value volume = mount("backups", kBackupsDir, false);
  // The root of a volume may hold what its file system put there.
  if (!store.shared) volume["subPath"] = "backups";
  out.push_back(std::move(volume));
  return out;
}

Array store_volumes(const StoreAccess& store) {
  Array out;
  if (!store.secret.empty())
    out.push_back(Object{{"name", "store"},
                         {"secret", Object{{"secretName", store.secret}, {"defaultMode", 0440}}}});
  if (!store.encryption_secret.empty()) {
    const Value item = Object{{"key", store.encryption_key},
                              {"path", kStoreKeyFile.substr(kStoreKeyFile.rfind('/') + 1)}};
    out.push_back(Object{{"name", "key"},
                         {"secret", Object{{"secretName", store.encryption_secret},
                                           {"defaultMode", 0440},
                                           {"items", Array{item}}}}});
  }
  if (!store.claim.empty())
    out.push_back(
        Object{{"name", "backups"}, {"persistentVolumeClaim", Object{{"claimName", store.claim}}}});
  return out;
}

Value annotation_volume(std::string_view name, std::string_view annotation, std::string_view file) {
  const Value item = Object{
      {"path", file},
      {"fieldRef", Object{{"fieldPath", fmt::format("metadata.annotations['{}']", annotation)}}}};
  return Object{{"name", name}, {"downwardAPI", Object{{"items", Array{item}}}}};
}

Value scratch_volume(std::string_view name, const api::ClusterSpec& spec, std::int64_t more) {
  return Object{{"name", name},
                {"emptyDir", Object{{"sizeLimit", api::to_size_text(scratch_bytes(spec) + more)}}}};
}

}  // namespace render
