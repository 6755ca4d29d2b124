#include "objstore/request.h"

#include <algorithm>

#include "http/escape.h"

namespace objstore {

std::string in_small_letters(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return out;
}

std::string to_form(const Pairs& fields) {
  std::string text;
  for (const auto& [name, value] : fields) {
    if (!text.empty()) text += '&';
    text += http::escape(name) + "=" + http::escape(value);
  }
  return text;
}

std::string Request::host() const {
  std::string_view rest = server;
  const auto scheme = rest.find("://");
  const bool tls = rest.starts_with("https://");
  if (scheme != std::string_view::npos) rest.remove_prefix(scheme + 3);
  rest = rest.substr(0, rest.find('/'));
  // libcurl names the port only where it is not the scheme's own.
  const std::string_view own = tls ? ":443" : ":80";
  if (rest.ends_with(own)) rest.remove_suffix(own.size());
  return std::string(rest);
}

std::string Request::query_text() const {
  return to_form(query);
}

std::string Request::target() const {
  return query.empty() ? path : path + "?" + query_text();
}

std::string_view Request::header(std::string_view name) const {
  const auto wanted = in_small_letters(name);
  for (const auto& [have, value] : headers)
    if (in_small_letters(have) == wanted) return value;
  return {};
}

void Request::set(std::string name, std::string value) {
  const auto wanted = in_small_letters(name);
  std::erase_if(headers,
                [&](const auto& header) { return in_small_letters(header.first) == wanted; });
  headers.emplace_back(std::move(name), std::move(value));
}

}  // namespace objstore
