#include "objstore/azure_sources.h"

#include <fmt/format.h>

#include <utility>

#include "base/text.h"
#include "json/json.h"

namespace objstore {
namespace {

using base::Code;

std::shared_ptr<Asker> make_asker(const Outside& outside) {
  Courier::Options options;
  options.tries = 4;
  options.attempt = base::Duration(10'000);
  options.max_answer = size_t{1} << 20;
  return std::make_shared<Asker>(outside, options);
}

std::unique_ptr<TokenSource> by_workload_identity(const Surroundings& around,
                                                  const Outside& outside) {
  return fetched_token([around, asker = make_asker(outside)](
                           base::Instant now, const Call& call) -> base::Result<Token> {
    // Anew each time: it is replaced long before it ends.
    TRY(const auto assertion, read_trimmed(around, env_of(around, "AZURE_FEDERATED_TOKEN_FILE")));
    auto authority = env_of(around, "AZURE_AUTHORITY_HOST");
    if (authority.empty()) authority = "https://login.microsoftonline.com";
    while (authority.ends_with('/')) authority.pop_back();
    const auto tenant = env_of(around, "AZURE_TENANT_ID");
    TRY(auto request, request_of(fmt::format("{}/{}/oauth2/v2.0/token", authority, tenant),
                                 "AZURE_AUTHORITY_HOST with AZURE_TENANT_ID"));
    request.method = "POST";
    request.body = to_form(
        {{"grant_type", "client_credentials"},
         {"client_id", env_of(around, "AZURE_CLIENT_ID")},
         {"scope", "https://storage.azure.com/.default"},
         {"client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
         {"client_assertion", assertion}});
    request.set("Content-Type", "application/x-www-form-urlencoded");
    TRY(const auto reply, asker->ask(request, "the workload identity", call));
    return azure::parse_token(reply.body, now);
  });
}

std::unique_ptr<TokenSource> by_managed_identity(const Surroundings& around,
                                                 const Outside& outside) {
  return fetched_token([around, asker = make_asker(outside)](
                           base::Instant now, const Call& call) -> base::Result<Token> {
    auto server = env_of(around, "AZURE_POD_IDENTITY_AUTHORITY_HOST");
    if (server.empty()) server = "http://169.254.169.254";
    while (server.ends_with('/')) server.pop_back();
    Request request{
        .server = server,
        .path = "/metadata/identity/oauth2/token",
        .query = {{"api-version", "2018-02-01"}, {"resource", "https://storage.azure.com"}}};
    if (const auto id = env_of(around, "AZURE_CLIENT_ID"); !id.empty())
      request.query.emplace_back("client_id", id);
    request.set("Metadata", "true");
    auto reply = asker->ask(request, "the managed identity", call);
    if (!reply) {
      reply.error().message +=
          "; no credentials were given, and none of this machine were found: check the Secret of "
          "the backup and the identity of the pod or machine";
      return std::unexpected(reply.error());
    }
    return azure::parse_token(reply->body, now);
  });
}

}  // namespace

namespace azure {

base::Result<Token> parse_token(std::string_view text, base::Instant now) {
  const auto value = json::parse(text);
  if (!value) return base::fail(Code::kDataLoss, "the answer with the token is no JSON");
  const auto whole = [&](std::string_view key) -> std::int64_t {
    if (const auto number = json::get_int(*value, key)) return *number;
    return base::parse_int(json::get_string(*value, key).value_or("")).value_or(0);
  };
  auto token = json::get_string(*value, "access_token").value_or("");
  if (token.empty() || token.find_first_of("\r\n ") != std::string::npos)
    return base::fail(Code::kDataLoss, "the answer has no token");
  Token out{.value = std::move(token), .expires = now};
  constexpr std::int64_t kLongest = 7 * 86'400, kLastSecond = 253'402'300'799;
  if (const auto in = whole("expires_in"); in > 0 && in <= kLongest)
    out.expires = now + std::chrono::seconds(in);
  else if (const auto on = whole("expires_on"); on > 0 && on <= kLastSecond)
    out.expires = base::Instant(std::chrono::seconds(on));
  if (out.expires <= now)
    return base::fail(Code::kDataLoss, "the answer has no token that holds for some time");
  return out;
}

}  // namespace azure

base::Result<AzureConnection> azure_from_files(const std::string& account, const std::string& key,
                                               const std::string& cloud) {
  AzureConnection out{.options = {.account = std::string(base::trim(account))},
                      .proof = AzureKey{std::string(base::trim(key))}};
  const auto name = base::trim(cloud);
  if (name == "AzureChinaCloud")
    out.options.suffix = "core.chinacloudapi.cn";
  else if (name == "AzureUSGovernmentCloud")
    out.options.suffix = "core.usgovcloudapi.net";
  else if (name == "AzureGermanCloud")
    out.options.suffix = "core.cloudapi.de";
  else if (!name.empty() && name != "AzurePublicCloud")
    return base::fail(Code::kInvalidArgument,
                      fmt::format("cloud: \"{}\" is not AzurePublicCloud, AzureChinaCloud, "
                                  "AzureUSGovernmentCloud or AzureGermanCloud",
                                  quoted(name)));
  if (out.options.account.empty())
    return base::fail(Code::kInvalidArgument, "storage-account is missing or empty");
  if (base::trim(key).empty())
    return base::fail(Code::kInvalidArgument, "storage-key is missing or empty");
  return out;
}

base::Result<AzureConnection> azure_ambient(const Surroundings& around, const Outside& outside) {
  if (const auto text = env_of(around, "AZURE_STORAGE_CONNECTION_STRING"); !text.empty()) {
    auto parsed = parse_connection_string(text);
    if (!parsed) return std::unexpected(parsed.error().in("AZURE_STORAGE_CONNECTION_STRING"));
    return parsed;
  }
  AzureConnection out{.options = {.account = env_of(around, "AZURE_STORAGE_ACCOUNT")},
                      .proof = AzureKey{}};
  if (out.options.account.empty())
    return base::fail(Code::kPermissionDenied,
                      "no storage account: neither a Secret nor AZURE_STORAGE_ACCOUNT names one");
  const auto key = env_of(around, "AZURE_STORAGE_KEY");
  const auto sas = env_of(around, "AZURE_STORAGE_SAS_TOKEN");
  if (!key.empty())
    out.proof = AzureKey{key};
  else if (!sas.empty())
    out.proof = AzureSas{sas};
  else if (!env_of(around, "AZURE_FEDERATED_TOKEN_FILE").empty())
    out.proof = std::shared_ptr<TokenSource>(by_workload_identity(around, outside));
  else
    out.proof = std::shared_ptr<TokenSource>(by_managed_identity(around, outside));
  return out;
}

}  // namespace objstore
