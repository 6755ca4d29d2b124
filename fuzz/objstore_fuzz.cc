// Any bytes as the answer of a server of objects: no crash, limits hold, a list that was read names
// its objects, and a region that is learnt can be a part of a host's name.
#include <cstdint>

#include "fuzz/check.h"
#include "http/date.h"
#include "objstore/aws_sources.h"
#include "objstore/azure_sources.h"
#include "objstore/gcs.h"
#include "objstore/gcs_federated.h"
#include "objstore/gcs_sources.h"
#include "objstore/s3_words.h"
#include "objstore/xml.h"

namespace {

using fuzz::require;

void xml(std::string_view text) {
  const auto root = objstore::parse_xml(text, {.bytes = 65536, .depth = 8, .elements = 1000});
  if (!root) return;
  // What was read can be written into a document and comes back.
  const auto again = objstore::parse_xml("<a>" + objstore::escape_xml(root->text) + "</a>");
  require(again && again->text == root->text, "text comes back");
}

void s3(std::string_view text) {
  if (const auto page = objstore::s3::parse_page(text))
    for (const auto& object : page->objects) require(!object.key.empty(), "objects have keys");
  if (const auto page = objstore::s3::parse_uploads(text))
    for (const auto& upload : page->uploads)
      require(!upload.key.empty() && !upload.id.empty(), "uploads have keys and ids");
  if (const auto id = objstore::s3::parse_upload_id(text)) require(!id->empty(), "an id is one");
  const http::Reply reply{.status = 400, .body = std::string(text)};
  const auto region = objstore::s3::region_of(reply);
  require(region.empty() || objstore::s3::is_region(region), "a region is one");
  const auto failure = objstore::s3::judge({.method = "POST"}, reply, {});
  require(failure.has_value() && failure->message.size() < 2000, "a refusal stays one");
}

void others(std::string_view text) {
  using namespace objstore;
  const base::Instant now(std::chrono::days(20'000));
  if (const auto page = azure::parse_page(text))
    for (const auto& object : page->objects) require(!object.key.empty(), "blobs have names");
  if (const auto page = gcs::parse_page(text))
    for (const auto& object : page->objects)
      require(!object.key.empty() && !object.tag.empty(), "objects have names and generations");
  static_cast<void>(gcs::parse_object(text));
  for (const auto& token : {gcs::parse_token(text, now), gcs::parse_impersonated(text, now),
                            azure::parse_token(text, now)})
    require(!token || (!token->value.empty() && token->expires > now), "a token holds");
  for (const auto& keys : {aws::parse_sts(text), aws::parse_keys_json(text)})
    require(!keys || (!keys->value.id.empty() && !keys->value.secret.empty()), "keys are whole");
  const http::Reply reply{.status = 403, .body = std::string(text)};
  require(azure::judge({}, reply, now)->message.size() < 2000, "a refusal is short");
  require(gcs::judge({}, reply, now)->message.size() < 2000, "a refusal is short");
  static_cast<void>(parse_ini(text));
  static_cast<void>(parse_connection_string(text));
  if (const auto request = request_of(std::string(text), "it"))
    require(request->path.starts_with('/'), "a URL has a path");
}

class Noon final : public base::Clock {
 public:
  [[nodiscard]] base::Instant now() const override {
    return base::Instant(std::chrono::days(20'000));
  }
  [[nodiscard]] base::Tick tick() const override { return {}; }
};

// As the Secret of a store has it; nobody is asked before a token is needed.
void credentials(std::string_view text) {
  const Noon clock;
  const objstore::Surroundings around{
      .env = [](const std::string&) { return std::nullopt; },
      .read = [](const std::string& path) -> base::Result<std::string> {
        return base::fail(base::Code::kNotFound, "no " + path);
      }};
  objstore::Outside outside;
  outside.clock = &clock;
  const auto source =
      objstore::gcs_from_json({"credentials.json", std::string(text)}, around, outside);
  require(source ? *source != nullptr : source.error().message.starts_with("credentials.json"),
          "an error names the file");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::text_of(data, size);
  xml(text);
  s3(text);
  others(text);
  credentials(text);
  if (const auto at = http::parse_http_date(text))
    require(http::parse_http_date(http::to_http_date(*at)) == at, "a date comes back");
  static_cast<void>(http::parse_retry_after(text, {}));
  require(objstore::quoted(text).find('\n') == std::string::npos, "words are one line");
  return 0;
}
