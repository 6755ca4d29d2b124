#include "objstore/s3.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <utility>

#include "base/base64.h"
#include "base/text.h"
#include "http/escape.h"
#include "objstore/bucket_path.h"
#include "objstore/cloud_store.h"
#include "objstore/s3_words.h"
#include "objstore/xml.h"
#include "pki/digest.h"

namespace objstore {
namespace {

using base::Code;

constexpr std::string_view kNonce = "x-amz-meta-etcd-operator-put";
constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::uint64_t kMostParts = 9'000;  // they take 10,000
constexpr std::string_view kDefaultRegion = "us-east-1";

struct Place {
  std::string scheme = "https://", host = {};  // with a port
  bool aws = false, by_host = false;
};

Request plain(std::string method, std::string path) {
  Request request;
  request.method = std::move(method);
  request.path = std::move(path);
  return request;
}

Request with_body(Request request, std::string_view bytes, const std::string& type) {
  request.body = bytes;
  request.set("Content-Type", type.empty() ? "application/octet-stream" : type);
  // Where an object is locked, the server asks for it.
  request.set("Content-MD5", base::encode_base64(pki::md5(bytes)));
  return request;
}

class S3Parts final : public Parts {
 public:
  S3Parts(Request begin, std::string path, Condition condition)
      : begin_(std::move(begin)), path_(std::move(path)), condition_(std::move(condition)) {}

  std::optional<Request> begin() override { return begin_; }
  base::Status begun(const http::Reply& reply) override {
    TRY(id_, s3::parse_upload_id(reply.body));
    return {};
  }
  Request part(std::uint64_t offset, std::string_view bytes) override {
    end_ = offset + bytes.size();
    auto request = with_body(plain("PUT", path_), bytes, "");
    request.query = {{"partNumber", std::to_string(tags_.size() + 1)}, {"uploadId", id_}};
    return request;
  }
  base::Result<std::uint64_t> sent(const http::Reply& reply) override {
    const auto tag = reply.headers.find("etag");
    if (tag == reply.headers.end() || tag->second.empty())
      return base::fail(Code::kDataLoss, "the answer to a part has no ETag");
    tags_.push_back(tag->second);
    return end_;
  }
  std::optional<Request> last_part(std::uint64_t, std::string_view) override {
    return std::nullopt;
  }
  std::optional<Request> finish() override {
    std::string xml = "<CompleteMultipartUpload>";
    for (size_t i = 0; i < tags_.size(); ++i)
      xml += fmt::format("<Part><PartNumber>{}</PartNumber><ETag>{}</ETag></Part>", i + 1,
                         escape_xml(tags_[i]));
    xml += "</CompleteMultipartUpload>";
    auto request = with_body(plain("POST", path_), xml, "application/xml");
    request.query = {{"uploadId", id_}};
    set_condition(request, condition_);
    return request;
  }
  std::optional<Request> abandon() override {
    if (id_.empty()) return std::nullopt;
    auto request = plain("DELETE", path_);
    request.query = {{"uploadId", id_}};
    return request;
  }

 private:
  const Request begin_;
  const std::string path_;
  const Condition condition_;
  std::string id_;
  std::vector<std::string> tags_;
  std::uint64_t end_ = 0;
};

class S3 final : public Protocol {
 public:
  S3(S3Options options, Place place, std::unique_ptr<AwsCredentials> credentials)
      : options_(std::move(options)),
        place_(std::move(place)),
        credentials_(std::move(credentials)),
        region_(options_.region.empty() ? kDefaultRegion : options_.region) {}

  [[nodiscard]] std::string name() const override { return "s3://" + options_.bucket; }
  [[nodiscard]] std::string (*hint() const)(Code) override { return s3::hint; }
  [[nodiscard]] std::uint64_t part_bytes(std::uint64_t expected) const override {
    const auto needed = (expected / kMostParts / kMiB + 1) * kMiB;
    return std::max({options_.part_bytes, needed, 5 * kMiB});
  }

