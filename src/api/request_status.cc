#include "api/request_status.h"

#include <chrono>

#include "json/json.h"

namespace api {
namespace {

void put(json::Object& out, std::string_view key, const std::string& text) {
  if (!text.empty()) out[key] = text;
}

}  // namespace

json::Value to_json(const BackupRequestStatus& status) {
  json::Object out;
  if (status.succeeded) out["succeeded"] = *status.succeeded;
  put(out, "Reason", status.reason);
  put(out, "etcdVersion", status.etcd_version);
  if (status.etcd_revision > 0) out["etcdRevision"] = status.etcd_revision;
  if (status.last_success)
    out["lastSuccessDate"] =
        base::to_rfc3339(std::chrono::floor<std::chrono::seconds>(*status.last_success));
  put(out, "location", status.location);
  if (status.observed_generation > 0) out["observedGeneration"] = status.observed_generation;
  return out;
}

BackupRequestStatus parse_backup_status(const json::Value& status) {
  const auto text = [&](std::string_view key) {
    return json::get_string(status, key).value_or("");
  };
  BackupRequestStatus out;
  if (const auto said = json::get_bool(status, "succeeded")) out.succeeded = *said;
  out.reason = text("Reason");
  out.etcd_version = text("etcdVersion");
  out.location = text("location");
  out.etcd_revision = json::get_int(status, "etcdRevision").value_or(0);
  if (const auto at = base::parse_rfc3339(text("lastSuccessDate"))) out.last_success = *at;
  out.observed_generation = json::get_int(status, "observedGeneration").value_or(0);
  return out;
}

json::Value to_json(const RestoreRequestStatus& status) {
  json::Object out;
  if (status.succeeded) out["succeeded"] = *status.succeeded;
  put(out, "reason", status.reason);
  if (status.revision > 0) out["revision"] = status.revision;
  put(out, "location", status.location);
  if (status.observed_generation > 0) out["observedGeneration"] = status.observed_generation;
  return out;
}

RestoreRequestStatus parse_restore_status(const json::Value& status) {
  RestoreRequestStatus out;
  if (const auto said = json::get_bool(status, "succeeded")) out.succeeded = *said;
  out.reason = json::get_string(status, "reason").value_or("");
  out.revision = json::get_int(status, "revision").value_or(0);
  out.location = json::get_string(status, "location").value_or("");
  out.observed_generation = json::get_int(status, "observedGeneration").value_or(0);
  return out;
}

}  // namespace api
