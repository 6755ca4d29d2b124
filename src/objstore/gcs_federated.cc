#include "objstore/gcs_federated.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "base/base64.h"
#include "base/text.h"
#include "json/json.h"
#include "objstore/gcs_sources.h"

namespace objstore::gcs {
namespace {

using base::Code;

constexpr base::Duration kAttempt{10'000};
constexpr std::int64_t kShortest = 600, kUsual = 3600, kLongest = 43'200;  // seconds
constexpr std::string_view kSource = "credential_source";

std::unexpected<base::Error> bad(std::string_view field, std::string_view why) {
  return base::fail(Code::kInvalidArgument, fmt::format("{} {}", field, why));
}

// Whom plain http reaches: this machine alone, or what it is run by, too.
enum class Near { kThisMachine, kItsHost };

base::Result<Request> near_or_https(const std::string& url, std::string_view field, Near near) {
  TRY(auto request, request_of(url, field));
  if (request.server.starts_with("https://")) return request;
  auto host = request.host();
  host = host.substr(0, host.starts_with('[') ? host.find(']') + 1 : host.find(':'));
  if (host == "localhost" || host == "127.0.0.1" || host == "[::1]") return request;
  if (near == Near::kItsHost && (host == "169.254.169.254" || host == "metadata.google.internal"))
    return request;
  return bad(field, "is http and not of this machine: it must be https");
}

base::Result<std::string> text_of(const json::Value& value, std::string_view field) {
  const auto* found = value.at(field);
  if (found == nullptr || found->is_null()) return bad(field, "is missing");
  const auto* text = found->if_string();
  if (text == nullptr)
    return bad(field, fmt::format("is {}, not a string", name_of(found->kind())));
  if (text->empty()) return bad(field, "is empty");
  return *text;
}

// ---- What another issuer gave. -----------------------------------------------------------------

struct Format {
  std::string field;  // of JSON; empty: it is text
};

base::Result<Format> format_of(const json::Value& value) {
  const auto* format = value.at("credential_source.format");
  if (format == nullptr || format->is_null()) return Format{};
  constexpr std::string_view kType = "credential_source.format.type";
  constexpr std::string_view kField = "credential_source.format.subject_token_field_name";
  const auto type = json::get_string(*format, "type").value_or("text");
  if (type == "text") return Format{};
  if (type != "json") return bad(kType, fmt::format("\"{}\" is not text or json", quoted(type)));
  TRY(auto field, text_of(value, kField));
  return Format{std::move(field)};
}

base::Result<std::string> token_in(std::string_view text, const Format& format,
                                   std::string_view where) {
  auto token = std::string(base::trim(text));
  if (!format.field.empty()) {
    const auto value = json::parse(text);
    if (!value) return bad(where, "is no JSON");
    const auto* found = value->find(format.field);
    const auto* word = found == nullptr ? nullptr : found->if_string();
    if (word == nullptr) return bad(where, fmt::format("has no text in {}", quoted(format.field)));
    token = *word;
  }
  if (token.empty()) return bad(where, "is empty");
  return token;
}

using Subject = std::function<base::Result<std::string>(const Call& call)>;

base::Result<Subject> subject_of_file(const json::Value& value, Format format,
                                      const Surroundings& around) {
  TRY(const auto file, text_of(value, "credential_source.file"));
  // Anew each time: it is replaced long before it ends.
  return [around, file, format = std::move(format)](const Call&) -> base::Result<std::string> {
    const auto text = around.read(file);
    if (!text) return std::unexpected(text.error().in("credential_source.file"));
    return token_in(*text, format, "credential_source.file: " + file);
  };
}

base::Result<Subject> subject_of_url(const json::Value& value, Format format,
                                     const Outside& outside) {
  constexpr std::string_view kUrl = "credential_source.url";
  TRY(const auto url, text_of(value, kUrl));
  TRY(auto request, near_or_https(url, kUrl, Near::kItsHost));
  if (const auto* headers = value.at("credential_source.headers");
      headers != nullptr && !headers->is_null()) {
    const auto* all = headers->if_object();
    if (all == nullptr) return bad("credential_source.headers", "is no object");
    for (const auto& [name, word] : *all) {
      if (!word.is_string() ||
          (name + *word.if_string()).find_first_of("\r\n") != std::string::npos)
        return bad("credential_source.headers", fmt::format("{} is not a line", quoted(name)));
      request.set(name, *word.if_string());
    }
  }
  return [request, format = std::move(format),
          asker = make_asker(outside, kAttempt)](const Call& call) -> base::Result<std::string> {
    TRY(const auto reply, asker->ask(request, "credential_source.url", call));
    return token_in(reply.body, format, "what credential_source.url answers");
  };
}

base::Result<Subject> subject_of(const json::Value& value, const Surroundings& around,
                                 const Outside& outside) {
  const auto* source = value.find(kSource);
  if (source == nullptr || !source->is_object()) return bad(kSource, "is missing or no object");
  const auto unsupported = [](std::string_view field, std::string_view what) {
    return base::fail(Code::kUnimplemented,
                      fmt::format("credential_source.{}: {}; give file or url", field, what));
  };
  if (source->find("executable") != nullptr)
    return unsupported("executable", "no program is started for credentials");
  if (source->find("certificate") != nullptr)
    return unsupported("certificate", "certificates are not used as credentials");
  if (source->find("environment_id") != nullptr)
    return unsupported("environment_id", "credentials of AWS are not given for Google's");
  TRY(auto format, format_of(value));
  const bool file = source->find("file") != nullptr;
  if (file == (source->find("url") != nullptr))
    return bad(kSource, "must have one of file and url");
  return file ? subject_of_file(value, std::move(format), around)
              : subject_of_url(value, std::move(format), outside);
}

// ---- Given for Google's. -----------------------------------------------------------------------

// A service that refuses may repeat what it was given.
base::Error without(base::Error error, const std::string& secret) {
  for (auto at = error.message.find(secret); at != std::string::npos;
       at = error.message.find(secret, at))
    error.message.replace(at, secret.size(), "…");
  return error;
}

base::Result<std::unique_ptr<TokenSource>> exchanging(const json::Value& value,
                                                      std::string_view scope, Subject subject,
                                                      const Outside& outside) {
  TRY(const auto url, text_of(value, "token_url"));
  TRY(auto request, near_or_https(url, "token_url", Near::kThisMachine));
  TRY(const auto audience, text_of(value, "audience"));
  TRY(const auto type, text_of(value, "subject_token_type"));
  Pairs fields = {{"grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"},
                  {"requested_token_type", "urn:ietf:params:oauth:token-type:access_token"},
                  {"audience", audience},
                  {"scope", std::string(scope)},
                  {"subject_token_type", type}};
  if (const auto project = json::get_string(value, "workforce_pool_user_project")) {
    json::Value options;
    options["userProject"] = *project;
    fields.emplace_back("options", json::print(options));
  }
  request.method = "POST";
  request.set("Content-Type", "application/x-www-form-urlencoded");
  if (const auto id = json::get_string(value, "client_id"))
    request.set("Authorization",
                "Basic " + base::encode_base64(
                               *id + ":" + json::get_string(value, "client_secret").value_or("")));
  return fetched_token(
      [request, fields, subject = std::move(subject), asker = make_asker(outside, kAttempt)](
          base::Instant now, const Call& call) -> base::Result<Token> {
        TRY(const auto token, subject(call));
        auto all = fields;
        all.emplace_back("subject_token", token);
        auto with = request;
        with.body = to_form(all);
        const auto reply = asker->ask(with, "the token exchange", call);
        if (!reply) return std::unexpected(without(reply.error(), token));
        return parse_token(reply->body, now);
      });
}

// ---- Given for a service account's. ------------------------------------------------------------

struct Impersonation {
  Request request;
  std::string account;  // as its URL names it
};

base::Result<Impersonation> impersonation_of(const json::Value& value, std::int64_t seconds) {
  constexpr std::string_view kUrl = "service_account_impersonation_url",
                             kVerb = ":generateAccessToken";
  TRY(const auto url, text_of(value, kUrl));
  TRY(auto request, near_or_https(url, kUrl, Near::kThisMachine));
  if (!request.path.ends_with(kVerb)) return bad(kUrl, fmt::format("does not end with {}", kVerb));
  json::Value body;
  if (const auto* delegates = value.find("delegates");
      delegates != nullptr && !delegates->is_null()) {
    const auto* all = delegates->if_array();
    if (all == nullptr) return bad("delegates", "is no array");
    for (const auto& one : *all)
      if (!one.is_string()) return bad("delegates", "has what is no string");
    if (!all->empty()) body["delegates"] = *delegates;
  }
  body["scope"].push_back(kStorageScope);
  body["lifetime"] = fmt::format("{}s", seconds);
  request.method = "POST";
  request.body = json::print(body);
  request.set("Content-Type", "application/json");
  const auto slash = request.path.rfind('/') + 1;
  auto account = request.path.substr(slash, request.path.size() - kVerb.size() - slash);
  return Impersonation{std::move(request), std::move(account)};
}

std::unique_ptr<TokenSource> impersonating(Impersonation as, std::unique_ptr<TokenSource> source,
                                           const Outside& outside) {
  // Shared because a std::function must be copyable.
  return fetched_token([as = std::move(as), asker = make_asker(outside, kAttempt),
                        source = std::shared_ptr<TokenSource>(std::move(source))](
                           base::Instant now, const Call& call) -> base::Result<Token> {
    TRY(const auto own, source->get(now, call));
    auto request = as.request;
    request.set("Authorization", "Bearer " + own);
    const auto reply = asker->ask(request, "service account " + quoted(as.account), call);
    if (!reply) {
      if (reply.error().code == Code::kPermissionDenied) source->refused(own);
      return std::unexpected(without(reply.error(), own));
    }
    return parse_impersonated(reply->body, now);
  });
}

}  // namespace

base::Result<std::unique_ptr<TokenSource>> by_external_account(const json::Value& value,
                                                               std::string_view scope,
                                                               const Surroundings& around,
                                                               const Outside& outside) {
  constexpr std::string_view kLife = "service_account_impersonation.token_lifetime_seconds";
  const auto* url = value.find("service_account_impersonation_url");
  const bool impersonates = url != nullptr && !url->is_null();
  TRY(auto subject, subject_of(value, around, outside));
  TRY(auto source,
      exchanging(value, impersonates ? kCloudScope : scope, std::move(subject), outside));
  if (!impersonates) return source;
  std::int64_t seconds = kUsual;
  if (value.at(kLife) != nullptr) {
    seconds = json::get_int(value, kLife).value_or(0);
    if (seconds < kShortest || seconds > kLongest)
      return bad(kLife, fmt::format("is not {} to {}", kShortest, kLongest));
  }
  TRY(auto as, impersonation_of(value, seconds));
  return impersonating(std::move(as), std::move(source), outside);
}

base::Result<std::unique_ptr<TokenSource>> by_impersonation(const json::Value& value,
                                                            std::unique_ptr<TokenSource> source,
                                                            const Outside& outside) {
  TRY(auto as, impersonation_of(value, kUsual));
  return impersonating(std::move(as), std::move(source), outside);
}

base::Result<Token> parse_impersonated(std::string_view text, base::Instant now) {
  const auto value = json::parse(text);
  if (!value) return base::fail(Code::kDataLoss, "the answer with the token is no JSON");
  auto token = json::get_string(*value, "accessToken").value_or("");
  const auto end = base::parse_rfc3339(json::get_string(*value, "expireTime").value_or(""));
  if (token.empty() || token.find_first_of("\r\n ") != std::string::npos || !end || *end <= now)
    return base::fail(Code::kDataLoss, "the answer has no token that holds for some time");
  return Token{.value = std::move(token), .expires = *end};
}

}  // namespace objstore::gcs