  [[nodiscard]] Request stat(const std::string& key) const override {
    return plain("HEAD", path_of(key));
  }
  [[nodiscard]] Request get(const std::string& key, const Range& range) const override {
    auto request = plain("GET", path_of(key));
    set_range(request, range);
    return request;
  }
  [[nodiscard]] Request put(const NewObject& object, std::string_view bytes) const override {
    auto request = with_body(plain("PUT", path_of(object.key)), bytes, object.content_type);
    set_condition(request, object.condition);
    describe(request, object);
    return request;
  }
  [[nodiscard]] Request remove(const std::string& key) const override {
    return plain("DELETE", path_of(key));
  }
  [[nodiscard]] Request list(const ListOptions& options) const override {
    auto request = plain("GET", path_of(""));
    request.query = {{"list-type", "2"},
                     {"prefix", options.prefix},
                     {"max-keys", std::to_string(options.limit)},
                     {"encoding-type", "url"}};
    if (!options.page.empty()) request.query.emplace_back("continuation-token", options.page);
    return request;
  }
  [[nodiscard]] std::unique_ptr<Parts> parts(const NewObject& object) const override {
    auto begin = plain("POST", path_of(object.key));
    begin.query = {{"uploads", ""}};
    begin.set("Content-Type", object.content_type);
    describe(begin, object);
    return std::make_unique<S3Parts>(std::move(begin), path_of(object.key), object.condition);
  }
  [[nodiscard]] std::optional<Request> unfinished(const std::string& prefix,
                                                  const std::string& page) const override {
    auto request = plain("GET", path_of(""));
    request.query = {{"uploads", ""}, {"prefix", prefix}, {"encoding-type", "url"}};
    if (const auto middle = page.find('&'); middle != std::string::npos) {
      request.query.emplace_back("key-marker", http::unescape(page.substr(0, middle)).value_or(""));
      request.query.emplace_back("upload-id-marker",
                                 http::unescape(page.substr(middle + 1)).value_or(""));
    }
    return request;
  }
  [[nodiscard]] Request abandon(const Unfinished& upload) const override {
    auto request = plain("DELETE", path_of(upload.key));
    request.query = {{"uploadId", upload.id}};
    return request;
  }

  [[nodiscard]] base::Result<Object> object_of(const http::Reply& reply) const override {
    return object_of_headers(reply);
  }
  [[nodiscard]] std::string nonce_of(const http::Reply& reply) const override {
    const auto found = reply.headers.find(kNonce);
    return found == reply.headers.end() ? std::string() : found->second;
  }
  [[nodiscard]] base::Result<Page> page_of(const http::Reply& reply) const override {
    return s3::parse_page(reply.body);
  }
  [[nodiscard]] base::Result<UnfinishedPage> unfinished_of(
      const http::Reply& reply) const override {
    return s3::parse_uploads(reply.body);
  }

  base::Status sign(Request& request, base::Instant now, const Call& call) override {
    const auto region = this->region();
    request.server = server_of(region);
    TRY_IN("credentials", const auto keys, credentials_->get(now, call));
    if (!keys) return {};
    sign_v4(request, *keys, {.region = region, .service = "s3"}, now);
    request.asked_by = keys->id;
    return {};
  }

  std::optional<Failure> judge(const Request& request, const http::Reply& reply,
                               base::Instant now) override {
    auto failure = s3::judge(request, reply, now);
    if (!failure) return failure;
    if (learn_region(reply))
      failure->learnt = true;
    else if (failure->code == Code::kPermissionDenied && !request.asked_by.empty())
      failure->learnt = credentials_->refused(request.asked_by);
    return failure;
  }

 private:
  [[nodiscard]] std::string region() const {
    const std::scoped_lock lock(mutex_);
    return region_;
  }
  [[nodiscard]] std::string server_of(const std::string& region) const {
    auto host = place_.host;
    if (place_.aws)
      host = fmt::format("s3.{}.amazonaws.com{}", region, region.starts_with("cn-") ? ".cn" : "");
    return place_.scheme + (place_.by_host ? options_.bucket + "." : "") + host;
  }
  [[nodiscard]] std::string path_of(const std::string& key) const {
    const auto path = http::escape(key, "/");
    return place_.by_host ? "/" + path : "/" + options_.bucket + (key.empty() ? "" : "/" + path);
  }
  void describe(Request& request, const NewObject& object) const {
    request.set(std::string(kNonce), object.nonce);
    if (!options_.storage_class.empty()) request.set("x-amz-storage-class", options_.storage_class);
    if (!options_.encryption.empty())
      request.set("x-amz-server-side-encryption", options_.encryption);
    if (!options_.kms_key.empty())
      request.set("x-amz-server-side-encryption-aws-kms-key-id", options_.kms_key);
  }
  // A good answer may come from a region as well; only a refused one sends us elsewhere.
  bool learn_region(const http::Reply& reply) {
    if (reply.status != 301 && reply.status != 307 && reply.status != 400 && reply.status != 403)
      return false;
    const auto told = s3::region_of(reply);
    const std::scoped_lock lock(mutex_);
    if (told.empty() || told == region_) return false;
    region_ = told;
    return true;
  }

