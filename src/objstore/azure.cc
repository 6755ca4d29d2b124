#include "objstore/azure.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "base/base64.h"
#include "base/text.h"
#include "http/date.h"
#include "http/escape.h"
#include "objstore/cloud_store.h"
#include "objstore/refusal.h"
#include "objstore/xml.h"
#include "pki/digest.h"

namespace objstore {
namespace {

using base::Code;

constexpr std::string_view kVersion = "2021-12-02";
constexpr std::string_view kNonce = "x-ms-meta-etcd_operator_put";
constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::uint64_t kMostParts = 45'000;  // it takes 50,000

constexpr std::array kMeanings = {
    Meaning{"BlobNotFound", Code::kNotFound},
    Meaning{"ContainerNotFound", Code::kFailedPrecondition},
    Meaning{"ContainerBeingDeleted", Code::kFailedPrecondition},
    Meaning{"ContainerDisabled", Code::kFailedPrecondition},
    Meaning{"BlobAlreadyExists", Code::kAlreadyExists},
    Meaning{"ConditionNotMet", Code::kAborted},
    Meaning{"TargetConditionNotMet", Code::kAborted},
    Meaning{"BlobImmutableDueToPolicy", Code::kFailedPrecondition},
    Meaning{"LeaseIdMissing", Code::kFailedPrecondition},
    Meaning{"LeaseIdMismatchWithBlobOperation", Code::kFailedPrecondition},
    Meaning{"SnapshotsPresent", Code::kFailedPrecondition},
    Meaning{"Md5Mismatch", Code::kDataLoss, true},
    Meaning{"InvalidMd5", Code::kDataLoss, true},
    Meaning{"InvalidAuthenticationInfo", Code::kPermissionDenied},
    Meaning{"NoAuthenticationInformation", Code::kPermissionDenied},
    Meaning{"InvalidBlockList", Code::kAborted},
    Meaning{"ServerBusy", Code::kUnavailable, true},
    Meaning{"OperationTimedOut", Code::kUnavailable, true},
};

std::string hint(Code code) {
  switch (code) {
    case Code::kPermissionDenied:
      return "check the storage account, its key, the end of the SAS, or the role of the identity "
             "(Storage Blob Data Contributor), and the account's firewall";
    case Code::kFailedPrecondition:
      return "check the name of the container, its immutability policies and leases, the endpoint "
             "and its certificate";
    case Code::kUnavailable:
    case Code::kDeadlineExceeded:
      return "check the endpoint, the network and any proxy in between";
    case Code::kResourceExhausted:
      return "check the capacity of the storage account";
    default:
      return "";
  }
}

Request with_body(std::string path, std::string_view bytes, const std::string& type) {
  Request request{.method = "PUT", .path = std::move(path), .body = std::string(bytes)};
  request.set("Content-Type", type.empty() ? "application/octet-stream" : type);
  request.set("Content-MD5", base::encode_base64(pki::md5(bytes)));
  return request;
}

class AzureParts final : public Parts {
 public:
  AzureParts(Request finish, std::string nonce)
      : finish_(std::move(finish)), nonce_(std::move(nonce)) {}

  std::optional<Request> begin() override { return std::nullopt; }
  base::Status begun(const http::Reply&) override { return {}; }
  Request part(std::uint64_t offset, std::string_view bytes) override {
    end_ = offset + bytes.size();
    // Writers of one name share its blocks that are not committed: each has ids of its own.
    next_ = base::encode_base64(fmt::format("{}-{:06}", nonce_, ids_.size()));
    auto request = with_body(finish_.path, bytes, "");
    request.query = {{"comp", "block"}, {"blockid", next_}};
    return request;
  }
  base::Result<std::uint64_t> sent(const http::Reply&) override {
    ids_.push_back(next_);
    return end_;
  }
  std::optional<Request> last_part(std::uint64_t, std::string_view) override {
    return std::nullopt;
  }
  std::optional<Request> finish() override {
    std::string xml = "<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>";
    for (const auto& id : ids_) xml += "<Latest>" + id + "</Latest>";
    xml += "</BlockList>";
    auto request = finish_;
    request.body = std::move(xml);
    request.set("Content-Type", "application/xml");
    request.query = {{"comp", "blocklist"}};
    return request;
  }
  std::optional<Request> abandon() override { return std::nullopt; }  // gone after a week

