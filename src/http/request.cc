#include "http/request.h"

#include <fmt/format.h>

#include <array>
#include <optional>
#include <utility>

#include "base/text.h"

namespace http {
namespace {

using base::Code;

std::optional<unsigned> hex_digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a') + 10;
  if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A') + 10;
  return std::nullopt;
}

// No value for a broken escape or for an escaped NUL, which no path of ours holds.
std::optional<std::string> decode(std::string_view text, bool plus_is_blank) {
  std::string out;
  while (!text.empty()) {
    if (text.front() == '%') {
      const auto high = text.size() < 3 ? std::nullopt : hex_digit(text[1]);
      const auto low = text.size() < 3 ? std::nullopt : hex_digit(text[2]);
      if (!high || !low || *high + *low == 0) return std::nullopt;
      out += static_cast<char>(*high << 4 | *low);
      text.remove_prefix(3);
    } else {
      out += plus_is_blank && text.front() == '+' ? ' ' : text.front();
      text.remove_prefix(1);
    }
  }
  return out;
}

std::string_view reason_of(int status) {
  static constexpr std::array<std::pair<int, std::string_view>, 9> kReasons{
      {{200, "OK"},
       {400, "Bad Request"},
       {403, "Forbidden"},
       {404, "Not Found"},
       {405, "Method Not Allowed"},
       {408, "Request Timeout"},
       {431, "Request Header Fields Too Large"},
       {500, "Internal Server Error"},
       {503, "Service Unavailable"}}};
  for (const auto& [code, reason] : kReasons)
    if (code == status) return reason;
  return "Status";
}

}  // namespace

base::Result<RequestLine> parse_request_line(std::string_view line) {
  const auto bad = [] { return base::fail(Code::kInvalidArgument, "malformed request"); };
  const auto parts = base::split(line, ' ');
  if (parts.size() != 3 || !parts[2].starts_with("HTTP/1.") || parts[2].size() != 8) return bad();
  if (parts[0] != "GET" && parts[0] != "HEAD")
    return base::fail(Code::kUnimplemented, "only GET and HEAD");
  RequestLine out;
  out.head = parts[0] == "HEAD";
  const auto target = parts[1].substr(0, parts[1].find('#'));
  const size_t mark = target.find('?');
  const auto path = decode(target.substr(0, mark), false);
  if (!path || !path->starts_with('/')) return bad();
  out.request.path = *path;
  if (mark == std::string_view::npos) return out;
  for (const auto pair : base::split(target.substr(mark + 1), '&')) {
    if (pair.empty()) continue;
    const size_t equals = pair.find('=');
    const auto key = decode(pair.substr(0, equals), true);
    const auto value = equals == std::string_view::npos ? std::optional<std::string>("")
                                                        : decode(pair.substr(equals + 1), true);
    if (!key || !value) return bad();
    out.request.query[*key] = *value;
  }
  return out;
}

std::string to_text(const Response& response, bool head) {
  auto text = fmt::format(
      "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nCache-Control: no-store\r\n"
      "X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n",
      response.status, reason_of(response.status), response.content_type, response.body.size());
  if (!head) text += response.body;
  return text;
}

}  // namespace http
