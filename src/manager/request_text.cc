#include "manager/request_text.h"

#include <utility>
#include <vector>

#include "api/manifest.h"
#include "base/text.h"
#include "json/json.h"

namespace manager {
namespace {

std::string text_at(const json::Value& object, std::string_view path) {
  return json::get_string(object, path).value_or("");
}

// What a person wrote, without what the server added.
json::Value written(const k8s::DeclaredRequest& declared) {
  const auto& resource = k8s::resource_of(declared.kind, declared.group);
  json::Object metadata;
  for (const auto* name : {"name", "namespace"})
    if (const auto* value = declared.object->at(std::string("metadata.") + name))
      metadata[name] = *value;
  json::Object out{{"apiVersion", resource.api_version()}, {"kind", resource.kind}};
  out["metadata"] = std::move(metadata);
  if (const auto* spec = declared.object->find("spec")) out["spec"] = *spec;
  return out;
}

std::string errors_of(const api::Document& document) {
  std::vector<std::string> texts;
  for (const auto& problem : document.problems)
    if (problem.severity == api::Severity::kError) texts.push_back(problem.text());
  return base::join(texts, "; ");
}

}  // namespace

RequestText read_request(const k8s::DeclaredRequest& declared) {
  const auto& object = *declared.object;
  RequestText out;
  out.id = {.kind = declared.kind,
            .group = declared.group,
            .key = {text_at(object, "metadata.namespace"), text_at(object, "metadata.name")},
            .uid = text_at(object, "metadata.uid"),
            .generation = json::get_int(object, "metadata.generation").value_or(0)};
  if (const auto at = base::parse_rfc3339(text_at(object, "metadata.creationTimestamp")))
    out.created = *at;
  out.deleted = object.at("metadata.deletionTimestamp") != nullptr;
  if (const auto at = base::parse_rfc3339(text_at(object, "metadata.deletionTimestamp")))
    out.deleted_at = *at;
  if (const auto* names = object.at("metadata.finalizers"); names != nullptr && names->is_array())
    for (const auto& name : *names->if_array())
      if (const auto* text = name.if_string()) out.finalizers.push_back(*text);
  const auto manifest = api::parse_manifest(json::print(written(declared)), "object.json",
                                            api::Platform::kKubernetes);
  if (manifest.error || manifest.documents.size() != 1) {
    out.problem = manifest.error ? manifest.error->message : "it is not one object";
    return out;
  }
  const auto& document = manifest.documents.front();
  if (const auto* backup = std::get_if<api::BackupRequest>(&document.object)) out.object = *backup;
  if (const auto* restore = std::get_if<api::RestoreRequest>(&document.object))
    out.object = *restore;
  if (!document.ok()) out.problem = errors_of(document);
  return out;
}

}  // namespace manager
