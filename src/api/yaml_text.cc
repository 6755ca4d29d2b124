#include "api/yaml_text.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/text.h"
#include "json/json.h"

namespace api {
namespace {

bool is_plain_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-' || c == '.' || c == '/' || c == ' ' || c == '+' || c == '(' || c == ')';
}

// Only what no YAML reader takes for a number, a date, a bool, null or an indicator.
bool is_plain(std::string_view text) {
  static constexpr std::array<std::string_view, 9> kWords{"true", "false", "null", "yes", "no",
                                                          "on",   "off",   "y",    "n"};
  if (text.empty() || text.back() == ' ') return false;
  const char first = text.front();
  if (!((first >= 'a' && first <= 'z') || (first >= 'A' && first <= 'Z') || first == '/'))
    return false;
  std::string lower(text);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return std::ranges::all_of(text, is_plain_char) &&
         std::ranges::find(kWords, lower) == kWords.end();
}

std::string scalar(const json::Value& value) {
  if (const auto* text = value.if_string(); text != nullptr && is_plain(*text)) return *text;
  return json::print(value);  // JSON scalars and empty containers are YAML
}

bool is_block(const json::Value& value) {
  if (const auto* object = value.if_object()) return !object->empty();
  if (const auto* array = value.if_array()) return !array->empty();
  return false;
}

// `hanging`: the first line goes on behind a "- ".
void put(const json::Value& value, size_t indent, bool hanging, std::string& out) {
  bool first = true;
  const auto start = [&] {
    if (!(first && hanging)) out.append(indent, ' ');
    first = false;
  };
  if (const auto* object = value.if_object(); object != nullptr && !object->empty()) {
    for (const auto& [key, item] : *object) {
      start();
      out += scalar(json::Value(key)) + ":";
      if (is_block(item)) {
        out += "\n";
        put(item, item.if_array() != nullptr ? indent : indent + 2, false, out);
      } else {
        out += " " + scalar(item) + "\n";
      }
    }
  } else if (const auto* array = value.if_array(); array != nullptr && !array->empty()) {
    for (const auto& item : *array) {
      start();
      out += "- ";
      if (is_block(item))
        put(item, indent + 2, true, out);
      else
        out += scalar(item) + "\n";
    }
  } else {
    start();
    out += scalar(value) + "\n";
  }
}

}  // namespace

std::string to_yaml(const json::Value& value) {
  std::string out;
  put(value, 0, false, out);
  return out;
}

std::string to_yaml(const std::vector<json::Value>& documents) {
  std::string out;
  for (const auto& document : documents) out += "---\n" + to_yaml(document);
  return out;
}

}  // namespace api
