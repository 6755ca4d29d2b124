#include "api/fields.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/quantity.h"
#include "base/text.h"
#include "json/json.h"

namespace api {
namespace {

constexpr size_t kShown = 60;

std::string cut_short(std::string text) {
  if (text.size() <= kShown) return text;
  size_t end = kShown;  // not inside a UTF-8 sequence
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end) + "…";
}

// Texts end up in arguments, file names and line by line files: none has a reason to hold these.
bool has_control(std::string_view text) {
  return std::ranges::any_of(text, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7F;
  });
}
constexpr std::string_view kControl = "a line break or another control character is not allowed";

std::string allowed_range(Range range) {
  if (range.max == std::numeric_limits<std::int32_t>::max())
    return fmt::format("{} or more", range.min);
  return fmt::format("{} to {}", range.min, range.max);
}

}  // namespace

std::string show(const json::Value& value) {
  return cut_short(json::print(value));
}
std::string show(std::string_view text) {
  return show(json::Value(text));
}

Fields::Fields(const json::Value* value, std::string path, Report& report)
    : path_(std::move(path)), report_(report) {
  if (value == nullptr || value->is_null()) return;
  object_ = value->if_object();
  if (object_ == nullptr)
    report_.error(path_, fmt::format("{} is not allowed: an object is needed", show(*value)));
}

Fields::~Fields() {
  if (object_ == nullptr) return;
  const std::vector<std::string_view> known(asked_.begin(), asked_.end());
  for (const auto& member : *object_) {
    if (std::ranges::find(asked_, member.key) != asked_.end()) continue;
    const auto near = base::nearest(member.key, known);
    report_.warning(member.key.empty() ? path_ + "[\"\"]" : path_of(member.key),
                    near ? fmt::format("unknown field, ignored; did you mean {}?", *near)
                         : std::string("unknown field, ignored"));
  }
}

std::string Fields::path_of(std::string_view name) const {
  if (name.empty()) return path_;
  const std::string key = cut_short(std::string(name));
  const bool plain = key.find_first_of(".[]\" /") == std::string::npos && !key.empty();
  if (!plain) return fmt::format("{}[{}]", path_, show(name));
  return path_.empty() ? key : path_ + "." + key;
}

const json::Value* Fields::raw(std::string_view name) {
  const bool first = std::ranges::find(asked_, name) == asked_.end();
  if (first) asked_.emplace_back(name);
  if (object_ == nullptr) return nullptr;
  const auto* value = object_->find(name);
  if (value == nullptr || value->is_null()) return nullptr;
  if (first) report_.saw(path_of(name));
  return value;
}

bool Fields::has(std::string_view name) {
  return raw(name) != nullptr;
}

Fields Fields::object(std::string_view name) {
  const auto* value = raw(name);
  return Fields(value, path_of(name), report_);
}

void Fields::error(std::string_view name, std::string message) {
  report_.error(path_of(name), std::move(message));
}

void Fields::warning(std::string_view name, std::string message) {
  report_.warning(path_of(name), std::move(message));
}

void Fields::exclusive(std::initializer_list<std::string_view> names) {
  std::vector<std::string> set;
  for (const auto name : names)
    if (has(name)) set.emplace_back(name);
  if (set.size() > 1)
    error(set[1], fmt::format("only one of {} may be set", base::join(set, ", ")));
}

void Fields::wrong_type(std::string_view name, const json::Value& value, std::string_view wanted) {
  error(name,
        fmt::format("{} is {}: {} is needed", show(value), json::name_of(value.kind()), wanted));
}

void Fields::refuse_choice(std::string_view name, const std::string& text,
                           std::span<const std::string_view> allowed) {
  const std::vector<std::string> all(allowed.begin(), allowed.end());
  const auto near = base::nearest(text, allowed);
  error(name, fmt::format("{} is not allowed: {}{}", show(text), base::join(all, ", "),
                          near ? fmt::format("; did you mean {}?", *near) : std::string()));
}

