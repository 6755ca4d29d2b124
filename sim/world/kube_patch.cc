#include "sim/world/kube_patch.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace sim {
namespace {

using base::Code;

base::Result<Path> pointer(std::string_view text) {
  if (text.empty()) return Path();
  if (text[0] != '/') return base::fail(Code::kInvalidArgument, "a JSON pointer begins with /");
  Path path;
  for (const auto part : base::split(text.substr(1), '/')) {
    std::string name;
    for (size_t i = 0; i < part.size(); ++i) {
      const bool escaped = part[i] == '~' && i + 1 < part.size();
      name += escaped ? (part[++i] == '1' ? '/' : '~') : part[i];
    }
    path.push_back(std::move(name));
  }
  return path;
}

json::Value* inner(json::Value& object, const Path& path, size_t depth) {
  json::Value* value = &object;
  for (size_t i = 0; i < depth; ++i) {
    if (auto* members = value->if_object()) {
      value = members->find(path[i]);
    } else if (auto* items = value->if_array()) {
      const auto index = base::parse_int(path[i]);
      const bool in = index && *index >= 0 && static_cast<size_t>(*index) < items->size();
      value = in ? &(*items)[static_cast<size_t>(*index)] : nullptr;
    } else {
      value = nullptr;
    }
    if (value == nullptr) return nullptr;
  }
  return value;
}

base::Status change(json::Value& object, const std::string& op, const Path& path,
                    const json::Value& value) {
  const auto missing = [] { return base::fail(Code::kInvalidArgument, "the path is missing"); };
  if (path.empty()) {
    object = value;
    return {};
  }
  json::Value* holder = inner(object, path, path.size() - 1);
  if (holder == nullptr) return missing();
  const auto& last = path.back();
  if (auto* members = holder->if_object()) {
    if (op != "add" && !members->contains(last)) return missing();
    if (op == "remove")
      members->erase(last);
    else
      (*members)[last] = value;
    return {};
  }
  auto* items = holder->if_array();
  if (items == nullptr) return missing();
  const auto size = static_cast<std::int64_t>(items->size());
  const auto index = last == "-" && op == "add" ? size : base::parse_int(last).value_or(-1);
  if (index < 0 || index > size || (op != "add" && index == size)) return missing();
  if (op == "add")
    items->insert(items->begin() + index, value);
  else if (op == "remove")
    items->erase(items->begin() + index);
  else
    (*items)[static_cast<size_t>(index)] = value;
  return {};
}

void collect(const json::Value& value, Path& path, std::map<Path, json::Value>& out) {
  const auto* members = value.if_object();
  if (members == nullptr || members->empty()) {
    if (!path.empty()) out.emplace(path, value);
    return;
  }
  for (const auto& [key, child] : *members) {
    path.push_back(key);
    collect(child, path, out);
    path.pop_back();
  }
}

// Parts between commas that are not within parentheses.
std::vector<std::string> terms(std::string_view selector) {
  std::vector<std::string> out(1);
  int depth = 0;
  for (const char c : selector) {
    depth += c == '(' ? 1 : c == ')' ? -1 : 0;
    if (c == ',' && depth == 0)
      out.emplace_back();
    else
      out.back() += c;
  }
  return out;
}

base::Result<bool> holds(const json::Value* labels, std::string_view term) {
  const auto of = [&](std::string_view key) -> const std::string* {
    const auto* value = labels == nullptr ? nullptr : labels->find(base::trim(key));
    return value == nullptr ? nullptr : value->if_string();
  };
  for (const bool in : {false, true}) {
    const std::string_view word = in ? " in (" : " notin (";
    const auto at = term.find(word);
    if (at == std::string_view::npos || !term.ends_with(')')) continue;
    const auto* value = of(term.substr(0, at));
    auto list = term.substr(at + word.size());
    list.remove_suffix(1);
    const auto all = base::split(list, ',');
    const bool found = value != nullptr && std::ranges::any_of(all, [&](std::string_view one) {
                         return base::trim(one) == *value;
                       });
    return found == in;
  }
  if (term.find_first_of("()<>") != std::string_view::npos)
    return base::fail(Code::kInvalidArgument, "unable to parse the selector");
  const auto equals = term.find('=');
  if (equals == std::string_view::npos) {
    const bool no = term.starts_with('!');
    if (base::trim(term.substr(no ? 1 : 0)).find(' ') != std::string_view::npos)
      return base::fail(Code::kInvalidArgument, "unable to parse the selector");
    return (of(term.substr(no ? 1 : 0)) != nullptr) != no;
  }
  const bool no = equals > 0 && term[equals - 1] == '!';
  auto wanted = term.substr(equals + 1);
  if (wanted.starts_with('=')) wanted.remove_prefix(1);
  const auto* value = of(term.substr(0, no ? equals - 1 : equals));
  return (value != nullptr && *value == base::trim(wanted)) != no;
}

}  // namespace

