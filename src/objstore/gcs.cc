#include "objstore/gcs.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/base64.h"
#include "base/text.h"
#include "http/escape.h"
#include "json/json.h"
#include "objstore/bucket_path.h"
#include "objstore/cloud_store.h"
#include "objstore/refusal.h"
#include "pki/digest.h"

namespace objstore {
namespace {

using base::Code;

constexpr std::string_view kNonce = "etcd-operator-put";
constexpr std::uint64_t kUnit = std::uint64_t{256} << 10;  // parts are multiples of it
constexpr int kGoesOn = 308, kCancelled = 499;
// No letters but these come into a boundary, and none of our texts holds it.
constexpr std::string_view kBoundary = "etcd-operator-7b1c0d5e9f";

constexpr std::array kMeanings = {
    Meaning{"rateLimitExceeded", Code::kUnavailable, true},
    Meaning{"userRateLimitExceeded", Code::kUnavailable, true},
    Meaning{"backendError", Code::kUnavailable, true},
    Meaning{"quotaExceeded", Code::kResourceExhausted},
    Meaning{"conditionNotMet", Code::kAborted},
    Meaning{"retentionPolicyNotMet", Code::kFailedPrecondition},
    Meaning{"objectUnderActiveHold", Code::kFailedPrecondition},
    Meaning{"noSuchBucket", Code::kFailedPrecondition},
    Meaning{"accountDisabled", Code::kPermissionDenied},
};

std::string hint(Code code) {
  switch (code) {
    case Code::kPermissionDenied:
      return "check the service account and its roles (Storage Object Admin on this bucket)";
    case Code::kFailedPrecondition:
      return "check the name of the bucket, its retention policy and holds";
    case Code::kUnavailable:
    case Code::kDeadlineExceeded:
      return "check the endpoint, the network and any proxy in between";
    case Code::kResourceExhausted:
      return "check the quotas of the project";
    default:
      return "";
  }
}

void set_generation(Request& request, const Condition& condition) {
  if (condition.when == When::kAbsent) request.query.emplace_back("ifGenerationMatch", "0");
  if (condition.when == When::kSame) request.query.emplace_back("ifGenerationMatch", condition.tag);
}

bool is_session(const Request& request) {
  return std::ranges::any_of(request.query,
                             [](const auto& pair) { return pair.first == "upload_id"; }) ||
         !request.header("Content-Range").empty();
}

// "https://host/path?a=b" of a Location, on the same server as `server` only: the token goes there.
base::Result<Request> parse_session(const std::string& server, std::string_view location) {
  if (!location.starts_with(server) || location.size() <= server.size() ||
      location[server.size()] != '/')
    return base::fail(Code::kFailedPrecondition,
                      "the server gives an address of another server for the upload");
  location.remove_prefix(server.size());
  const auto question = std::min(location.find('?'), location.size());
  Request request{
      .method = "PUT", .server = server, .path = std::string(location.substr(0, question))};
  for (const auto pair :
       base::split(location.substr(std::min(question + 1, location.size())), '&')) {
    const auto middle = std::min(pair.find('='), pair.size());
    const auto value = pair.substr(std::min(middle + 1, pair.size()));
    request.query.emplace_back(pair.substr(0, middle),
                               http::unescape(value).value_or(std::string(value)));
  }
  return request;
}

class GcsParts final : public Parts {
 public:
  GcsParts(Request begin, std::string server)
      : begin_(std::move(begin)), server_(std::move(server)) {}

  std::optional<Request> begin() override { return begin_; }
  base::Status begun(const http::Reply& reply) override {
    const auto location = reply.headers.find("location");
    if (location == reply.headers.end())
      return base::fail(Code::kDataLoss, "the upload that was begun has no address");
    TRY(session_, parse_session(server_, location->second));
    return {};
  }
  Request part(std::uint64_t offset, std::string_view bytes) override {
    return chunk(offset, bytes, "*");
  }
  base::Result<std::uint64_t> sent(const http::Reply& reply) override {
    // Nothing of it is stored where there is no range.
    const auto range = reply.headers.find("range");
    if (range == reply.headers.end()) return 0U;
    const auto dash = range->second.rfind('-');
    const auto last = base::parse_int(
        std::string_view(range->second).substr(dash == std::string::npos ? 0 : dash + 1));
    if (!range->second.starts_with("bytes=0-") || !last || *last < 0)
      return base::fail(Code::kDataLoss, "the server does not say what it has of the upload");
    return static_cast<std::uint64_t>(*last) + 1;
  }
  std::optional<Request> last_part(std::uint64_t offset, std::string_view bytes) override {
    return chunk(offset, bytes, std::to_string(offset + bytes.size()));
  }
  std::optional<Request> finish() override { return std::nullopt; }
  std::optional<Request> abandon() override {
    if (session_.server.empty()) return std::nullopt;
    auto request = session_;
    request.method = "DELETE";
    return request;
  }

