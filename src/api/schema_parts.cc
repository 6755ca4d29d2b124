#include "api/schema_parts.h"

#include <utility>

namespace api::schema {
namespace {

Value texts_of(std::vector<std::string> texts) {
  json::Array out;
  for (auto& item : texts) out.emplace_back(std::move(item));
  return out;
}

}  // namespace

Value text(std::int64_t longest) {
  return json::Object{{"type", "string"}, {"maxLength", longest}};
}

Value pattern(std::string_view regex, std::int64_t longest) {
  return with(text(longest), {{"pattern", regex}});
}

Value choice(std::initializer_list<std::string_view> values) {
  json::Array allowed;
  for (const auto value : values) allowed.emplace_back(value);
  return json::Object{{"type", "string"}, {"enum", std::move(allowed)}};
}

Value boolean() {
  return json::Object{{"type", "boolean"}};
}

Value integer(Range range) {
  json::Object out{{"type", "integer"}};
  // A server keeps bounds as doubles: one that these cannot hold comes back as another number.
  constexpr std::int64_t kExact = std::int64_t{1} << 53;
  if (range.min >= -kExact) out["minimum"] = range.min;
  const bool wide = range.max > std::numeric_limits<std::int32_t>::max();
  out["format"] = wide ? "int64" : "int32";
  if (range.max < std::numeric_limits<std::int32_t>::max()) out["maximum"] = range.max;
  return out;
}

Value quantity() {
  return json::Object{
      {"x-kubernetes-int-or-string", true},
      {"anyOf", json::Array{json::Object{{"type", "integer"}}, json::Object{{"type", "string"}}}},
      {"pattern",
       R"(^\+?([0-9]+|[0-9]+\.[0-9]*|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][-+]?[0-9]+)?$)"}};
}

Value time() {
  return json::Object{{"type", "string"}, {"format", "date-time"}};
}

Value list(Value item, std::int64_t longest) {
  return json::Object{{"type", "array"},
                      {"x-kubernetes-list-type", "atomic"},
                      {"maxItems", longest},
                      {"items", std::move(item)}};
}

Value map_of(Value item) {
  return json::Object{{"type", "object"}, {"additionalProperties", std::move(item)}};
}

Value object(Members properties, std::vector<std::string> required) {
  json::Object out{{"type", "object"}};
  if (!required.empty()) out["required"] = texts_of(std::move(required));
  out["properties"] = json::Object(std::move(properties));
  return out;
}

Value anything() {
  return json::Object{{"type", "object"}, {"x-kubernetes-preserve-unknown-fields", true}};
}

Value secret_name() {
  // Empty is what generated clients send for "none".
  return pattern(R"(^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*)?$)", 253);
}

Value path_in_bucket() {
  const Value climbs = json::Object{{"pattern", R"((^|/)\.\.?(/|$))"}};
  return with(pattern(R"(^[^\s\\/]+(/[^\s\\/]+)*/?$)", 900), {{"not", climbs}});
}

Value with(Value node, Members keywords) {
  for (auto& [key, value] : keywords) node[key] = std::move(value);
  return node;
}

Value or_else(Value node, Value fallback) {
  return with(std::move(node), {{"default", std::move(fallback)}});
}

Value rule(Value node, std::string_view cel, std::string_view message) {
  node["x-kubernetes-validations"].push_back(json::Object{{"rule", cel}, {"message", message}});
  return node;
}

Members join(std::initializer_list<Members> parts) {
  Members out;
  for (const auto& part : parts) out.insert(out.end(), part.begin(), part.end());
  return out;
}

Value document(Value spec, Value status, std::string_view description) {
  return with(object({{"apiVersion", json::Object{{"type", "string"}}},
                      {"kind", json::Object{{"type", "string"}}},
                      {"metadata", json::Object{{"type", "object"}}},
                      {"spec", std::move(spec)},
                      {"status", std::move(status)}},
                     {"spec"}),
              {{"description", description}});
}

}  // namespace api::schema
