#include "objstore/open.h"

#include <fmt/format.h>

#include <utility>

#include "base/text.h"
#include "objstore/aws_sources.h"
#include "objstore/azure_sources.h"
#include "objstore/bucket_path.h"
#include "objstore/gcs.h"
#include "objstore/gcs_sources.h"
#include "objstore/local_store.h"
#include "objstore/s3.h"

namespace objstore {
namespace {

using base::Code;
using Opened = base::Result<std::unique_ptr<Store>>;

// A file of the Secret; empty where it is absent.
base::Result<std::string> secret_text(const Where& where, const Surroundings& around,
                                      const std::string& name) {
  auto text = around.read(where.secret + "/" + name);
  if (text || text.error().code == Code::kNotFound) return text.value_or("");
  return std::unexpected(text.error());
}

std::unexpected<base::Error> wrong_secret(const Where& where, std::string_view files) {
  return base::fail(Code::kInvalidArgument,
                    fmt::format("the Secret in {} has none of {}", where.secret, files));
}

base::Result<AwsSetup> aws_of(const Where& where, const Surroundings& around,
                              const Outside& outside) {
  if (where.secret.empty()) return aws_ambient(around, outside);
  AwsFiles files;
  TRY(files.credentials, secret_text(where, around, "credentials"));
  TRY(files.config, secret_text(where, around, "config"));
  if (!files.credentials.empty() || !files.config.empty())
    return aws_from_files(files, around, outside);
  TRY(const auto id, secret_text(where, around, "accessKeyID"));
  TRY(const auto secret, secret_text(where, around, "accessKeySecret"));
  if (base::trim(id).empty() || base::trim(secret).empty())
    return wrong_secret(where, "credentials, config; accessKeyID with accessKeySecret");
  return AwsSetup{.credentials = fixed_aws_keys({.id = std::string(base::trim(id)),
                                                 .secret = std::string(base::trim(secret))}),
                  .source = "the Secret"};
}

Opened open_s3_kind(const Where& where, std::string_view path, bool oss, const Surroundings& around,
                    const Outside& outside) {
  TRY(const auto place, parse_bucket_path(path));
  TRY(auto setup, aws_of(where, around, outside));
  S3Options options{.bucket = place.bucket,
                    .prefix = place.prefix,
                    .region = where.region.empty() ? setup.region : where.region,
                    .endpoint = where.endpoint.empty() ? setup.endpoint : where.endpoint,
                    .storage_class = where.storage_class,
                    .encryption = where.encryption,
                    .kms_key = where.kms_key};
  options.courier.ca = where.ca;
  if (where.path_style || setup.path_style) options.addressing = Addressing::kPath;
  if (setup.host_style && !where.path_style) options.addressing = Addressing::kHost;
  if (oss && options.endpoint.empty()) options.endpoint = "https://oss-cn-hangzhou.aliyuncs.com";
  return open_s3(options, std::move(setup.credentials), outside);
}

Opened open_gcs_kind(const Where& where, std::string_view path, const Surroundings& around,
                     const Outside& outside) {
  TRY(const auto place, parse_bucket_path(path));
  GcsOptions options{.bucket = place.bucket, .prefix = place.prefix};
  options.courier.ca = where.ca;
  if (!where.endpoint.empty()) options.endpoint = where.endpoint;
  std::unique_ptr<TokenSource> tokens;
  if (where.secret.empty()) {
    TRY(tokens, gcs_ambient(around, outside));
    return open_gcs(options, std::move(tokens), outside);
  }
  TRY(const auto account, secret_text(where, around, "credentials.json"));
  TRY(const auto token, secret_text(where, around, "access-token"));
  if (!base::trim(account).empty()) {
    TRY(tokens, gcs_from_json({"credentials.json", account}, around, outside));
  } else if (!base::trim(token).empty()) {
    tokens = fixed_token(std::string(base::trim(token)));
  } else {
    return wrong_secret(where, "credentials.json, access-token");
  }
  return open_gcs(options, std::move(tokens), outside);
}

Opened open_azure_kind(const Where& where, std::string_view path, const Surroundings& around,
                       const Outside& outside) {
  base::Result<AzureConnection> connection = base::fail(Code::kInternal, "");
  if (where.secret.empty()) {
    connection = azure_ambient(around, outside);
  } else {
    TRY(const auto account, secret_text(where, around, "storage-account"));
    TRY(const auto key, secret_text(where, around, "storage-key"));
    TRY(const auto cloud, secret_text(where, around, "cloud"));
    connection = azure_from_files(account, key, cloud);
  }
  if (!connection) return std::unexpected(connection.error());
  auto options = connection->options;
  const auto slash = std::min(path.find('/'), path.size());
  options.container = path.substr(0, slash);
  options.prefix = path.substr(std::min(slash + 1, path.size()));
  while (options.prefix.ends_with('/')) options.prefix.pop_back();
  if (!where.endpoint.empty()) options.endpoint = where.endpoint;
  options.courier.ca = where.ca;
  return open_azure(options, connection->proof, outside);
}

Opened open_any(const Where& where, const Surroundings& around, const Outside& outside) {
  const std::string_view url = where.url;
  const auto scheme = url.find("://");
  const bool own = where.storage_class.empty() && where.encryption.empty() && where.kms_key.empty();
  if (!own && !url.starts_with("s3://"))
    return base::fail(Code::kInvalidArgument,
                      "a storage class and encryption by the server are of s3:// only");
  if (scheme == std::string_view::npos) return open_local({.root = where.url});
  const auto kind = url.substr(0, scheme), path = url.substr(scheme + 3);
  if (kind == "file") return open_local({.root = std::string(path)});
  if (kind == "s3") return open_s3_kind(where, path, /*oss=*/false, around, outside);
  if (kind == "oss") return open_s3_kind(where, path, /*oss=*/true, around, outside);
  if (kind == "gs") return open_gcs_kind(where, path, around, outside);
  if (kind == "azblob") return open_azure_kind(where, path, around, outside);
  return base::fail(Code::kInvalidArgument,
                    "not s3://, oss://, gs://, azblob://, file:// or the path of a directory");
}

}  // namespace

base::Result<std::unique_ptr<Store>> open_store(const Where& where, const Surroundings& around,
                                                const Outside& outside) {
  auto opened = open_any(where, around, outside);
  if (!opened) return std::unexpected(opened.error().in("open " + quoted(where.url)));
  return opened;
}

}  // namespace objstore
