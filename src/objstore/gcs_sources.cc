#include "objstore/gcs_sources.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/base64.h"
#include "json/json.h"
#include "objstore/gcs_federated.h"
#include "pki/sign.h"

namespace objstore {
namespace {

using base::Code;

constexpr std::string_view kGoogle = "https://oauth2.googleapis.com/token";

std::string base64url(std::string_view bytes) {
  auto text = base::encode_base64(bytes);
  std::ranges::replace(text, '+', '-');
  std::ranges::replace(text, '/', '_');
  while (text.ends_with('=')) text.pop_back();
  return text;
}

base::Result<std::unique_ptr<TokenSource>> by_service_account(const json::Value& value,
                                                              std::string_view scope,
                                                              const Outside& outside) {
  gcs::ServiceAccount account;
  account.scope = scope;
  TRY(account.email, json::get_string(value, "client_email"));
  TRY(account.key, json::get_string(value, "private_key"));
  account.key_id = json::get_string(value, "private_key_id").value_or("");
  account.token_uri = json::get_string(value, "token_uri").value_or(std::string(kGoogle));
  TRY_OK(gcs::form_request(account.token_uri, {}));
  if (const auto usable = gcs::make_assertion(account, outside.clock->now()); !usable)
    return base::fail(Code::kInvalidArgument, "private_key: " + usable.error().message);
  return fetched_token([account, asker = gcs::make_asker(outside, base::Duration(10'000))](
                           base::Instant now, const Call& call) -> base::Result<Token> {
    TRY(const auto assertion, gcs::make_assertion(account, now));
    TRY(const auto request,
        gcs::form_request(account.token_uri,
                          {{"grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"},
                           {"assertion", assertion}}));
    TRY(const auto reply, asker->ask(request, "service account " + account.email, call));
    return gcs::parse_token(reply.body, now);
  });
}

base::Result<std::unique_ptr<TokenSource>> by_refresh_token(const json::Value& value,
                                                            const Outside& outside) {
  TRY(const auto id, json::get_string(value, "client_id"));
  TRY(const auto secret, json::get_string(value, "client_secret"));
  TRY(const auto refresh, json::get_string(value, "refresh_token"));
  const auto url = json::get_string(value, "token_uri").value_or(std::string(kGoogle));
  TRY(const auto request, gcs::form_request(url, {{"grant_type", "refresh_token"},
                                                  {"client_id", id},
                                                  {"client_secret", secret},
                                                  {"refresh_token", refresh}}));
  return fetched_token([request, asker = gcs::make_asker(outside, base::Duration(10'000))](
                           base::Instant now, const Call& call) -> base::Result<Token> {
    TRY(const auto reply, asker->ask(request, "the refresh token", call));
    return gcs::parse_token(reply.body, now);
  });
}

std::unique_ptr<TokenSource> by_metadata(const std::string& host, const Outside& outside) {
  Request request{
      .server = "http://" + (host.empty() ? std::string("metadata.google.internal") : host),
      .path = "/computeMetadata/v1/instance/service-accounts/default/token"};
  request.set("Metadata-Flavor", "Google");
  return fetched_token([request, asker = gcs::make_asker(outside, base::Duration(3'000))](
                           base::Instant now, const Call& call) -> base::Result<Token> {
    auto reply = asker->ask(request, "the metadata server", call);
    if (!reply) {
      reply.error().message +=
          "; no credentials were given, and none of this machine were found: check the Secret of "
          "the backup and the service account of the pod";
      return std::unexpected(reply.error());
    }
    const auto flavor = reply->headers.find("metadata-flavor");
    if (flavor == reply->headers.end() || flavor->second != "Google")
      return base::fail(Code::kPermissionDenied, "what answers is not Google's metadata server");
    return gcs::parse_token(reply->body, now);
  });
}

base::Result<std::unique_ptr<TokenSource>> by_type(const json::Value& value, std::string_view scope,
                                                   const Surroundings& around,
                                                   const Outside& outside, bool source = false) {
  const auto type = json::get_string(value, "type").value_or("");
  if (type == "service_account") return by_service_account(value, scope, outside);
  if (type == "authorized_user") return by_refresh_token(value, outside);
  if (type == "external_account") return gcs::by_external_account(value, scope, around, outside);
  if (type == "impersonated_service_account" && !source) {
    const auto* inner = value.find("source_credentials");
    if (inner == nullptr || !inner->is_object())
      return base::fail(Code::kInvalidArgument, "source_credentials is missing or no object");
    auto own = by_type(*inner, gcs::kCloudScope, around, outside, true);
    if (!own) return std::unexpected(own.error().in("source_credentials"));
    return gcs::by_impersonation(value, *std::move(own), outside);
  }
  return base::fail(Code::kUnimplemented,
                    fmt::format("the type \"{}\" is none of service_account, authorized_user, "
                                "external_account{}",
                                quoted(type), source ? "" : " and impersonated_service_account"));
}

}  // namespace

namespace gcs {

std::shared_ptr<Asker> make_asker(const Outside& outside, base::Duration attempt) {
  Courier::Options options;
  options.tries = 4;
  options.attempt = attempt;
  options.max_answer = size_t{1} << 20;
  return std::make_shared<Asker>(outside, options);
}

base::Result<Request> form_request(const std::string& url, const Pairs& fields) {
  TRY(auto request, request_of(url, "token_uri"));
  request.method = "POST";
  request.body = to_form(fields);
  request.set("Content-Type", "application/x-www-form-urlencoded");
  return request;
}

base::Result<std::string> make_assertion(const ServiceAccount& account, base::Instant now) {
  const auto seconds =
      std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  json::Value head, claims;
  head["alg"] = "RS256";
  head["typ"] = "JWT";
  if (!account.key_id.empty()) head["kid"] = account.key_id;
  claims["iss"] = account.email;
  claims["scope"] = account.scope;
  claims["aud"] = account.token_uri;
  claims["iat"] = seconds;
  claims["exp"] = seconds + 3600;
  const auto text = base64url(json::print(head)) + "." + base64url(json::print(claims));
  TRY(const auto signature, pki::sign_rs256(account.key, text));
  return text + "." + base64url(signature);
}

base::Result<Token> parse_token(std::string_view text, base::Instant now) {
  const auto value = json::parse(text);
  if (!value) return base::fail(Code::kDataLoss, "the answer with the token is no JSON");
  auto token = json::get_string(*value, "access_token").value_or("");
  const auto seconds = json::get_int(*value, "expires_in").value_or(0);
  if (token.empty() || token.find_first_of("\r\n ") != std::string::npos || seconds <= 0 ||
      seconds > 86'400)
    return base::fail(Code::kDataLoss, "the answer has no token that holds for some time");
  return Token{.value = std::move(token), .expires = now + std::chrono::seconds(seconds)};
}

}  // namespace gcs

base::Result<std::unique_ptr<TokenSource>> gcs_from_json(const GcsFile& file,
                                                         const Surroundings& around,
                                                         const Outside& outside) {
  const auto value = json::parse(file.text);
  if (!value) return base::fail(Code::kInvalidArgument, file.name + " is no JSON");
  auto source = by_type(*value, gcs::kStorageScope, around, outside);
  if (!source) return std::unexpected(source.error().in(file.name));
  return source;
}

base::Result<std::unique_ptr<TokenSource>> gcs_ambient(const Surroundings& around,
                                                       const Outside& outside) {
  if (const auto named = env_of(around, "GOOGLE_APPLICATION_CREDENTIALS"); !named.empty()) {
    TRY_IN("GOOGLE_APPLICATION_CREDENTIALS", const auto text, around.read(named));
    return gcs_from_json({named, text}, around, outside);
  }
  const auto usual =
      env_of(around, "HOME") + "/.config/gcloud/application_default_credentials.json";
  if (const auto text = around.read(usual)) return gcs_from_json({usual, *text}, around, outside);
  return by_metadata(env_of(around, "GCE_METADATA_HOST"), outside);
}

}  // namespace objstore
