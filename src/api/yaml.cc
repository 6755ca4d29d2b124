#include "api/yaml.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>
// The events of the parser: a tree of its own would expand aliases before a limit could be checked.
#include <yaml-cpp/eventhandler.h>

#include <charconv>
#include <cmath>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <utility>

#include "base/text.h"

namespace api {
namespace {

using base::Code;

// Leaves the parser; caught in read_document. `mark` is relative to the chunk.
struct Refused {
  YAML::Mark mark;
  std::string why;
};

// What a value counts for against the limit of nodes: a long text counts for several.
size_t text_weight(std::string_view text) {
  return 1 + text.size() / 256;
}

size_t weight_of(const json::Value& value) {
  if (const auto* text = value.if_string()) return text_weight(*text);
  size_t weight = 1;
  if (const auto* items = value.if_array())
    for (const auto& item : *items) weight += weight_of(item);
  if (const auto* members = value.if_object())
    for (const auto& member : *members) weight += text_weight(member.key) + weight_of(member.value);
  return weight;
}

size_t depth_of(const json::Value& value) {
  size_t depth = 0;
  if (const auto* items = value.if_array())
    for (const auto& item : *items) depth = std::max(depth, depth_of(item));
  if (const auto* members = value.if_object())
    for (const auto& member : *members) depth = std::max(depth, depth_of(member.value));
  return depth + 1;
}

std::optional<json::Value> plain_integer(std::string_view text) {
  bool negative = false;
  int radix = 10;
  std::string_view digits = text;
  if (digits.starts_with("0x")) {
    radix = 16;
    digits.remove_prefix(2);
  } else if (digits.starts_with("0o")) {
    radix = 8;
    digits.remove_prefix(2);
  } else if (digits.starts_with('-') || digits.starts_with('+')) {
    negative = digits.front() == '-';
    digits.remove_prefix(1);
  }
  std::uint64_t value = 0;
  const auto [end, ec] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value, radix);
  if (ec != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  if (!negative) return json::Value(value);
  if (value > std::uint64_t{1} << 63) return std::nullopt;
  return json::Value(static_cast<std::int64_t>(0 - value));
}

std::optional<json::Value> plain_number(std::string_view text) {
  if (const auto integer = plain_integer(text)) return integer;
  const bool looks = text.find_first_not_of("+-.0123456789eE") == std::string_view::npos &&
                     text.find_first_of("0123456789") != std::string_view::npos;
  if (!looks) return std::nullopt;
  if (text.starts_with('+')) text.remove_prefix(1);
  double value = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc() || end != text.data() + text.size() || !std::isfinite(value))
    return std::nullopt;
  return json::Value(value);
}

json::Value resolve_plain(const std::string& text) {
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL")
    return nullptr;
  if (text == "true" || text == "True" || text == "TRUE") return true;
  if (text == "false" || text == "False" || text == "FALSE") return false;
  if (auto number = plain_number(text)) return *std::move(number);
  return text;
}

class Builder : public YAML::EventHandler {
 public:
  explicit Builder(const YamlLimits& limits) : limits_(limits) {}

  void OnDocumentStart(const YAML::Mark& /*mark*/) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (!stack_.empty() && stack_.back().value.is_object() && !stack_.back().key)
      throw Refused{mark, "a key is empty"};
    count(mark, 1);
    take(mark, anchor, nullptr, "");
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto at = anchors_.find(anchor);
    if (at == anchors_.end()) throw Refused{mark, "an alias stands inside its own anchor"};
    count(mark, weight_of(at->second));
    if (stack_.size() + depth_of(at->second) > limits_.depth) refuse_depth(mark);
    take(mark, 0, at->second, at->second.is_string() ? *at->second.if_string() : std::string());
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& text) override {
    if (text.find('\0') != std::string::npos) throw Refused{mark, "a text holds a NUL character"};
    count(mark, text_weight(text));
    take(mark, anchor, resolve(mark, tag, text), text);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    check_tag(mark, tag, "tag:yaml.org,2002:seq");
    open(mark, anchor, json::Array());
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    check_tag(mark, tag, "tag:yaml.org,2002:map");
    open(mark, anchor, json::Object());
  }
  void OnMapEnd() override { close(); }

  json::Value take_result() { return std::move(result_); }

 private:
  struct Open {
    YAML::Mark mark;
    YAML::anchor_t anchor;
    json::Value value;
    std::optional<std::string> key;        // read, its value is next
    std::vector<json::Value> merged = {};  // of "<<" keys
  };

