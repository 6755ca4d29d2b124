// The answers of the fake API server, in the real one's form.
#pragma once

#include <string>
#include <string_view>

#include "json/json.h"
#include "kube/transport.h"

namespace sim {

inline json::Value status_object(int code, std::string_view reason, std::string_view message,
                                 json::Array causes = {}) {
  json::Value object =
      json::Object{{"kind", "Status"},    {"apiVersion", "v1"}, {"metadata", json::Object()},
                   {"status", "Failure"}, {"message", message}, {"reason", reason},
                   {"code", code}};
  if (!causes.empty()) object["details"]["causes"] = std::move(causes);
  return object;
}

inline kube::Response refusal(int code, std::string_view reason, std::string_view message,
                              json::Array causes = {}) {
  return {.status = code,
          .body = json::print(status_object(code, reason, message, std::move(causes)))};
}

// A value that the real one's validation names.
inline kube::Response invalid(std::string_view field, std::string_view message) {
  return refusal(
      422, "Invalid", std::string(field) + ": " + std::string(message),
      {json::Object{{"reason", "FieldValueInvalid"}, {"message", message}, {"field", field}}});
}

inline kube::Response good(int code, const json::Value& object) {
  return {.status = code, .body = json::print(object)};
}

// Of a definition of ours.
inline bool is_custom(const kube::Resource& resource) {
  return resource.group.ends_with("etcd.io") || resource.group.ends_with("coreos.com");
}

inline std::string text_at(const json::Value& object, std::string_view path) {
  return json::get_string(object, path).value_or("");
}

// Of a map whose keys have dots.
inline std::string keyed(const json::Value& object, std::string_view map, std::string_view key) {
  const auto* fields = object.at(map);
  const auto* value = fields == nullptr ? nullptr : fields->find(key);
  return value == nullptr || !value->is_string() ? std::string() : *value->if_string();
}

inline std::string asked(const kube::Request& request, std::string_view key) {
  for (const auto& [name, value] : request.query)
    if (name == key) return value;
  return "";
}

}  // namespace sim
