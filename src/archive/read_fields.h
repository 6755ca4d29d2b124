// The way back of fields.h: from a JSON object to the value; for this module's sources.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "archive/fields.h"

namespace archive {

// The first thing that is wrong is kept: "store.url is missing", "endpoints.0.member is a number…".
class FieldReader {
 public:
  FieldReader(const json::Value& object, std::string path, bool strict)
      : object_(object), path_(std::move(path)), strict_(strict) {
    if (object.if_object() == nullptr)
      say((path_.empty() ? "it" : path_) + " is " + std::string(name_of(object.kind())) +
          ", not an object");
  }

  template <class T>
  void operator()(std::string_view name, T& x, Need need = Need::kNo) {
    known_.emplace_back(name);
    if (wrong_) return;
    const auto* found = object_.find(name);
    if (found == nullptr) {
      if (need == Need::kYes) say(path_of(name) + " is missing");
      return;
    }
    if (auto read = from(*found, path_of(name), x); !read) wrong_ = std::move(read).error();
  }
  base::Status finish() {
    if (!wrong_ && strict_)
      for (const auto& [key, value] : *object_.if_object())
        if (std::find(known_.begin(), known_.end(), key) == known_.end() && !wrong_)
          say("unknown field " + path_of(key));
    if (wrong_) return std::unexpected(*wrong_);
    return {};
  }

 private:
  void say(std::string what) { wrong_ = {base::Code::kInvalidArgument, std::move(what)}; }
  [[nodiscard]] std::string path_of(std::string_view name) const {
    return path_.empty() ? std::string(name) : path_ + "." + std::string(name);
  }
  template <class T>
  static base::Status take(T& x, base::Result<T> value, const std::string& path) {
    if (!value) return base::fail(base::Code::kInvalidArgument, path + " " + value.error().message);
    x = *std::move(value);
    return {};
  }
  base::Status from(const json::Value& v, const std::string& path, std::string& x) {
    return take(x, v.as_string(), path);
  }
  base::Status from(const json::Value& v, const std::string& path, bool& x) {
    return take(x, v.as_bool(), path);
  }
  template <std::integral T>
  base::Status from(const json::Value& v, const std::string& path, T& x) {
    const auto number = v.as_int();
    if (!number) return take<std::int64_t>(unused_, number, path);
    if (!std::in_range<T>(*number))
      return base::fail(base::Code::kInvalidArgument,
                        fmt::format("{} is {}; allowed is {} to {}", path, *number,
                                    std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
    x = static_cast<T>(*number);
    return {};
  }
  base::Status from(const json::Value& v, const std::string& path, base::Instant& x) {
    const auto text = v.as_string();
    if (!text) return base::fail(base::Code::kInvalidArgument, path + " " + text.error().message);
    return take(x, base::parse_rfc3339(*text), path);
  }
  base::Status from(const json::Value& v, const std::string& path, std::chrono::seconds& x) {
    std::int32_t seconds = 0;
    TRY_OK(from(v, path, seconds));
    if (seconds < 1)
      return base::fail(base::Code::kInvalidArgument,
                        fmt::format("{} is {}; at least 1 second is allowed", path, seconds));
    x = std::chrono::seconds(seconds);
    return {};
  }
  template <class T>
  base::Status from(const json::Value& v, const std::string& path, std::optional<T>& x) {
    x.emplace();
    return from(v, path, *x);
  }
  template <class T>
  base::Status from(const json::Value& v, const std::string& path, std::vector<T>& x) {
    const auto* items = v.if_array();
    if (items == nullptr)
      return base::fail(base::Code::kInvalidArgument,
                        path + " is " + std::string(name_of(v.kind())) + ", not an array");
    for (const auto& item : *items)
      TRY_OK(from(item, fmt::format("{}.{}", path, x.size()), x.emplace_back()));
    return {};
  }
  template <class T>
    requires std::is_class_v<T>
  base::Status from(const json::Value& v, const std::string& path, T& x) {
    FieldReader inner(v, path, strict_);
    fields(inner, x);
    return inner.finish();
  }
  template <class T>
    requires std::is_enum_v<T>
  base::Status from(const json::Value& v, const std::string& path, T& x) {
    const auto text = v.as_string();
    if (!text) return base::fail(base::Code::kInvalidArgument, path + " " + text.error().message);
    if (!parse_name(*text, x))
      return base::fail(base::Code::kInvalidArgument, fmt::format("{} is \"{}\"", path, *text));
    return {};
  }

  const json::Value& object_;
  const std::string path_;
  const bool strict_;
  std::vector<std::string> known_;
  std::optional<base::Error> wrong_;
  std::int64_t unused_ = 0;
};

// Strict: a field that nobody knows is an error that names it.
template <class T>
base::Result<T> read_fields(const json::Value& value, bool strict) {
  T x;
  FieldReader reader(value, "", strict);
  fields(reader, x);
  TRY_OK(reader.finish());
  return x;
}

}  // namespace archive