  const S3Options options_;
  const Place place_;
  const std::unique_ptr<AwsCredentials> credentials_;
  mutable std::mutex mutex_;
  std::string region_;  // guarded by mutex_
};

base::Result<Place> place_of(const S3Options& options) {
  Place place;
  if (options.endpoint.empty()) {
    place.aws = true;
  } else {
    std::string_view rest = options.endpoint;
    for (const std::string_view scheme : {"https://", "http://"})
      if (rest.starts_with(scheme)) {
        place.scheme = scheme;
        rest.remove_prefix(scheme.size());
      }
    while (rest.ends_with('/')) rest.remove_suffix(1);
    if (rest.empty() || rest.find_first_of("/?#@ ") != std::string_view::npos)
      return base::fail(Code::kInvalidArgument, "the endpoint is no http[s]://HOST[:PORT]");
    place.host = rest;
  }
  const bool names_hosts = place.aws || place.host.find(".amazonaws.com") != std::string::npos ||
                           place.host.find(".aliyuncs.com") != std::string::npos;
  const bool dotted = options.bucket.find('.') != std::string::npos && place.scheme == "https://";
  place.by_host = options.addressing == Addressing::kHost ||
                  (options.addressing == Addressing::kAuto && names_hosts && !dotted);
  return place;
}

bool is_storage_class(std::string_view text) {
  return text.size() <= 64 && text.front() >= 'A' && text.front() <= 'Z' &&
         std::ranges::all_of(text, [](char c) {
           return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
         });
}

bool is_kms_key(std::string_view text) {
  return text.size() <= 2048 &&
         std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f; });
}

// What would be sent in headers.
base::Status check_writes(const S3Options& options) {
  const auto bad = [](std::string text) {
    return base::fail(Code::kInvalidArgument, std::move(text));
  };
  const auto& wanted = options.storage_class;
  if (!wanted.empty() && !is_storage_class(wanted))
    return bad(
        fmt::format("\"{}\" is no storage class: at most 64 of A-Z, 0-9, _ and -, a letter "
                    "first, as in STANDARD_IA",
                    quoted(wanted)));
  if (wanted == "GLACIER" || wanted == "DEEP_ARCHIVE")
    return bad(
        fmt::format("the storage class {} is not read at once, and what is written here is "
                    "read back",
                    wanted));
  const auto& mode = options.encryption;
  if (mode != "" && mode != "AES256" && mode != "aws:kms" && mode != "aws:kms:dsse")
    return bad(
        fmt::format("the encryption by the server \"{}\" is not AES256, aws:kms or "
                    "aws:kms:dsse",
                    quoted(mode)));
  if (options.kms_key.empty()) return {};
  if (!mode.starts_with("aws:kms"))
    return bad("a KMS key is of the encryption aws:kms or aws:kms:dsse only");
  if (!is_kms_key(options.kms_key))
    return bad("the KMS key is no name of one: at most 2048 letters, digits and signs");
  return {};
}

}  // namespace

base::Result<std::unique_ptr<Protocol>> make_s3(const S3Options& options,
                                                std::unique_ptr<AwsCredentials> credentials) {
  TRY_OK(check_bucket(options.bucket));
  if (!options.region.empty() && !s3::is_region(options.region))
    return base::fail(Code::kInvalidArgument,
                      fmt::format("\"{}\" is no name of a region", quoted(options.region)));
  TRY_OK(check_writes(options));
  TRY(auto place, place_of(options));
  return std::make_unique<S3>(options, std::move(place), std::move(credentials));
}

base::Result<std::unique_ptr<Store>> open_s3(const S3Options& options,
                                             std::unique_ptr<AwsCredentials> credentials,
                                             Outside outside) {
  if (!options.prefix.empty()) TRY_OK(check_key(options.prefix));
  TRY(auto protocol, make_s3(options, std::move(credentials)));
  return std::make_unique<CloudStore>(std::move(protocol), options.prefix, std::move(outside),
                                      options.courier);
}

}  // namespace objstore
