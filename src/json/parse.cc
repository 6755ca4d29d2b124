#include <fmt/format.h>

#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>
#include <charconv>
#include <cmath>
#include <string>
#include <unordered_set>
#include <vector>

#include "json/json.h"

namespace json {
namespace {

namespace bj = boost::json;
using base::Code;

// Builds our values while the library reads. A container under construction lies on `open_`.
class Builder {
 public:
  static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);

  bool on_document_begin(bj::error_code&) { return true; }
  bool on_document_end(bj::error_code&) { return true; }
  bool on_object_begin(bj::error_code&) {
    open_.push_back({Value(Object()), {}, {}, {}});
    return true;
  }
  bool on_object_end(std::size_t, bj::error_code&) { return close(); }
  bool on_array_begin(bj::error_code&) {
    open_.push_back({Value(Array()), {}, {}, {}});
    return true;
  }
  bool on_array_end(std::size_t, bj::error_code&) { return close(); }
  bool on_key_part(bj::string_view part, std::size_t, bj::error_code&) {
    open_.back().key.append(part.data(), part.size());
    return true;
  }
  bool on_key(bj::string_view part, std::size_t, bj::error_code& ec) {
    auto& top = open_.back();
    top.key.append(part.data(), part.size());
    if (!top.seen.insert(top.key).second) {
      duplicate = top.key;
      ec = bj::error::syntax;
      return false;
    }
    return true;
  }
  bool on_string_part(bj::string_view part, std::size_t, bj::error_code&) {
    text_.append(part.data(), part.size());
    return true;
  }
  bool on_string(bj::string_view part, std::size_t, bj::error_code&) {
    text_.append(part.data(), part.size());
    add(Value(std::exchange(text_, std::string())));
    return true;
  }
  bool on_number_part(bj::string_view part, bj::error_code&) {
    text_.append(part.data(), part.size());
    return true;
  }
  bool on_int64(std::int64_t number, bj::string_view, bj::error_code&) { return whole(number); }
  bool on_uint64(std::uint64_t number, bj::string_view, bj::error_code&) { return whole(number); }
  // The library's own value may be off in the last digit; a number must survive a round trip.
  bool on_double(double near, bj::string_view part, bj::error_code& ec) {
    text_.append(part.data(), part.size());
    const auto text = std::exchange(text_, std::string());
    double number = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
    if (read.ec == std::errc::result_out_of_range && std::abs(near) > 1) {
      ec = bj::error::exponent_overflow;
      return false;
    }
    return add(number);
  }
  bool on_bool(bool value, bj::error_code&) { return add(value); }
  bool on_null(bj::error_code&) { return add(nullptr); }
  bool on_comment_part(bj::string_view, bj::error_code&) { return true; }
  bool on_comment(bj::string_view, bj::error_code&) { return true; }

  Value result;
  std::string duplicate;  // the key that came twice; valid if the error is a syntax error

 private:
  struct Open {
    Value container;
    std::string key;  // of the member being read
    std::vector<Member> members;
    std::unordered_set<std::string> seen;
  };

  bool whole(Value number) {
    text_.clear();
    return add(std::move(number));
  }

  bool add(Value value) {
    if (open_.empty()) {
      result = std::move(value);
      return true;
    }
    auto& top = open_.back();
    if (auto* array = top.container.if_array(); array != nullptr)
      array->push_back(std::move(value));
    else
      top.members.push_back({std::exchange(top.key, std::string()), std::move(value)});
    return true;
  }

  bool close() {
    Open top = std::move(open_.back());
    open_.pop_back();
    if (auto* object = top.container.if_object(); object != nullptr)
      *object = Object(std::move(top.members));
    return add(std::move(top.container));
  }

  std::vector<Open> open_;
  std::string text_;
};

std::string position(std::string_view text, size_t at) {
  const auto before = text.substr(0, std::min(at, text.size()));
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const size_t start = before.rfind('\n');
  const size_t column = before.size() - (start == std::string_view::npos ? 0 : start + 1) + 1;
  return fmt::format("line {}, column {} (byte {})", line, column, before.size());
}

}  // namespace

base::Result<Value> parse(std::string_view text, const Limits& limits) {
  if (text.size() > limits.bytes)
    return base::fail(Code::kResourceExhausted,
                      fmt::format("{} bytes of JSON are more than {}", text.size(), limits.bytes));
  bj::parse_options options;
  options.max_depth = limits.depth;
  try {
    bj::basic_parser<Builder> parser(options);
    bj::error_code ec;
    size_t at = parser.write_some(false, text.data(), text.size(), ec);
    if (!ec && at < text.size()) {
      at = std::min(text.find_first_not_of(" \t\r\n", at), text.size());
      if (at < text.size()) ec = bj::error::extra_data;
    }
    if (!ec) return std::move(parser.handler().result);
    const auto where = position(text, at);
    if (ec == bj::error::too_deep)
      return base::fail(Code::kResourceExhausted,
                        fmt::format("{}: nested deeper than {}", where, limits.depth));
    if (!parser.handler().duplicate.empty())
      return base::fail(Code::kInvalidArgument, fmt::format("{}: key '{}' occurs twice", where,
                                                            parser.handler().duplicate));
    return base::fail(Code::kInvalidArgument, fmt::format("{}: {}", where, ec.message()));
  } catch (const std::exception& e) {  // bad_alloc, or a fault of the library
    return base::fail(Code::kInternal, fmt::format("JSON parser: {}", e.what()));
  }
}

}  // namespace json