 private:
  const Request finish_;
  const std::string nonce_;
  std::string next_;
  std::vector<std::string> ids_;
  std::uint64_t end_ = 0;
};

struct AzurePlace {
  std::string server, folder;  // "https://host:port", "" or "/account"
};

class Azure final : public Protocol {
 public:
  Azure(AzureOptions options, AzurePlace place, AzureProof proof, std::string key)
      : options_(std::move(options)),
        place_(std::move(place)),
        proof_(std::move(proof)),
        key_(std::move(key)) {}

  [[nodiscard]] std::string name() const override {
    return "azblob://" + options_.account + "/" + options_.container;
  }
  [[nodiscard]] std::string (*hint() const)(Code) override { return objstore::hint; }
  [[nodiscard]] std::uint64_t part_bytes(std::uint64_t expected) const override {
    return std::max(options_.part_bytes, (expected / kMostParts / kMiB + 1) * kMiB);
  }

  [[nodiscard]] Request stat(const std::string& key) const override {
    return {.method = "HEAD", .path = path_of(key)};
  }
  [[nodiscard]] Request get(const std::string& key, const Range& range) const override {
    Request request{.path = path_of(key)};
    set_range(request, range);
    return request;
  }
  [[nodiscard]] Request put(const NewObject& object, std::string_view bytes) const override {
    auto request = with_body(path_of(object.key), bytes, object.content_type);
    request.set("x-ms-blob-type", "BlockBlob");
    describe(request, object);
    return request;
  }
  [[nodiscard]] Request remove(const std::string& key) const override {
    return {.method = "DELETE", .path = path_of(key)};
  }
  [[nodiscard]] Request list(const ListOptions& options) const override {
    Request request{.path = place_.folder + "/" + options_.container};
    request.query = {{"restype", "container"},
                     {"comp", "list"},
                     {"prefix", options.prefix},
                     {"maxresults", std::to_string(options.limit)}};
    if (!options.page.empty()) request.query.emplace_back("marker", options.page);
    return request;
  }
  [[nodiscard]] std::unique_ptr<Parts> parts(const NewObject& object) const override {
    Request finish{.method = "PUT", .path = path_of(object.key)};
    finish.set("x-ms-blob-content-type", object.content_type);
    describe(finish, object);
    return std::make_unique<AzureParts>(std::move(finish), object.nonce);
  }
  [[nodiscard]] std::optional<Request> unfinished(const std::string&,
                                                  const std::string&) const override {
    return std::nullopt;
  }
  [[nodiscard]] Request abandon(const Unfinished& upload) const override {
    return remove(upload.key);
  }

  [[nodiscard]] base::Result<Object> object_of(const http::Reply& reply) const override {
    return object_of_headers(reply);
  }
  [[nodiscard]] std::string nonce_of(const http::Reply& reply) const override {
    const auto found = reply.headers.find(kNonce);
    return found == reply.headers.end() ? std::string() : found->second;
  }
  [[nodiscard]] base::Result<Page> page_of(const http::Reply& reply) const override {
    return azure::parse_page(reply.body);
  }
  [[nodiscard]] base::Result<UnfinishedPage> unfinished_of(const http::Reply&) const override {
    return UnfinishedPage{};
  }

  base::Status sign(Request& request, base::Instant now, const Call& call) override {
    request.server = place_.server;
    if (std::holds_alternative<AzureKey>(proof_)) {
      azure::sign_shared_key(request, options_.account, key_, now);
      return {};
    }
    request.set("x-ms-version", std::string(kVersion));
    if (const auto* sas = std::get_if<AzureSas>(&proof_)) {
      std::string_view rest = sas->query;
      if (rest.starts_with('?')) rest.remove_prefix(1);
      for (const auto pair : base::split(rest, '&')) {
        const auto middle = std::min(pair.find('='), pair.size());
        const auto value = pair.substr(std::min(middle + 1, pair.size()));
        request.query.emplace_back(pair.substr(0, middle),
                                   http::unescape(value).value_or(std::string(value)));
      }
      return {};
    }
    TRY_IN("credentials", const auto token,
           std::get<std::shared_ptr<TokenSource>>(proof_)->get(now, call));
    request.set("Authorization", "Bearer " + token);
    return {};
  }

