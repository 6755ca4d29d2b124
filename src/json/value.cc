#include "json/value.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <initializer_list>
#include <limits>

#include "base/text.h"

namespace json {
namespace {

using base::Code;

// 2^63 and 2^64 as doubles, both exact.
constexpr double kTwo63 = 9223372036854775808.0;
constexpr double kTwo64 = 18446744073709551616.0;

std::unexpected<base::Error> wrong_kind(const Value& value, std::string_view wanted) {
  return base::fail(Code::kInvalidArgument,
                    fmt::format("is {}, not {}", name_of(value.kind()), wanted));
}

template <class T>
base::Result<T> named(base::Result<T> result, std::string_view path) {
  if (result) return result;
  return base::fail(result.error().code, fmt::format("{} {}", path, result.error().message));
}

base::Result<const Value*> look_up(const Value& root, std::string_view path) {
  const Value* found = root.at(path);
  if (found == nullptr) return base::fail(Code::kNotFound, fmt::format("{} is missing", path));
  return found;
}

}  // namespace

std::string_view name_of(Kind kind) {
  switch (kind) {
    case Kind::kNull:
      return "null";
    case Kind::kBool:
      return "a boolean";
    case Kind::kInt:
    case Kind::kUint:
    case Kind::kDouble:
      return "a number";
    case Kind::kString:
      return "a string";
    case Kind::kArray:
      return "an array";
    case Kind::kObject:
      return "an object";
  }
  return "null";
}

Object::Object() = default;
Object::Object(std::initializer_list<Member> members) {
  for (const auto& [key, value] : members) (*this)[key] = value;
}
Object::Object(std::vector<Member> members) : members_(std::move(members)) {}
Object::Object(const Object&) = default;
Object::Object(Object&&) noexcept = default;
Object& Object::operator=(const Object&) = default;
Object& Object::operator=(Object&&) noexcept = default;
Object::~Object() = default;

const Value* Object::find(std::string_view key) const {
  for (const auto& member : members_)
    if (member.key == key) return &member.value;
  return nullptr;
}

Value* Object::find(std::string_view key) {
  for (auto& member : members_)
    if (member.key == key) return &member.value;
  return nullptr;
}

Value& Object::operator[](std::string_view key) {
  if (Value* found = find(key); found != nullptr) return *found;
  return members_.emplace_back(Member{std::string(key), Value()}).value;
}

bool Object::erase(std::string_view key) {
  return std::erase_if(members_, [&](const Member& m) { return m.key == key; }) != 0;
}

size_t Object::size() const {
  return members_.size();
}
const Member* Object::begin() const {
  return members_.data();
}
const Member* Object::end() const {
  return members_.data() + members_.size();
}
Member* Object::begin() {
  return members_.data();
}
Member* Object::end() {
  return members_.data() + members_.size();
}

bool Object::operator==(const Object& other) const {
  return std::equal(
      begin(), end(), other.begin(), other.end(),
      [](const Member& a, const Member& b) { return a.key == b.key && a.value == b.value; });
}

Value::Value(const std::vector<std::string>& texts) : data_(Array(texts.begin(), texts.end())) {}

void Value::set_uint(std::uint64_t number) {
  if (number <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
    data_ = static_cast<std::int64_t>(number);
  else
    data_ = number;
}

bool Value::is_number() const {
  return kind() == Kind::kInt || kind() == Kind::kUint || kind() == Kind::kDouble;
}

base::Result<bool> Value::as_bool() const {
  if (const auto* b = std::get_if<bool>(&data_)) return *b;
  return wrong_kind(*this, "a boolean");
}

base::Result<std::int64_t> Value::as_int() const {
  if (const auto* i = std::get_if<std::int64_t>(&data_)) return *i;
  if (const auto* d = std::get_if<double>(&data_)) {
    if (*d == std::trunc(*d) && *d >= -kTwo63 && *d < kTwo63) return static_cast<std::int64_t>(*d);
    return base::fail(Code::kInvalidArgument, "is not a whole number of 64 bits");
  }
  if (kind() == Kind::kUint) return base::fail(Code::kInvalidArgument, "is too large");
  return wrong_kind(*this, "an integer");
}

base::Result<std::uint64_t> Value::as_uint() const {
  if (const auto* u = std::get_if<std::uint64_t>(&data_)) return *u;
  if (const auto* i = std::get_if<std::int64_t>(&data_)) {
    if (*i < 0) return base::fail(Code::kInvalidArgument, "is negative");
    return static_cast<std::uint64_t>(*i);
  }
  if (const auto* d = std::get_if<double>(&data_)) {
    if (*d == std::trunc(*d) && *d >= 0 && *d < kTwo64) return static_cast<std::uint64_t>(*d);
    return base::fail(Code::kInvalidArgument, "is not a positive whole number of 64 bits");
  }
  return wrong_kind(*this, "an integer");
}

base::Result<double> Value::as_double() const {
  if (const auto* d = std::get_if<double>(&data_)) return *d;
  if (const auto* i = std::get_if<std::int64_t>(&data_)) return static_cast<double>(*i);
  if (const auto* u = std::get_if<std::uint64_t>(&data_)) return static_cast<double>(*u);
  return wrong_kind(*this, "a number");
}

base::Result<std::string> Value::as_string() const {
  if (const auto* s = if_string()) return *s;
  return wrong_kind(*this, "a string");
}

const Value* Value::find(std::string_view key) const {
  const auto* object = if_object();
  return object == nullptr ? nullptr : object->find(key);
}

const Value* Value::at(std::string_view path) const {
  const Value* here = this;
  for (const auto part : base::split(path, '.')) {
    if (const auto* array = here->if_array()) {
      size_t index = 0;
      const auto [end, ec] = std::from_chars(part.data(), part.data() + part.size(), index);
      if (ec != std::errc() || end != part.data() + part.size() || index >= array->size())
        return nullptr;
      here = &(*array)[index];
    } else {
      here = here->find(part);
      if (here == nullptr) return nullptr;
    }
  }
  return here;
}

Value& Value::operator[](std::string_view key) {
  if (is_null()) data_ = Object();
  return std::get<Object>(data_)[key];
}

void Value::push_back(Value item) {
  if (is_null()) data_ = Array();
  std::get<Array>(data_).push_back(std::move(item));
}

bool Value::operator==(const Value& other) const {
  return data_ == other.data_;
}

base::Result<bool> get_bool(const Value& root, std::string_view path) {
  TRY(const Value* found, look_up(root, path));
  return named(found->as_bool(), path);
}

base::Result<std::int64_t> get_int(const Value& root, std::string_view path) {
  TRY(const Value* found, look_up(root, path));
  return named(found->as_int(), path);
}

base::Result<std::uint64_t> get_uint(const Value& root, std::string_view path) {
  TRY(const Value* found, look_up(root, path));
  return named(found->as_uint(), path);
}

base::Result<double> get_double(const Value& root, std::string_view path) {
  TRY(const Value* found, look_up(root, path));
  return named(found->as_double(), path);
}

base::Result<std::string> get_string(const Value& root, std::string_view path) {
  TRY(const Value* found, look_up(root, path));
  return named(found->as_string(), path);
}

}  // namespace json
