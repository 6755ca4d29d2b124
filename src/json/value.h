// A JSON value of our own, so that the JSON library stays inside this module. Objects keep the
// order of their keys; integers keep all 64 bits, signed or unsigned.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"

namespace json {

class Value;
struct Member;
using Array = std::vector<Value>;

// Keys are unique; a look-up is linear, which is right for the few keys that our objects have.
class Object {
 public:
  Object();
  Object(std::initializer_list<Member> members);
  explicit Object(std::vector<Member> members);  // precondition: no key twice
  Object(const Object&);
  Object(Object&&) noexcept;
  Object& operator=(const Object&);
  Object& operator=(Object&&) noexcept;
  ~Object();

  [[nodiscard]] const Value* find(std::string_view key) const;  // null if absent
  [[nodiscard]] Value* find(std::string_view key);
  Value& operator[](std::string_view key);  // appends a null if absent
  bool erase(std::string_view key);
  [[nodiscard]] bool contains(std::string_view key) const { return find(key) != nullptr; }
  [[nodiscard]] size_t size() const;
  [[nodiscard]] bool empty() const { return size() == 0; }
  [[nodiscard]] const Member* begin() const;
  [[nodiscard]] const Member* end() const;
  Member* begin();
  Member* end();
  bool operator==(const Object& other) const;  // the order of the keys counts

 private:
  std::vector<Member> members_;
};

enum class Kind { kNull, kBool, kInt, kUint, kDouble, kString, kArray, kObject };
std::string_view name_of(Kind kind);  // "a string", "an array", "a number", "null"

class Value {
 public:
  Value() = default;
  Value(std::nullptr_t) {}  // NOLINT: all these conversions are wanted
  template <class T>
    requires std::is_arithmetic_v<T>
  Value(T number) {  // NOLINT
    if constexpr (std::is_same_v<T, bool>)
      data_ = number;
    else if constexpr (std::is_floating_point_v<T>)
      data_ = static_cast<double>(number);
    else if constexpr (std::is_signed_v<T>)
      data_ = static_cast<std::int64_t>(number);
    else
      set_uint(number);
  }
  Value(std::string text) : data_(std::move(text)) {}         // NOLINT
  Value(std::string_view text) : data_(std::string(text)) {}  // NOLINT
  Value(const char* text) : data_(std::string(text)) {}       // NOLINT
  Value(Array items) : data_(std::move(items)) {}             // NOLINT
  Value(Object members) : data_(std::move(members)) {}        // NOLINT
  Value(const std::vector<std::string>& texts);               // NOLINT
  template <class T>
  Value(T*) = delete;  // a pointer is not a bool

  [[nodiscard]] Kind kind() const { return static_cast<Kind>(data_.index()); }
  [[nodiscard]] bool is_null() const { return kind() == Kind::kNull; }
  [[nodiscard]] bool is_number() const;
  [[nodiscard]] bool is_string() const { return kind() == Kind::kString; }
  [[nodiscard]] bool is_array() const { return kind() == Kind::kArray; }
  [[nodiscard]] bool is_object() const { return kind() == Kind::kObject; }

  // Null if the value is of another kind.
  [[nodiscard]] const std::string* if_string() const { return std::get_if<std::string>(&data_); }
  [[nodiscard]] const Array* if_array() const { return std::get_if<Array>(&data_); }
  [[nodiscard]] const Object* if_object() const { return std::get_if<Object>(&data_); }
  [[nodiscard]] Array* if_array() { return std::get_if<Array>(&data_); }
  [[nodiscard]] Object* if_object() { return std::get_if<Object>(&data_); }

  // InvalidArgument "is a string, not a number" if the kind or the range is wrong. An integer is
  // also taken from a number without a fraction (1e3, 2.0).
  [[nodiscard]] base::Result<bool> as_bool() const;
  [[nodiscard]] base::Result<std::int64_t> as_int() const;
  [[nodiscard]] base::Result<std::uint64_t> as_uint() const;
  [[nodiscard]] base::Result<double> as_double() const;
  [[nodiscard]] base::Result<std::string> as_string() const;

  // Of an object; null if absent or if this is no object.
  [[nodiscard]] const Value* find(std::string_view key) const;
  // By keys and indices, "spec.members.0.name"; null if any part is absent. Keys with a dot need
  // find().
  [[nodiscard]] const Value* at(std::string_view path) const;
  // Turns null into an object. Precondition: null or an object.
  Value& operator[](std::string_view key);
  // Turns null into an array. Precondition: null or an array.
  void push_back(Value item);

  bool operator==(const Value& other) const;

 private:
  void set_uint(std::uint64_t number);  // kInt where it fits: one form for one number

  std::variant<std::nullptr_t, bool, std::int64_t, std::uint64_t, double, std::string, Array,
               Object>
      data_;
};

struct Member {
  std::string key;
  Value value;
};

// Typed reads by path. NotFound "spec.size is missing"; InvalidArgument "spec.size is a string, not
// an integer".
base::Result<bool> get_bool(const Value& root, std::string_view path);
base::Result<std::int64_t> get_int(const Value& root, std::string_view path);
base::Result<std::uint64_t> get_uint(const Value& root, std::string_view path);
base::Result<double> get_double(const Value& root, std::string_view path);
base::Result<std::string> get_string(const Value& root, std::string_view path);

}  // namespace json
