// One list of fields for both directions of a JSON object; for this module's sources. A list is
//   template <class A, Is<Job> X> void fields(A& a, X& x) { a("name", x.name, Need::kYes); … }
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "json/value.h"

namespace archive {

template <class X, class T>
concept Is = std::same_as<std::remove_const_t<X>, T>;

enum class Need { kNo, kYes };

// Texts that are empty, flags that are false and what is absent are left out unless needed.
class FieldWriter {
 public:
  template <class T>
  void operator()(std::string_view name, const T& x, Need need = Need::kNo) {
    if constexpr (requires { x.empty(); })
      if (x.empty() && need == Need::kNo) return;
    if constexpr (std::is_same_v<T, bool>)
      if (!x && need == Need::kNo) return;
    if constexpr (requires { x.has_value(); })
      if (!x.has_value()) return;
    out_[name] = value(x);
  }
  [[nodiscard]] json::Value take() { return std::move(out_); }

 private:
  static json::Value value(const std::string& x) { return x; }
  static json::Value value(base::Instant x) { return base::to_rfc3339(x); }
  static json::Value value(std::chrono::seconds x) { return x.count(); }
  template <class T>
  static json::Value value(const std::optional<T>& x) {
    return value(*x);
  }
  template <class T>
  static json::Value value(const std::vector<T>& x) {
    json::Array items;
    for (const auto& item : x) items.push_back(value(item));
    return items;
  }
  template <class T>
  static json::Value value(const T& x) {
    if constexpr (std::is_arithmetic_v<T>) {
      return x;
    } else if constexpr (std::is_enum_v<T>) {
      return std::string(name_of(x));
    } else {
      FieldWriter inner;
      fields(inner, x);
      return inner.take();
    }
  }
  json::Object out_;
};

template <class T>
json::Value write_fields(const T& x) {
  FieldWriter writer;
  fields(writer, x);
  return writer.take();
}
}  // namespace archive