  [[noreturn]] void refuse_depth(const YAML::Mark& mark) const {
    throw Refused{mark, fmt::format("nested deeper than {} levels", limits_.depth)};
  }
  static void check_tag(const YAML::Mark& mark, const std::string& tag, std::string_view allowed) {
    if (!tag.empty() && tag != "?" && tag != "!" && tag != allowed) refuse_tag(mark, tag);
  }
  [[noreturn]] static void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
    throw Refused{mark, fmt::format("the tag '{}' is not allowed", tag.substr(0, 60))};
  }
  static json::Value resolve(const YAML::Mark& mark, const std::string& tag,
                             const std::string& text) {
    constexpr std::string_view kCore = "tag:yaml.org,2002:";
    if (tag == "?" || tag.empty()) {
      if (text == ".inf" || text == "-.inf" || text == "+.inf" || text == ".nan")
        throw Refused{mark, fmt::format("'{}' is not a number that JSON can hold", text)};
      return resolve_plain(text);
    }
    if (tag == "!" || tag == "tag:yaml.org,2002:str") return text;
    if (!tag.starts_with(kCore)) refuse_tag(mark, tag);
    const std::string_view type = std::string_view(tag).substr(kCore.size());
    auto value = resolve_plain(text);
    const bool fits = (type == "int" || type == "float")
                          ? value.is_number()
                          : (type == "bool" ? value.kind() == json::Kind::kBool
                                            : type == "null" && value.is_null());
    if (!fits) refuse_tag(mark, tag);
    return value;
  }

  void count(const YAML::Mark& mark, size_t weight) {
    nodes_ += weight;
    if (nodes_ > limits_.nodes)
      throw Refused{mark, fmt::format("more than {} values in one document, aliases expanded",
                                      limits_.nodes)};
  }

  void take(const YAML::Mark& mark, YAML::anchor_t anchor, json::Value value,
            const std::string& text) {
    if (anchor != 0) anchors_[anchor] = value;
    if (stack_.empty()) {
      result_ = std::move(value);
      return;
    }
    Open& top = stack_.back();
    if (top.value.is_array()) {
      top.value.push_back(std::move(value));
    } else if (!top.key) {
      if (value.is_array() || value.is_object()) throw Refused{mark, "a key must be a text"};
      top.key = text;
      if (text != "<<" && top.value.find(text) != nullptr)
        throw Refused{mark, fmt::format("the key '{}' is there twice", text.substr(0, 60))};
    } else {
      put(mark, top, std::move(value));
    }
  }

  static void put(const YAML::Mark& mark, Open& top, json::Value value) {
    const std::string key = *std::exchange(top.key, std::nullopt);
    if (key != "<<") {
      top.value[key] = std::move(value);
    } else if (value.is_object()) {
      top.merged.push_back(std::move(value));
    } else if (auto* items = value.if_array()) {
      for (auto& item : *items) {
        if (!item.is_object()) throw Refused{mark, "'<<' takes maps only"};
        top.merged.push_back(std::move(item));
      }
    } else {
      throw Refused{mark, "'<<' takes maps only"};
    }
  }

  void open(const YAML::Mark& mark, YAML::anchor_t anchor, json::Value empty) {
    count(mark, 1);
    if (stack_.size() >= limits_.depth) refuse_depth(mark);
    if (!stack_.empty() && stack_.back().value.is_object() && !stack_.back().key)
      throw Refused{mark, "a key must be a text"};
    stack_.push_back({mark, anchor, std::move(empty), std::nullopt});
  }

  void close() {
    Open top = std::move(stack_.back());
    stack_.pop_back();
    for (const auto& merged : top.merged)
      for (const auto& member : *merged.if_object())
        if (top.value.find(member.key) == nullptr) top.value[member.key] = member.value;
    take(top.mark, top.anchor, std::move(top.value), "");
  }

  const YamlLimits& limits_;
  size_t nodes_ = 0;
  std::vector<Open> stack_;
  std::map<YAML::anchor_t, json::Value> anchors_;
  json::Value result_;
};

base::Error error_at(int first_line, const YAML::Mark& mark, std::string_view why) {
  const int line = mark.is_null() ? first_line : first_line + mark.line;
  const int column = mark.is_null() ? 1 : mark.column + 1;
  return {Code::kInvalidArgument, fmt::format("line {}, column {}: {}", line, column, why)};
}

