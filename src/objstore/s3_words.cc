#include "objstore/s3_words.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"
#include "http/escape.h"
#include "objstore/refusal.h"
#include "objstore/xml.h"

namespace objstore::s3 {
namespace {

using base::Code;

// What the status alone would not tell.
constexpr std::array kMeanings = {
    Meaning{"NoSuchKey", Code::kNotFound},
    Meaning{"NoSuchUpload", Code::kNotFound},
    Meaning{"NoSuchBucket", Code::kFailedPrecondition},
    Meaning{"NoSuchVersion", Code::kNotFound},
    Meaning{"AuthorizationHeaderMalformed", Code::kFailedPrecondition},
    Meaning{"PermanentRedirect", Code::kFailedPrecondition},
    Meaning{"IllegalLocationConstraintException", Code::kFailedPrecondition},
    Meaning{"RequestTimeTooSkewed", Code::kFailedPrecondition},
    Meaning{"ExpiredToken", Code::kPermissionDenied},
    Meaning{"InvalidToken", Code::kPermissionDenied},
    Meaning{"InvalidTokenId", Code::kPermissionDenied},
    Meaning{"XAdminUserNotFound", Code::kPermissionDenied},
    Meaning{"InvalidAccessKeyId", Code::kPermissionDenied},
    Meaning{"ConditionalRequestConflict", Code::kAborted, true},
    Meaning{"OperationAborted", Code::kAborted, true},
    Meaning{"ExistingObjectIsDirectory", Code::kFailedPrecondition},
    Meaning{"ObjectParentIsFile", Code::kFailedPrecondition},
    Meaning{"XMinioParentIsObject", Code::kFailedPrecondition},
    Meaning{"BadDigest", Code::kDataLoss, true},
    Meaning{"InvalidDigest", Code::kDataLoss, true},
    Meaning{"XAmzContentSHA256Mismatch", Code::kDataLoss, true},
    Meaning{"IncompleteBody", Code::kUnavailable, true},
    Meaning{"RequestTimeout", Code::kUnavailable, true},
    Meaning{"SlowDown", Code::kUnavailable, true},
    Meaning{"Throttling", Code::kUnavailable, true},
    Meaning{"XMinioStorageFull", Code::kResourceExhausted},
    Meaning{"QuotaExceeded", Code::kResourceExhausted},
    Meaning{"XMinioAdminBucketQuotaExceeded", Code::kResourceExhausted},
    Meaning{"EntityTooLarge", Code::kResourceExhausted},
    Meaning{"NotImplemented", Code::kUnimplemented},
};

bool is_true(std::string_view text) {
  return base::trim(text) == "true";
}

// With encoding-type=url the names come escaped, and a blank as '+'.
base::Result<std::string> decode(std::string_view text, bool escaped) {
  if (!escaped) return std::string(text);
  std::string blanks(text);
  std::ranges::replace(blanks, '+', ' ');
  auto plain = http::unescape(blanks);
  if (!plain) return base::fail(Code::kDataLoss, "a key in the list is not encoded as it says");
  return *std::move(plain);
}

base::Result<Element> read(std::string_view xml, std::string_view root) {
  auto parsed = parse_xml(xml);
  if (!parsed)
    return base::fail(Code::kDataLoss, "the answer is no XML: " + parsed.error().message);
  if (parsed->name != root)
    return base::fail(Code::kDataLoss,
                      fmt::format("the answer is a <{}>, not a <{}>", quoted(parsed->name), root));
  return parsed;
}

base::Result<base::Instant> read_time(std::string_view text) {
  auto at = base::parse_rfc3339(base::trim(text));
  if (!at) return base::fail(Code::kDataLoss, "a time in the list: " + at.error().message);
  return *at;
}

}  // namespace

bool is_region(std::string_view text) {
  return !text.empty() && text.size() <= 40 && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

std::string region_of(const http::Reply& reply) {
  std::string found;
  if (const auto header = reply.headers.find("x-amz-bucket-region"); header != reply.headers.end())
    found = header->second;
  else if (const auto error = parse_xml(reply.body); error && error->name == "Error")
    found = error->text_at("Region");
  return is_region(found) ? found : std::string();
}

std::optional<Failure> judge(const Request& request, const http::Reply& reply, base::Instant now) {
  const bool good = reply.status >= 200 && reply.status <= 299;
  // Whoever waits long for an answer gets its status before the work is done.
  const bool late = request.method == "POST" && reply.body.find("<Error>") != std::string::npos;
  if (good && !late) return std::nullopt;
  Refusal refusal{.status = good ? 500 : reply.status};
  if (const auto error = parse_xml(reply.body); error && error->name == "Error") {
    refusal.reason = error->text_at("Code");
    refusal.words = error->text_at("Message");
  }
  return failure_of(request, reply, refusal, kMeanings, now);
}

base::Result<Page> parse_page(std::string_view xml) {
  TRY(const auto root, read(xml, "ListBucketResult"));
  const bool escaped = base::trim(root.text_at("EncodingType")) == "url";
  Page page;
  for (const auto& entry : root.children) {
    if (entry.name != "Contents") continue;
    Object object;
    TRY(object.key, decode(entry.text_at("Key"), escaped));
    const auto size = base::parse_int(base::trim(entry.text_at("Size")));
    if (!size || *size < 0 || object.key.empty())
      return base::fail(Code::kDataLoss, "an entry of the list without a key or a size");
    object.size = static_cast<std::uint64_t>(*size);
    TRY(object.modified, read_time(entry.text_at("LastModified")));
    object.tag = entry.text_at("ETag");
    page.objects.push_back(std::move(object));
  }
  if (!is_true(root.text_at("IsTruncated"))) return page;
  page.next = root.text_at("NextContinuationToken");
  if (page.next.empty())
    return base::fail(Code::kDataLoss, "the list goes on, and the server does not say where");
  return page;
}

base::Result<UnfinishedPage> parse_uploads(std::string_view xml) {
  TRY(const auto root, read(xml, "ListMultipartUploadsResult"));
  const bool escaped = base::trim(root.text_at("EncodingType")) == "url";
  UnfinishedPage page;
  for (const auto& entry : root.children) {
    if (entry.name != "Upload") continue;
    Unfinished upload;
    TRY(upload.key, decode(entry.text_at("Key"), escaped));
    upload.id = entry.text_at("UploadId");
    TRY(upload.begun, read_time(entry.text_at("Initiated")));
    if (upload.key.empty() || upload.id.empty())
      return base::fail(Code::kDataLoss, "an upload in the list without a key or an id");
    page.uploads.push_back(std::move(upload));
  }
  if (is_true(root.text_at("IsTruncated")))
    page.next = http::escape(root.text_at("NextKeyMarker")) + "&" +
                http::escape(root.text_at("NextUploadIdMarker"));
  return page;
}

base::Result<std::string> parse_upload_id(std::string_view xml) {
  TRY(const auto root, read(xml, "InitiateMultipartUploadResult"));
  auto id = std::string(root.text_at("UploadId"));
  if (id.empty()) return base::fail(Code::kDataLoss, "the upload that was begun has no id");
  return id;
}

std::string hint(Code code) {
  switch (code) {
    case Code::kPermissionDenied:
      return "check the access key and its secret, whether they are meant for this endpoint, and "
             "what they may do in this bucket";
    case Code::kFailedPrecondition:
      return "check the name of the bucket, its region, the endpoint and its certificate";
    case Code::kUnavailable:
    case Code::kDeadlineExceeded:
      return "check the endpoint, the network and any proxy in between";
    case Code::kResourceExhausted:
      return "check the quota of the bucket and the space of the server";
    case Code::kUnimplemented:
      return "this server cannot do it: another one, or other options";
    default:
      return "";
  }
}

}  // namespace objstore::s3
