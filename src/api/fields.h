// Reads one JSON object by the names of its fields, reports what is wrong with their types and
// ranges, and warns of fields that nobody asked for when it goes out of scope.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/problem.h"
#include "base/time.h"
#include "json/value.h"

namespace api {

struct Range {
  std::int64_t min = 0;
  std::int64_t max = std::numeric_limits<std::int32_t>::max();
};

// A null counts as absent, as in Kubernetes. `value` and `report` must outlive this.
class Fields {
 public:
  // `value` null: not given. Not an object: reported, and read as an empty one.
  Fields(const json::Value* value, std::string path, Report& report);
  ~Fields();
  Fields(const Fields&) = delete;
  Fields& operator=(const Fields&) = delete;

  [[nodiscard]] bool given() const { return object_ != nullptr; }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string path_of(std::string_view name) const;
  Report& report() { return report_; }

  bool has(std::string_view name);
  const json::Value* raw(std::string_view name);  // null: absent
  Fields object(std::string_view name);

  // No value: absent, or wrong and reported.
  std::optional<bool> boolean(std::string_view name);
  std::optional<std::int64_t> integer(std::string_view name, Range range = {});
  std::optional<std::string> text(std::string_view name);
  std::optional<base::Duration> duration(std::string_view name);
  std::optional<base::Duration> seconds(std::string_view name, Range range);
  std::optional<std::int64_t> bytes(std::string_view name);  // a quantity
  std::vector<std::string> texts(std::string_view name);
  std::map<std::string, std::string> text_map(std::string_view name);

  template <class E>
  using Choices = std::span<const std::pair<std::string_view, E>>;
  template <class E>
  std::optional<E> choice(std::string_view name, Choices<E> choices) {
    const auto given_text = text(name);
    if (!given_text) return std::nullopt;
    std::vector<std::string_view> allowed;
    for (const auto& [choice_name, value] : choices) {
      if (choice_name == *given_text) return value;
      allowed.push_back(choice_name);
    }
    refuse_choice(name, *given_text, allowed);
    return std::nullopt;
  }

  // An empty name means the object itself.
  void error(std::string_view name, std::string message);
  void warning(std::string_view name, std::string message);
  // An error if more than one of the names is set; says which.
  void exclusive(std::initializer_list<std::string_view> names);

 private:
  void wrong_type(std::string_view name, const json::Value& value, std::string_view wanted);
  void refuse_choice(std::string_view name, const std::string& text,
                     std::span<const std::string_view> allowed);

  const json::Object* object_ = nullptr;
  const std::string path_;
  Report& report_;
  std::vector<std::string> asked_;
};

// The value as a message shows it: JSON, cut short.
std::string show(const json::Value& value);
std::string show(std::string_view text);
inline std::string show(const std::string& text) {
  return show(std::string_view(text));
}

}  // namespace api
