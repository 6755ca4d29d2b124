#include <fmt/format.h>

#include <cmath>

#include "base/text.h"
#include "json/json.h"

namespace json {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

void print_string(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const char c = text.front();
    const size_t length = base::utf8_length(text);
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