std::optional<bool> Fields::boolean(std::string_view name) {
  const auto* value = raw(name);
  if (value == nullptr) return std::nullopt;
  if (value->kind() != json::Kind::kBool) {
    wrong_type(name, *value, "true or false");
    return std::nullopt;
  }
  return *value->as_bool();
}

std::optional<std::int64_t> Fields::integer(std::string_view name, Range range) {
  const auto* value = raw(name);
  if (value == nullptr) return std::nullopt;
  const auto number = value->as_int();
  if (!value->is_number() || !number) {
    wrong_type(name, *value, "a whole number, " + allowed_range(range));
    return std::nullopt;
  }
  if (*number < range.min || *number > range.max) {
    error(name, fmt::format("{} is not allowed: {}", *number, allowed_range(range)));
    return std::nullopt;
  }
  return *number;
}

std::optional<std::string> Fields::text(std::string_view name) {
  const auto* value = raw(name);
  if (value == nullptr) return std::nullopt;
  const auto* text = value->if_string();
  if (text == nullptr) {
    wrong_type(name, *value, "a text (write it in quotes)");
    return std::nullopt;
  }
  if (has_control(*text)) {
    error(name, std::string(kControl));
    return std::nullopt;
  }
  return *text;
}

std::optional<base::Duration> Fields::duration(std::string_view name) {
  const auto given_text = text(name);
  if (!given_text) return std::nullopt;
  const auto parsed = base::parse_duration(*given_text);
  if (!parsed) {
    error(name, fmt::format("{} is not a duration: write for example 90s, 1h30m or 365d",
                            show(*given_text)));
    return std::nullopt;
  }
  return *parsed;
}

std::optional<base::Duration> Fields::seconds(std::string_view name, Range range) {
  const auto number = integer(name, range);
  if (!number) return std::nullopt;
  return std::chrono::seconds(*number);
}

std::optional<std::int64_t> Fields::bytes(std::string_view name) {
  const auto* value = raw(name);
  if (value == nullptr) return std::nullopt;
  const auto* text = value->if_string();
  if (text == nullptr && !value->is_number()) {
    wrong_type(name, *value, "a quantity such as 10Gi");
    return std::nullopt;
  }
  const auto parsed = parse_quantity(text != nullptr ? *text : json::print(*value));
  if (!parsed) {
    error(name, parsed.error().message);
    return std::nullopt;
  }
  return *parsed;
}

std::vector<std::string> Fields::texts(std::string_view name) {
  const auto* value = raw(name);
  if (value == nullptr) return {};
  const auto* items = value->if_array();
  if (items == nullptr) {
    wrong_type(name, *value, "a list of texts");
    return {};
  }
  std::vector<std::string> out;
  for (size_t i = 0; i < items->size(); ++i) {
    const auto* text = (*items)[i].if_string();
    if (text == nullptr)
      report_.error(fmt::format("{}[{}]", path_of(name), i),
                    fmt::format("{} is {}: a text is needed (write it in quotes)",
                                show((*items)[i]), json::name_of((*items)[i].kind())));
    else if (has_control(*text))
      report_.error(fmt::format("{}[{}]", path_of(name), i), std::string(kControl));
    else
      out.push_back(*text);
  }
  return out;
}

std::map<std::string, std::string> Fields::text_map(std::string_view name) {
  const auto* value = raw(name);
  if (value == nullptr) return {};
  const auto* members = value->if_object();
  if (members == nullptr) {
    wrong_type(name, *value, "a map of texts");
    return {};
  }
  std::map<std::string, std::string> out;
  for (const auto& member : *members) {
    const auto* text = member.value.if_string();
    if (text == nullptr)
      report_.error(fmt::format("{}[{}]", path_of(name), show(member.key)),
                    fmt::format("{} is {}: a text is needed (write it in quotes)",
                                show(member.value), json::name_of(member.value.kind())));
    else
      out.emplace(member.key, *text);
  }
  return out;
}

}  // namespace api
