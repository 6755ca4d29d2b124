#include "drivers/kube/objects.h"

#include <fmt/format.h>

#include "api/quantity.h"
#include "base/text.h"
#include "drivers/kube/sight.h"
#include "json/json.h"
#include "render/kubernetes.h"

namespace k8s {
namespace {

constexpr std::string_view kStamp = "operator.etcd.io/applied";

// The server leaves out such values.
bool is_empty(const json::Value& value) {
  if (const auto* fields = value.if_object()) return fields->empty();
  if (const auto* items = value.if_array()) return items->empty();
  return value.is_null() || value == json::Value(false) || value == json::Value("");
}

// 0.5, "0.5" and "500m": the server writes them in its own way.
bool is_same_quantity(const json::Value& a, const json::Value& b) {
  if (a == b) return true;
  const auto value = [](const json::Value& quantity) {
    const auto* text = quantity.if_string();
    return api::parse_milli_quantity(text != nullptr ? *text : json::print(quantity));
  };
  const auto one = value(a), other = value(b);
  return one && other && *one == *other;
}

// `quantities`: its fields are amounts of something.
bool holds(const json::Value& present, const json::Value& wanted, bool quantities = false) {
  if (const auto* fields = wanted.if_object()) {
    if (!present.is_object()) return false;
    for (const auto& [key, value] : *fields) {
      const auto* there = present.find(key);
      if (there == nullptr) {
        if (!is_empty(value)) return false;
      } else if (!value.is_object() && (quantities || key == "sizeLimit")) {
        if (!is_same_quantity(*there, value)) return false;
      } else if (!holds(*there, value, key == "requests" || key == "limits")) {
        return false;
      }
    }
    return true;
  }
  if (const auto* items = wanted.if_array()) {
    const auto* there = present.if_array();
    if (there == nullptr || there->size() != items->size()) return false;
    for (size_t i = 0; i < items->size(); ++i)
      if (!holds((*there)[i], (*items)[i])) return false;
    return true;
  }
  return present == wanted;
}

std::unexpected<base::Error> error_of(const kube::Failure& failure) {
  return std::unexpected(static_cast<const base::Error&>(failure));
}

std::string owner_of(const json::Value& object) {
  for (const auto& owner : *object.at("metadata.ownerReferences")->if_array())
    if (json::get_bool(owner, "controller").value_or(false))
      return fmt::format("{} {} (uid {})", text_at(owner, "kind"), text_at(owner, "name"),
                         text_at(owner, "uid"));
  return {};
}

// Who wrote its own fields last: "; written by helm".
std::string writer_of(const json::Value& object) {
  const auto* entries = object.at("metadata.managedFields");
  if (entries == nullptr || !entries->is_array()) return {};
  std::string manager, at;
  for (const auto& entry : *entries->if_array()) {
    const auto time = text_at(entry, "time");
    if (!text_at(entry, "subresource").empty() || time < at) continue;
    manager = text_at(entry, "manager");
    at = time;
  }
  return manager.empty() ? std::string() : "; written by " + manager;
}

}  // namespace

std::string foreign(const json::Value& object, const std::string& owner,
                    const base::ClusterKey& key) {
  const auto what =
      fmt::format("{} {}/{}", text_at(object, "kind"), key.ns, text_at(object, "metadata.name"));
  if (!owner.empty()) {
    const auto theirs = owner_uid(object);
    if (theirs == owner) return {};
    const auto whose = theirs.empty() ? "it has no owner" : "its owner is " + owner_of(object);
    return what + " is there and is not ours: " + whose + writer_of(object);
  }
  if (label(object, render::kClusterLabel) != key.name)
    return what + " is there and is not ours: it lacks our label" + writer_of(object);
  return {};
}

json::Value stamped(json::Value wanted) {
  const auto stamp = fmt::format("{:08x}", base::crc32c(json::print(wanted)));
  wanted["metadata"]["annotations"][kStamp] = stamp;
  return wanted;
}

bool is_as(const json::Value& present, const json::Value& wanted) {
  return holds(present, wanted);
}

bool is_drifted(const json::Value& present, const json::Value& wanted) {
  return annotation(present, kStamp) == annotation(wanted, kStamp) && !holds(present, wanted);
}

base::Result<json::Value> Objects::send(const kube::Request& request, const std::stop_token& stop) {
  auto answer = client_.call(request, deadline_, stop);
  if (!answer) return error_of(answer.error());
  return *std::move(answer);
}

Objects::Read Objects::read(const kube::Resource& resource, const std::string& name,
                            const std::stop_token& stop) {
  const std::string ns = resource.namespaced ? key_.ns : "";
  auto answer = client_.call(kube::get(resource, {ns, name}), deadline_, stop);
  if (answer) return std::optional(*std::move(answer));
  if (answer.error().code == base::Code::kNotFound) return std::optional<json::Value>();
  return error_of(answer.error());
}

Objects::Read Objects::read_ours(const kube::Resource& resource, const std::string& name,
                                 const std::string& owner, const std::stop_token& stop) {
  TRY(auto found, read(resource, name, stop));
  const auto what = fmt::format("{} {}", resource.kind, name);
  auto why = found ? foreign(*found, owner, key_) : std::string();
  if (why.empty()) {
    foreign_.erase(what);
    return found;
  }
  foreign_[what] = {resource, name, owner, why};
  return base::fail(base::Code::kFailedPrecondition, std::move(why));
}

std::vector<std::string> Objects::foreign_still(const std::set<std::string>& unneeded,
                                                const std::stop_token& stop) {
  std::erase_if(foreign_, [&](const auto& met) { return unneeded.contains(met.second.name); });
  // A look that fails leaves what was known; one that succeeds may take it away.
  for (const auto& [what, met] : std::map(foreign_))
    static_cast<void>(read_ours(met.resource, met.name, met.owner, stop));
  std::vector<std::string> out;
  for (const auto& [what, met] : foreign_) out.push_back(met.why);
  return out;
}

base::Result<json::Value> Objects::list(const kube::Resource& resource, const std::string& labels,
                                        const std::stop_token& stop) {
  auto answer = client_.list_all(resource, resource.namespaced ? key_.ns : "",
                                 {.selection = {.labels = labels}}, deadline_, stop);
  if (!answer) return error_of(answer.error());
  return *std::move(answer);
}

base::Result<json::Value> Objects::ensure(const kube::Resource& resource, json::Value wanted,
                                          const std::stop_token& stop) {
  wanted = stamped(std::move(wanted));
  const auto name = text_at(wanted, "metadata.name");
  TRY(auto present, read_ours(resource, name, owner_uid(wanted), stop));
  if (present) {
    if (is_going(*present))
      return base::fail(base::Code::kUnavailable, name + " is being deleted: it is made anew then");
    if (is_as(*present, wanted)) return *std::move(present);
  }
  return send(kube::apply(resource, {key_.ns, name}, wanted), stop);
}

base::Status Objects::remove(const kube::Resource& resource, const std::string& name,
                             const std::string& owner, const std::stop_token& stop) {
  TRY(const auto present, read_ours(resource, name, owner, stop));
  if (!present || is_going(*present)) return {};
  const auto answer = send(kube::remove(resource, {key_.ns, name},
                                        {.expected = {.uid = text_at(*present, "metadata.uid")}}),
                           stop);
  if (!answer && answer.error().code != base::Code::kNotFound)
    return std::unexpected(answer.error());
  return {};
}

}  // namespace k8s