base::Result<json::Value> read_document(std::string_view text, int first_line,
                                        const YamlLimits& limits) {
  try {
    // The parser takes an open quote at the end of the text for closed when a line ends there: a
    // file that is half written would be read. A comment behind it makes the quote's end missed.
    std::istringstream stream{std::string(text) + "\n#"};
    YAML::Parser parser(stream);
    Builder builder(limits);
    if (!parser.HandleNextDocument(builder)) return json::Value();
    // The chunk was cut at its markers, so whatever follows is not part of any document.
    Builder rest(limits);
    if (parser.HandleNextDocument(rest))
      return std::unexpected(error_at(first_line, YAML::Mark::null_mark(),
                                      "something follows the end of the document"));
    return builder.take_result();
  } catch (const Refused& refused) {
    return std::unexpected(error_at(first_line, refused.mark, refused.why));
  } catch (const YAML::Exception& e) {
    if (e.msg == YAML::ErrorMsg::EOF_IN_SCALAR)
      return std::unexpected(
          error_at(first_line, YAML::Mark::null_mark(), "the text ends inside a quote"));
    return std::unexpected(error_at(first_line, e.mark, e.msg));
  } catch (const std::exception& e) {
    return std::unexpected(error_at(first_line, YAML::Mark::null_mark(), e.what()));
  }
}

// No value: the text is plain UTF-8. Otherwise what is not.
std::optional<std::string> find_binary(std::string_view text) {
  int line = 1;
  const auto at = [&](std::string_view what) { return fmt::format("line {}: {}", line, what); };
  for (size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c == '\n') ++line;
    if ((c < 0x20 && c != '\n' && c != '\r' && c != '\t') || c == 0x7F)
      return at(fmt::format("a control character (0x{:02x}); this is not a text file", c));
    const size_t length = c < 0x80         ? 1
                          : (c >> 5) == 6  ? 2
                          : (c >> 4) == 14 ? 3
                          : (c >> 3) == 30 ? 4
                                           : 0;
    if (length == 0 || i + length > text.size()) return at("the text is not UTF-8");
    for (size_t k = 1; k < length; ++k)
      if ((static_cast<unsigned char>(text[i + k]) & 0xC0) != 0x80)
        return at("the text is not UTF-8");
    i += length;
  }
  return std::nullopt;
}

bool is_marker(std::string_view line, std::string_view marker) {
  return line.starts_with(marker) && (line.size() == marker.size() || line[marker.size()] == ' ' ||
                                      line[marker.size()] == '\t');
}

// A part of the file between markers; `---` stays in it, so that line and column are right.
struct Chunk {
  size_t begin = 0, end = 0;
  int line = 1;
  bool content = false;  // more than comments and directives
};

// `---` and `...` at the start of a line end a document wherever they stand, also in a block text.
std::vector<Chunk> cut(std::string_view text) {
  std::vector<Chunk> chunks(1);
  int line_number = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t newline = text.find('\n', begin);
    const size_t end = newline == std::string_view::npos ? text.size() : newline + 1;
    ++line_number;
    std::string_view line = text.substr(begin, end - begin);
    while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
    const bool start = is_marker(line, "---"), stop = is_marker(line, "...");
    if (start || stop) chunks.push_back({begin, begin, line_number});
    std::string_view rest = start ? line.substr(3) : stop ? std::string_view() : line;
    rest = base::trim(rest);
    if (stop) chunks.back() = {end, end, line_number + 1};
    if (!rest.empty() && rest.front() != '#' && !line.starts_with('%'))
      chunks.back().content = true;
    chunks.back().end = end;
    begin = end;
  }
  return chunks;
}

}  // namespace

base::Result<std::vector<YamlDocument>> read_yaml(std::string_view text, const YamlLimits& limits) {
  if (text.size() > limits.bytes)
    return base::fail(
        Code::kResourceExhausted,
        fmt::format("the file has {} bytes; at most {} are read", text.size(), limits.bytes));
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  if (const auto binary = find_binary(text)) return base::fail(Code::kInvalidArgument, *binary);
  std::vector<YamlDocument> documents;
  for (const auto& chunk : cut(text)) {
    if (!chunk.content) continue;
    if (documents.size() == limits.documents)
      return base::fail(
          Code::kResourceExhausted,
          fmt::format("line {}: more than {} documents in one file", chunk.line, limits.documents));
    documents.push_back(
        {chunk.line,
         read_document(text.substr(chunk.begin, chunk.end - chunk.begin), chunk.line, limits)});
  }
  return documents;
}

}  // namespace api
