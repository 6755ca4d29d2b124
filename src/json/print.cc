#include <fmt/format.h>

#include <cmath>

#include "json/json.h"

namespace json {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// The length of the UTF-8 character at the front of `text`, 0 if the bytes are none.
size_t utf8_length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  const size_t length = first < 0x80   ? 1
                        : first < 0xC2 ? 0
                        : first < 0xE0 ? 2
                        : first < 0xF0 ? 3
                        : first < 0xF5 ? 4
                                       : 0;
  if (length == 0 || length > text.size()) return 0;
  for (size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xC0) != 0x80) return 0;
  if (first == 0xE0 && byte(1) < 0xA0) return 0;  // overlong
  if (first == 0xED && byte(1) > 0x9F) return 0;  // surrogates
  if (first == 0xF0 && byte(1) < 0x90) return 0;  // overlong
  if (first == 0xF4 && byte(1) > 0x8F) return 0;  // above U+10FFFF
  return length;
}

void print_string(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const char c = text.front();
    const size_t length = utf8_length(text);
    if (length == 0) {
      out += kReplacement;
    } else if (length > 1) {
      out += text.substr(0, length);
    } else if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\r') {
      out += "\\r";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  out += '"';
}

class Printer {
 public:
  explicit Printer(Style style) : pretty_(style == Style::kPretty) {}

  void print(const Value& value, size_t depth) {
    switch (value.kind()) {
      case Kind::kNull:
        out += "null";
        return;
      case Kind::kBool:
        out += *value.as_bool() ? "true" : "false";
        return;
      case Kind::kInt:
        fmt::format_to(std::back_inserter(out), "{}", *value.as_int());
        return;
      case Kind::kUint:
        fmt::format_to(std::back_inserter(out), "{}", *value.as_uint());
        return;
      case Kind::kDouble:
        print_double(*value.as_double());
        return;
      case Kind::kString:
        print_string(out, *value.if_string());
        return;
      case Kind::kArray:
        print_array(*value.if_array(), depth);
        return;
      case Kind::kObject:
        print_object(*value.if_object(), depth);
        return;
    }
  }

  std::string out;

 private:
  void print_double(double number) {
    if (!std::isfinite(number)) {
      out += "null";
      return;
    }
    const auto text = fmt::format("{}", number);
    out += text;
    // A double stays one when it is read again.
    if (text.find_first_of(".eE") == std::string::npos) out += ".0";
  }

  void print_array(const Array& items, size_t depth) {
    out += '[';
    for (size_t i = 0; i < items.size(); ++i) {
      if (i != 0) out += ',';
      new_line(depth + 1);
      print(items[i], depth + 1);
    }
    if (!items.empty()) new_line(depth);
    out += ']';
  }

  void print_object(const Object& object, size_t depth) {
    out += '{';
    bool first = true;
    for (const auto& [key, value] : object) {
      if (!first) out += ',';
      first = false;
      new_line(depth + 1);
      print_string(out, key);
      out += pretty_ ? ": " : ":";
      print(value, depth + 1);
    }
    if (!first) new_line(depth);
    out += '}';
  }

  void new_line(size_t depth) {
    if (!pretty_) return;
    out += '\n';
    out.append(depth * 2, ' ');
  }

  const bool pretty_;
};

}  // namespace

std::string print(const Value& value, Style style) {
  Printer printer(style);
  printer.print(value, 0);
  if (style == Style::kPretty) printer.out += '\n';
  return std::move(printer.out);
}

}  // namespace json
