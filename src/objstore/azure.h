// Azure Blob Storage: block blobs of one container.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "objstore/courier.h"
#include "objstore/protocol.h"
#include "objstore/token.h"

namespace objstore {

struct AzureKey {
  std::string key = {};  // base64; secret
};
struct AzureSas {
  std::string query = {};  // "sv=…&sig=…", with or without '?'; secret
};
// The third: a token of Entra ID.
using AzureProof = std::variant<AzureKey, AzureSas, std::shared_ptr<TokenSource>>;

struct AzureOptions {
  std::string account = {}, container = {};
  std::string prefix = {};  // the store's root in it
  // "https://host[:port][/account]"; empty: the account's own in the public cloud.
  std::string endpoint = {};
  std::string suffix = "core.windows.net";  // of other clouds: "core.chinacloudapi.cn"
  std::string tier = {};                    // "Cool"; empty: as the account says
  std::string encryption_scope = {};
  std::uint64_t part_bytes = std::uint64_t{8} << 20;
  Courier::Options courier = {};
};

// InvalidArgument names the option; the key must be base64.
base::Result<std::unique_ptr<Protocol>> make_azure(const AzureOptions& options, AzureProof proof);
base::Result<std::unique_ptr<Store>> open_azure(const AzureOptions& options, AzureProof proof,
                                                Outside outside);

// The parts of a connection string: "AccountName=…;AccountKey=…;EndpointSuffix=…".
struct AzureConnection {
  AzureOptions options;  // account and endpoint
  AzureProof proof;
};
base::Result<AzureConnection> parse_connection_string(std::string_view text);

namespace azure {

// Adds x-ms-date, x-ms-version and Authorization over the request. `key` is not base64 any more.
void sign_shared_key(Request& request, const std::string& account, const std::string& key,
                     base::Instant at);
std::optional<Failure> judge(const Request& request, const http::Reply& reply, base::Instant now);
base::Result<Page> parse_page(std::string_view xml);

}  // namespace azure
}  // namespace objstore