void merge_patch(json::Value& into, const json::Value& patch) {
  const auto* members = patch.if_object();
  if (members == nullptr) {
    into = patch;
    return;
  }
  if (!into.is_object()) into = json::Object();
  for (const auto& [key, value] : *members) {
    if (value.is_null())
      into.if_object()->erase(key);
    else
      merge_patch(into[key], value);
  }
}

base::Result<json::Value> json_patch(json::Value object, const json::Value& operations) {
  const auto* all = operations.if_array();
  if (all == nullptr) return base::fail(Code::kInvalidArgument, "a JSON patch is an array");
  for (const auto& operation : *all) {
    TRY(const auto op, json::get_string(operation, "op"));
    TRY(const auto text, json::get_string(operation, "path"));
    TRY(const auto path, pointer(text));
    const auto* value = operation.find("value");
    if (op == "test") {
      const auto* present = inner(object, path, path.size());
      if (present == nullptr || value == nullptr || *present != *value)
        return base::fail(Code::kFailedPrecondition,
                          "testing value " + text + " failed: test failed");
    } else if (op == "add" || op == "remove" || op == "replace") {
      TRY_OK(change(object, op, path, value == nullptr ? json::Value() : *value));
    } else {
      return base::fail(Code::kInvalidArgument, "unknown operation " + op);
    }
  }
  return object;
}

std::map<Path, json::Value> leaves(const json::Value& object) {
  std::map<Path, json::Value> out;
  Path path;
  collect(object, path, out);
  return out;
}

const json::Value* at_path(const json::Value& object, const Path& path) {
  const json::Value* value = &object;
  for (const auto& part : path)
    if (value = value->find(part); value == nullptr) return nullptr;
  return value;
}

void set_path(json::Value& object, const Path& path, json::Value value) {
  json::Value* place = &object;
  for (const auto& part : path) {
    if (!place->is_object()) *place = json::Object();
    place = &(*place)[part];
  }
  *place = std::move(value);
}

void erase_path(json::Value& object, const Path& path) {
  for (size_t depth = path.size(); depth > 0; --depth) {
    auto* holder = inner(object, path, depth - 1);
    auto* members = holder == nullptr ? nullptr : holder->if_object();
    if (members == nullptr) return;
    members->erase(path[depth - 1]);
    if (!members->empty()) return;
  }
}

base::Result<bool> matches_labels(const json::Value& object, std::string_view selector) {
  if (base::trim(selector).empty()) return true;
  const auto* labels = object.at("metadata.labels");
  for (const auto& term : terms(selector)) {
    TRY(const bool yes, holds(labels, base::trim(term)));
    if (!yes) return false;
  }
  return true;
}

base::Result<bool> matches_fields(const json::Value& object, std::string_view selector) {
  if (base::trim(selector).empty()) return true;
  for (const auto term : base::split(selector, ',')) {
    const auto equals = term.find('=');
    if (equals == std::string_view::npos || equals == 0)
      return base::fail(Code::kInvalidArgument, "invalid field selector");
    const bool no = term[equals - 1] == '!';
    const auto field = term.substr(0, no ? equals - 1 : equals);
    constexpr std::array<std::string_view, 6> kKnown{"metadata.name",  "metadata.namespace",
                                                     "spec.nodeName",  "reason",
                                                     "regarding.kind", "regarding.name"};
    if (std::ranges::find(kKnown, field) == kKnown.end())
      return base::fail(Code::kInvalidArgument, "field label not supported: " + std::string(field));
    const auto value = json::get_string(object, field).value_or("");
    if ((value == term.substr(equals + 1)) == no) return false;
  }
  return true;
}

}  // namespace sim
