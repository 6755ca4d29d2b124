#include "objstore/sigv4.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/text.h"
#include "http/escape.h"
#include "pki/digest.h"

namespace objstore {
namespace {

// "20130524T000000Z"
std::string to_amz_date(base::Instant at) {
  auto text = base::to_rfc3339(at).substr(0, 19);
  std::erase(text, '-');
  std::erase(text, ':');
  return text + "Z";
}

std::string canonical_query(const Request& request) {
  Pairs escaped;
  for (const auto& [name, value] : request.query)
    escaped.emplace_back(http::escape(name), http::escape(value));
  std::ranges::sort(escaped);
  std::string text;
  for (const auto& [name, value] : escaped) text += (text.empty() ? "" : "&") + name + "=" + value;
  return text;
}

std::string one_space(std::string_view value) {
  std::string out;
  for (const char c : base::trim(value))
    if (c != ' ' || out.empty() || out.back() != ' ') out += c;
  return out;
}

}  // namespace

void sign_v4(Request& request, const AwsKeys& keys, const AwsScope& scope, base::Instant at) {
  const auto time = to_amz_date(at), day = time.substr(0, 8);
  const auto body_hash = pki::to_hex(pki::sha256(request.body));
  request.set("x-amz-date", time);
  request.set("x-amz-content-sha256", body_hash);
  if (!keys.session_token.empty()) request.set("x-amz-security-token", keys.session_token);

  std::map<std::string, std::string> headers;
  for (const auto& [name, value] : request.headers)
    if (const auto small = in_small_letters(name); small != "authorization")
      headers[small] = one_space(value);
  headers["host"] = request.host();
  std::string names, lines;
  for (const auto& [name, value] : headers) {
    names += (names.empty() ? "" : ";") + name;
    lines += name + ":" + value + "\n";
  }
  const auto canonical = fmt::format("{}\n{}\n{}\n{}\n{}\n{}", request.method, request.path,
                                     canonical_query(request), lines, names, body_hash);
  const auto within = fmt::format("{}/{}/{}/aws4_request", day, scope.region, scope.service);
  const auto to_sign = fmt::format("AWS4-HMAC-SHA256\n{}\n{}\n{}", time, within,
                                   pki::to_hex(pki::sha256(canonical)));
  auto key = pki::hmac_sha256("AWS4" + keys.secret, day);
  for (const std::string_view part :
       {std::string_view(scope.region), std::string_view(scope.service),
        std::string_view("aws4_request")})
    key = pki::hmac_sha256(key, part);
  request.set("Authorization",
              fmt::format("AWS4-HMAC-SHA256 Credential={}/{},SignedHeaders={},Signature={}",
                          keys.id, within, names, pki::to_hex(pki::hmac_sha256(key, to_sign))));
}

}  // namespace objstore