 private:
  Request chunk(std::uint64_t offset, std::string_view bytes, const std::string& total) const {
    auto request = session_;
    request.body = bytes;
    request.set("Content-Type", "application/octet-stream");
    request.set("Content-Range",
                fmt::format("bytes {}-{}/{}", offset, offset + bytes.size() - 1, total));
    return request;
  }
  const Request begin_;
  const std::string server_;
  Request session_;
};

class Gcs final : public Protocol {
 public:
  Gcs(GcsOptions options, std::unique_ptr<TokenSource> tokens)
      : options_(std::move(options)), tokens_(std::move(tokens)) {}

  [[nodiscard]] std::string name() const override { return "gs://" + options_.bucket; }
  [[nodiscard]] std::string (*hint() const)(Code) override { return objstore::hint; }
  [[nodiscard]] std::uint64_t part_bytes(std::uint64_t) const override {
    return std::max(kUnit, options_.part_bytes / kUnit * kUnit);
  }

  [[nodiscard]] Request stat(const std::string& key) const override {
    return {.path = path_of(key)};
  }
  [[nodiscard]] Request get(const std::string& key, const Range& range) const override {
    Request request{.path = path_of(key), .query = {{"alt", "media"}}};
    if (!range.tag.empty()) request.query.emplace_back("ifGenerationMatch", range.tag);
    set_range(request, {.offset = range.offset, .length = range.length});
    return request;
  }
  [[nodiscard]] Request put(const NewObject& object, std::string_view bytes) const override {
    Request request{.method = "POST", .path = uploads(), .query = {{"uploadType", "multipart"}}};
    set_generation(request, object.condition);
    describe(request);
    auto about = about_object(object);
    about["md5Hash"] = base::encode_base64(pki::md5(bytes));
    request.body = fmt::format(
        "--{0}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n{1}\r\n--{0}\r\n"
        "Content-Type: {2}\r\n\r\n",
        kBoundary, json::print(about), object.content_type);
    request.body += bytes;
    request.body += fmt::format("\r\n--{}--\r\n", kBoundary);
    request.set("Content-Type", fmt::format("multipart/related; boundary={}", kBoundary));
    return request;
  }
  [[nodiscard]] Request remove(const std::string& key) const override {
    return {.method = "DELETE", .path = path_of(key)};
  }
  [[nodiscard]] Request list(const ListOptions& options) const override {
    Request request{.path = "/storage/v1/b/" + options_.bucket + "/o"};
    request.query = {{"prefix", options.prefix},
                     {"maxResults", std::to_string(options.limit)},
                     {"fields", "nextPageToken,items(name,size,updated,generation)"}};
    if (!options.page.empty()) request.query.emplace_back("pageToken", options.page);
    return request;
  }
  [[nodiscard]] std::unique_ptr<Parts> parts(const NewObject& object) const override {
    Request begin{.method = "POST", .path = uploads(), .query = {{"uploadType", "resumable"}}};
    set_generation(begin, object.condition);
    describe(begin);
    begin.body = json::print(about_object(object));
    begin.set("Content-Type", "application/json; charset=UTF-8");
    begin.set("X-Upload-Content-Type", object.content_type);
    return std::make_unique<GcsParts>(std::move(begin), options_.endpoint);
  }
  // Sessions end by themselves after a week.
  [[nodiscard]] std::optional<Request> unfinished(const std::string&,
                                                  const std::string&) const override {
    return std::nullopt;
  }
  [[nodiscard]] Request abandon(const Unfinished& upload) const override {
    return remove(upload.key);
  }

  [[nodiscard]] base::Result<Object> object_of(const http::Reply& reply) const override {
    return gcs::parse_object(reply.body);
  }
  [[nodiscard]] std::string nonce_of(const http::Reply& reply) const override {
    const auto about = json::parse(reply.body);
    const auto* metadata = about ? about->find("metadata") : nullptr;
    const auto* nonce = metadata == nullptr ? nullptr : metadata->find(kNonce);
    return nonce == nullptr ? "" : nonce->as_string().value_or("");
  }
  [[nodiscard]] base::Result<Page> page_of(const http::Reply& reply) const override {
    return gcs::parse_page(reply.body);
  }
  [[nodiscard]] base::Result<UnfinishedPage> unfinished_of(const http::Reply&) const override {
    return UnfinishedPage{};
  }

  base::Status sign(Request& request, base::Instant now, const Call& call) override {
    if (request.server.empty()) request.server = options_.endpoint;
    if (tokens_ == nullptr) return {};
    TRY_IN("credentials", const auto token, tokens_->get(now, call));
    request.set("Authorization", "Bearer " + token);
    return {};
  }
  std::optional<Failure> judge(const Request& request, const http::Reply& reply,
                               base::Instant now) override {
    auto failure = gcs::judge(request, reply, now);
    if (failure && reply.status == 401 && tokens_ != nullptr)
      failure->learnt = tokens_->refused(std::string(request.header("Authorization").substr(7)));
    return failure;
  }

