// A fact is known, absent or unknown; these are three different things. A failed look is unknown,
// never absent.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace base {

template <class T>
class Fact {
 public:
  Fact() : state_(Unknown{"not looked"}) {}
  Fact(T value) : state_(std::move(value)) {}  // NOLINT: a value is a known fact

  static Fact absent() { return Fact(Absent{}); }
  static Fact unknown(std::string why) { return Fact(Unknown{std::move(why)}); }

  [[nodiscard]] bool known() const { return std::holds_alternative<T>(state_); }
  [[nodiscard]] bool is_absent() const { return std::holds_alternative<Absent>(state_); }
  [[nodiscard]] bool is_unknown() const { return std::holds_alternative<Unknown>(state_); }
  // Precondition: known().
  [[nodiscard]] const T& value() const { return std::get<T>(state_); }
  [[nodiscard]] const T& operator*() const { return value(); }
  [[nodiscard]] const T* operator->() const { return &value(); }
  [[nodiscard]] const T* get() const { return std::get_if<T>(&state_); }  // null if not known
  // Why it is unknown; empty otherwise.
  [[nodiscard]] std::string why() const {
    const auto* u = std::get_if<Unknown>(&state_);
    return u == nullptr ? std::string() : u->why;
  }
  bool operator==(const Fact&) const = default;

 private:
  struct Absent {
    bool operator==(const Absent&) const = default;
  };
  struct Unknown {
    std::string why;
    bool operator==(const Unknown&) const = default;
  };
  explicit Fact(Absent a) : state_(a) {}
  explicit Fact(Unknown u) : state_(std::move(u)) {}

  std::variant<T, Absent, Unknown> state_;
};

}  // namespace base