  std::optional<Failure> judge(const Request& request, const http::Reply& reply,
                               base::Instant now) override {
    auto failure = azure::judge(request, reply, now);
    if (const auto* token = std::get_if<std::shared_ptr<TokenSource>>(&proof_);
        failure && token != nullptr && reply.status == 401)
      failure->learnt = (*token)->refused(std::string(request.header("Authorization").substr(7)));
    return failure;
  }

 private:
  [[nodiscard]] std::string path_of(const std::string& key) const {
    return place_.folder + "/" + options_.container + "/" + http::escape(key, "/");
  }
  void describe(Request& request, const NewObject& object) const {
    request.set(std::string(kNonce), object.nonce);
    set_condition(request, object.condition);
    if (!options_.tier.empty()) request.set("x-ms-access-tier", options_.tier);
    if (!options_.encryption_scope.empty())
      request.set("x-ms-encryption-scope", options_.encryption_scope);
  }

  const AzureOptions options_;
  const AzurePlace place_;
  const AzureProof proof_;
  const std::string key_;  // of the account; secret
};

bool is_word(std::string_view text, size_t most) {
  return !text.empty() && text.size() <= most && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '$';
  });
}

base::Result<AzurePlace> place_of(const AzureOptions& options) {
  if (options.endpoint.empty())
    return AzurePlace{.server = fmt::format("https://{}.blob.{}", options.account, options.suffix),
                      .folder = {}};
  std::string_view rest = options.endpoint;
  while (rest.ends_with('/')) rest.remove_suffix(1);
  const auto scheme = rest.starts_with("http://") ? size_t{7} : size_t{8};
  if (!rest.starts_with("http://") && !rest.starts_with("https://"))
    return base::fail(Code::kInvalidArgument, "the endpoint is no http[s]://HOST[:PORT][/ACCOUNT]");
  if (rest.size() <= scheme || rest.find_first_of("?#@ ") != std::string_view::npos)
    return base::fail(Code::kInvalidArgument, "the endpoint is no http[s]://HOST[:PORT][/ACCOUNT]");
  const auto slash = std::min(rest.find('/', scheme), rest.size());
  return AzurePlace{.server = std::string(rest.substr(0, slash)),
                    .folder = std::string(rest.substr(slash))};
}

}  // namespace

namespace azure {

void sign_shared_key(Request& request, const std::string& account, const std::string& key,
                     base::Instant at) {
  request.set("x-ms-date", http::to_http_date(at));
  request.set("x-ms-version", std::string(kVersion));
  std::map<std::string, std::string> ours;
  for (const auto& [name, value] : request.headers)
    if (const auto small = in_small_letters(name); small.starts_with("x-ms-"))
      ours[small] = base::trim(value);
  std::string headers, resource = "/" + account + request.path;
  for (const auto& [name, value] : ours) headers += name + ":" + value + "\n";
  auto query = request.query;
  std::ranges::sort(query);
  for (const auto& [name, value] : query) resource += "\n" + in_small_letters(name) + ":" + value;
  const auto length = request.body.empty() ? std::string() : std::to_string(request.body.size());
  std::string to_sign = request.method + "\n";
  for (const std::string_view value :
       {request.header("Content-Encoding"), request.header("Content-Language"),
        std::string_view(length), request.header("Content-MD5"), request.header("Content-Type"),
        std::string_view(), request.header("If-Modified-Since"), request.header("If-Match"),
        request.header("If-None-Match"), request.header("If-Unmodified-Since"),
        request.header("Range")})
    to_sign += std::string(value) + "\n";
  to_sign += headers + resource;
  request.set("Authorization", fmt::format("SharedKey {}:{}", account,
                                           base::encode_base64(pki::hmac_sha256(key, to_sign))));
}

std::optional<Failure> judge(const Request& request, const http::Reply& reply, base::Instant now) {
  if (reply.status >= 200 && reply.status <= 299) return std::nullopt;
  Refusal refusal{.status = reply.status, .skew = std::chrono::minutes(15)};
  if (const auto header = reply.headers.find("x-ms-error-code"); header != reply.headers.end())
    refusal.reason = header->second;
  if (const auto error = parse_xml(reply.body); error && error->name == "Error") {
    if (refusal.reason.empty()) refusal.reason = error->text_at("Code");
    // The first line: the next ones are ids and times.
    const auto words = error->text_at("Message");
    refusal.words = words.substr(0, words.find('\n'));
  }
  return failure_of(request, reply, refusal, kMeanings, now);
}

base::Result<Page> parse_page(std::string_view xml) {
  const auto root = parse_xml(xml);
  if (!root) return base::fail(Code::kDataLoss, "the answer is no XML: " + root.error().message);
  const auto* blobs = root->child("Blobs");
  if (root->name != "EnumerationResults" || blobs == nullptr)
    return base::fail(Code::kDataLoss, "the answer is no list of blobs");
  Page page;
  for (const auto& blob : blobs->children) {
    if (blob.name != "Blob") continue;
    Object object{.key = std::string(blob.text_at("Name"))};
    const auto size = base::parse_int(base::trim(blob.text_at("Properties/Content-Length")));
    const auto at = http::parse_http_date(base::trim(blob.text_at("Properties/Last-Modified")));
    if (object.key.empty() || !size || *size < 0 || !at)
      return base::fail(Code::kDataLoss, "an entry of the list without a name, a size or a time");
    object.size = static_cast<std::uint64_t>(*size);
    object.modified = *at;
    page.objects.push_back(std::move(object));
  }
  page.next = root->text_at("NextMarker");
  return page;
}

}  // namespace azure

