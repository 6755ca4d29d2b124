#include "objstore/xml.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

#include "base/text.h"

namespace objstore {
namespace {

using base::Code;

bool is_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-' || c == '.' || c == ':' || static_cast<unsigned char>(c) >= 0x80;
}
bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

void append_utf8(std::string& out, std::uint32_t point) {
  const auto tail = [&](unsigned shift) {
    out += static_cast<char>(0x80U | ((point >> shift) & 0x3fU));
  };
  if (point < 0x80) {
    out += static_cast<char>(point);
  } else if (point < 0x800) {
    out += static_cast<char>(0xc0U | (point >> 6));
    tail(0);
  } else if (point < 0x10000) {
    out += static_cast<char>(0xe0U | (point >> 12));
    tail(6);
    tail(0);
  } else {
    out += static_cast<char>(0xf0U | (point >> 18));
    tail(12);
    tail(6);
    tail(0);
  }
}

class Parser {
 public:
  Parser(std::string_view text, const XmlLimits& limits) : text_(text), limits_(limits) {}

  base::Result<Element> document() {
    if (text_.size() > limits_.bytes) return too_much("bytes", limits_.bytes);
    take("\xef\xbb\xbf");
    TRY_OK(between());
    Element root;
    TRY_OK(element(root, 1));
    TRY_OK(between());
    if (at_ != text_.size()) return bad("something after the end of the document");
    return root;
  }

 private:
  [[nodiscard]] std::unexpected<base::Error> bad(std::string_view why) const {
    return base::fail(Code::kInvalidArgument, fmt::format("byte {}: {}", at_, why));
  }
  static std::unexpected<base::Error> too_much(std::string_view what, size_t limit) {
    return base::fail(Code::kResourceExhausted, fmt::format("more than {} {}", limit, what));
  }
  [[nodiscard]] std::string_view rest() const { return text_.substr(at_); }
  bool take(std::string_view word) {
    if (!rest().starts_with(word)) return false;
    at_ += word.size();
    return true;
  }
  void skip_space() {
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
  }
  base::Status skip_to(std::string_view end) {
    const auto found = text_.find(end, at_);
    if (found == std::string_view::npos) return bad(fmt::format("no \"{}\" follows", end));
    at_ = found + end.size();
    return {};
  }

  // White space, comments and instructions outside of the root.
  base::Status between() {
    for (;;) {
      skip_space();
      if (take("<!--"))
        TRY_OK(skip_to("-->"));
      else if (take("<?"))
        TRY_OK(skip_to("?>"));
      else if (rest().starts_with("<!"))
        return bad("a document type is not taken");
      else
        return {};
    }
  }

  base::Result<std::string> name() {
    const size_t from = at_;
    while (at_ < text_.size() && is_name(text_[at_])) ++at_;
    auto word = text_.substr(from, at_ - from);
    if (word.empty()) return bad("a name is missing");
    if (const auto colon = word.rfind(':'); colon != std::string_view::npos)
      word.remove_prefix(colon + 1);
    return std::string(word);
  }

  // Up to '>' or '/>'; true: the element ends here.
  base::Result<bool> attributes() {
    for (;;) {
      const size_t before = at_;
      skip_space();
      if (take("/>")) return true;
      if (take(">")) return false;
      if (before == at_) return bad("a blank, '>' or '/>' is missing");
      TRY_OK(name());
      skip_space();
      if (!take("=")) return bad("an attribute without a value");
      skip_space();
      const char quote = at_ < text_.size() ? text_[at_] : '\0';
      if (quote != '"' && quote != '\'') return bad("an attribute's value without quotes");
      ++at_;
      TRY_OK(skip_to(std::string_view(&quote, 1)));
    }
  }

  base::Status entity(std::string& out) {
    const auto end = rest().substr(0, 12).find(';');
    if (end == std::string_view::npos) return bad("an '&' without its ';'");
    const auto word = rest().substr(0, end);
    at_ += end + 1;
    static constexpr std::pair<std::string_view, char> kNamed[] = {
        {"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}};
    for (const auto& [known, c] : kNamed)
      if (word == known) {
        out += c;
        return {};
      }
    std::uint32_t point = 0;
    const bool hex = word.starts_with("#x");
    const auto digits = word.substr(std::min<size_t>(hex ? 2 : 1, word.size()));
    if (!word.starts_with('#') || digits.empty()) return bad("an entity that is not known");
    for (const char c : digits) {
      const auto value = std::string_view("0123456789abcdef")
                             .find(static_cast<char>(c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c));
      if (value == std::string_view::npos || (!hex && value > 9) || point > 0x10ffff)
        return bad("a character's number that is none");
      point = point * (hex ? 16 : 10) + static_cast<std::uint32_t>(value);
    }
    if (point == 0 || point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
      return bad("a character's number that is none");
    append_utf8(out, point);
    return {};
  }

  base::Status element(Element& out, size_t depth) {
    if (depth > limits_.depth) return too_much("elements in each other", limits_.depth);
    if (++count_ > limits_.elements) return too_much("elements", limits_.elements);
    if (!take("<")) return bad("an element is missing");
    TRY(out.name, name());
    TRY(const bool empty, attributes());
    if (empty) return {};
    return content(out, depth);
  }

  base::Status content(Element& out, size_t depth) {
    while (at_ < text_.size()) {
      if (take("</")) {
        TRY(const auto end, name());
        skip_space();
        if (end != out.name || !take(">")) return bad(fmt::format("<{}> has no end", out.name));
        return {};
      }
      if (take("<!--")) {
        TRY_OK(skip_to("-->"));
      } else if (take("<![CDATA[")) {
        const size_t from = at_;
        TRY_OK(skip_to("]]>"));
        out.text += text_.substr(from, at_ - 3 - from);
      } else if (take("<?")) {
        TRY_OK(skip_to("?>"));
      } else if (text_[at_] == '<') {
        TRY_OK(element(out.children.emplace_back(), depth + 1));
      } else if (take("&")) {
        TRY_OK(entity(out.text));
      } else {
        const auto plain = rest().substr(0, rest().find_first_of("<&"));
        out.text += plain;
        at_ += plain.size();
      }
    }
    return bad(fmt::format("<{}> has no end", out.name));
  }

  const std::string_view text_;
  const XmlLimits limits_;
  size_t at_ = 0, count_ = 0;
};

}  // namespace

const Element* Element::child(std::string_view child_name) const {
  const auto found = std::ranges::find(children, child_name, &Element::name);
  return found == children.end() ? nullptr : &*found;
}

std::string_view Element::text_at(std::string_view way) const {
  const Element* here = this;
  for (const auto step : base::split(way, '/')) {
    here = here->child(step);
    if (here == nullptr) return {};
  }
  return here->text;
}

base::Result<Element> parse_xml(std::string_view text, const XmlLimits& limits) {
  return Parser(text, limits).document();
}

std::string escape_xml(std::string_view text) {
  std::string out;
  for (const char c : text) switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  return out;
}

}  // namespace objstore