 private:
  [[nodiscard]] std::string path_of(const std::string& key) const {
    return "/storage/v1/b/" + options_.bucket + "/o/" + http::escape(key);
  }
  [[nodiscard]] std::string uploads() const {
    return "/upload/storage/v1/b/" + options_.bucket + "/o";
  }
  void describe(Request& request) const {
    if (!options_.kms_key.empty()) request.query.emplace_back("kmsKeyName", options_.kms_key);
  }
  [[nodiscard]] json::Value about_object(const NewObject& object) const {
    json::Value about;
    about["name"] = object.key;
    about["contentType"] = object.content_type;
    about["metadata"][kNonce] = object.nonce;
    if (!options_.storage_class.empty()) about["storageClass"] = options_.storage_class;
    return about;
  }

  const GcsOptions options_;
  const std::unique_ptr<TokenSource> tokens_;
};

base::Result<Object> object_of_json(const json::Value& value) {
  Object object;
  TRY(object.key, json::get_string(value, "name"));
  TRY(object.tag, json::get_string(value, "generation"));
  TRY(const auto size, json::get_string(value, "size"));
  const auto number = base::parse_int(size);
  if (!number || *number < 0 || object.key.empty() || object.tag.empty())
    return base::fail(Code::kDataLoss, "an object without a name, a size or a generation");
  object.size = static_cast<std::uint64_t>(*number);
  TRY(const auto updated, json::get_string(value, "updated"));
  TRY(object.modified, base::parse_rfc3339(updated));
  return object;
}

}  // namespace

namespace gcs {

std::optional<Failure> judge(const Request& request, const http::Reply& reply, base::Instant now) {
  if (reply.status >= 200 && reply.status <= 299) return std::nullopt;
  if (reply.status == kGoesOn && is_session(request)) return std::nullopt;
  if (reply.status == kCancelled && request.method == "DELETE") return std::nullopt;
  Refusal refusal{.status = reply.status};
  if (const auto body = json::parse(reply.body)) {
    refusal.words = json::get_string(*body, "error.message").value_or("");
    refusal.reason = json::get_string(*body, "error.errors.0.reason").value_or("");
  }
  // One word for both: that the object is absent, and that the bucket is.
  if (reply.status == 404 && refusal.words.find("bucket does not exist") != std::string::npos)
    refusal.reason = "noSuchBucket";
  return failure_of(request, reply, refusal, kMeanings, now);
}

base::Result<Object> parse_object(std::string_view text) {
  auto value = json::parse(text);
  if (!value) return base::fail(Code::kDataLoss, "the answer is no JSON: " + value.error().message);
  auto object = object_of_json(*value);
  if (!object) return base::fail(Code::kDataLoss, "the answer: " + object.error().message);
  return object;
}

base::Result<Page> parse_page(std::string_view text) {
  const auto value = json::parse(text);
  if (!value || !value->is_object())
    return base::fail(Code::kDataLoss, "the answer is no list of objects");
  Page page;
  if (const auto* items = value->find("items")) {
    if (!items->is_array()) return base::fail(Code::kDataLoss, "the answer: items is no list");
    for (const auto& item : *items->if_array()) {
      auto object = object_of_json(item);
      if (!object) return base::fail(Code::kDataLoss, "the answer: " + object.error().message);
      page.objects.push_back(*std::move(object));
    }
  }
  page.next = json::get_string(*value, "nextPageToken").value_or("");
  return page;
}

}  // namespace gcs

base::Result<std::unique_ptr<Protocol>> make_gcs(const GcsOptions& options,
                                                 std::unique_ptr<TokenSource> tokens) {
  TRY_OK(check_bucket(options.bucket));
  auto checked = options;
  while (checked.endpoint.ends_with('/')) checked.endpoint.pop_back();
  const auto scheme = checked.endpoint.find("://");
  const auto& endpoint = checked.endpoint;
  if ((!endpoint.starts_with("http://") && !endpoint.starts_with("https://")) ||
      endpoint.size() <= scheme + 3 ||
      endpoint.find_first_of("/?#@ ", scheme + 3) != std::string::npos)
    return base::fail(Code::kInvalidArgument, "the endpoint is no http[s]://HOST[:PORT]");
  return std::make_unique<Gcs>(std::move(checked), std::move(tokens));
}

base::Result<std::unique_ptr<Store>> open_gcs(const GcsOptions& options,
                                              std::unique_ptr<TokenSource> tokens,
                                              Outside outside) {
  if (!options.prefix.empty()) TRY_OK(check_key(options.prefix));
  TRY(auto protocol, make_gcs(options, std::move(tokens)));
  return std::make_unique<CloudStore>(std::move(protocol), options.prefix, std::move(outside),
                                      options.courier);
}

}  // namespace objstore