base::Result<std::unique_ptr<Protocol>> make_azure(const AzureOptions& options, AzureProof proof) {
  if (!is_word(options.account, 24))
    return base::fail(Code::kInvalidArgument, "the storage account's name is missing or no name");
  if (!is_word(options.container, 63))
    return base::fail(Code::kInvalidArgument,
                      fmt::format("\"{}\" is no name of a container", quoted(options.container)));
  std::string key;
  if (const auto* shared = std::get_if<AzureKey>(&proof)) {
    const auto decoded = base::decode_base64(shared->key);
    if (!decoded || decoded->empty())
      return base::fail(Code::kInvalidArgument, "the storage account's key is not base64");
    key = *decoded;
  }
  TRY(auto place, place_of(options));
  return std::make_unique<Azure>(options, std::move(place), std::move(proof), std::move(key));
}

base::Result<std::unique_ptr<Store>> open_azure(const AzureOptions& options, AzureProof proof,
                                                Outside outside) {
  if (!options.prefix.empty()) TRY_OK(check_key(options.prefix));
  TRY(auto protocol, make_azure(options, std::move(proof)));
  return std::make_unique<CloudStore>(std::move(protocol), options.prefix, std::move(outside),
                                      options.courier);
}

base::Result<AzureConnection> parse_connection_string(std::string_view text) {
  std::map<std::string, std::string> fields;
  for (const auto part : base::split(base::trim(text), ';')) {
    const auto middle = part.find('=');
    if (middle != std::string_view::npos)
      fields[in_small_letters(base::trim(part.substr(0, middle)))] = part.substr(middle + 1);
  }
  AzureConnection out;
  out.options.account = fields["accountname"];
  out.options.endpoint = fields["blobendpoint"];
  if (!fields["endpointsuffix"].empty()) out.options.suffix = fields["endpointsuffix"];
  if (out.options.endpoint.empty() && fields["defaultendpointsprotocol"] == "http")
    out.options.endpoint =
        fmt::format("http://{}.blob.{}", out.options.account, out.options.suffix);
  if (!fields["accountkey"].empty())
    out.proof = AzureKey{.key = fields["accountkey"]};
  else if (!fields["sharedaccesssignature"].empty())
    out.proof = AzureSas{.query = fields["sharedaccesssignature"]};
  else
    return base::fail(Code::kInvalidArgument,
                      "the connection string has neither AccountKey nor SharedAccessSignature");
  // With a SAS only the endpoint may be named: https://account.blob.core.windows.net
  if (out.options.account.empty())
    if (const auto scheme = out.options.endpoint.find("://"); scheme != std::string::npos) {
      const auto host = out.options.endpoint.substr(scheme + 3);
      out.options.account = host.substr(0, host.find('.'));
    }
  return out;
}

}  // namespace objstore
