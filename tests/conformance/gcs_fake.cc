#include "gcs_fake.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/base64.h"
#include "base/text.h"
#include "http/escape.h"
#include "json/json.h"
#include "pki/digest.h"

namespace conformance {
namespace {

constexpr size_t kUnit = size_t{256} << 10;

http::Reply refusal(int status, const std::string& reason, const std::string& words) {
  json::Value error;
  error["code"] = status;
  error["message"] = words;
  json::Value first;
  first["reason"] = reason;
  error["errors"].push_back(first);
  json::Value body;
  body["error"] = error;
  return {.status = status, .headers = {}, .body = json::print(body)};
}

http::Reply good(const json::Value& body) {
  return {.status = 200, .headers = {}, .body = json::print(body)};
}

std::unexpected<http::Broken> silence() {
  return std::unexpected(http::Broken{{base::Code::kUnavailable, "the line broke"}, /*sent=*/true});
}

struct ContentRange {
  size_t first = 0, last = 0;
  std::optional<size_t> total;
};
std::optional<ContentRange> parse_range(std::string_view text) {
  if (!text.starts_with("bytes ")) return std::nullopt;
  text.remove_prefix(6);
  const auto dash = text.find('-'), slash = text.find('/');
  if (dash == text.npos || slash == text.npos || dash > slash) return std::nullopt;
  const auto first = base::parse_int(text.substr(0, dash));
  const auto last = base::parse_int(text.substr(dash + 1, slash - dash - 1));
  if (!first || !last || *first < 0 || *last < *first) return std::nullopt;
  ContentRange range{.first = static_cast<size_t>(*first),
                     .last = static_cast<size_t>(*last),
                     .total = std::nullopt};
  if (text.substr(slash + 1) != "*") {
    const auto total = base::parse_int(text.substr(slash + 1));
    if (!total) return std::nullopt;
    range.total = static_cast<size_t>(*total);
  }
  return range;
}

class Line final : public http::Session {
 public:
  explicit Line(GcsFake& fake) : fake_(fake) {}
  GcsFake::Reply perform(const http::Exchange& exchange, const std::stop_token&) override {
    auto reply = fake_.answer(exchange);
    if (!reply || !exchange.sink || reply->status > 299) return reply;
    const auto body = std::exchange(reply->body, std::string());
    base::Status taken;
    if (exchange.before_sink) taken = exchange.before_sink(*reply);
    if (taken) taken = exchange.sink(body);
    if (!taken) return std::unexpected(http::Broken{taken.error(), true});
    return reply;
  }

 private:
  GcsFake& fake_;
};

}  // namespace

std::unique_ptr<http::Session> GcsFake::session() {
  return std::make_unique<Line>(*this);
}

void GcsFake::expire(std::string next) {
  const std::scoped_lock lock(mutex_);
  token = std::move(next);
}

json::Value GcsFake::about(const std::string& name, const Stored& stored) {
  json::Value value;
  value["name"] = name;
  value["size"] = std::to_string(stored.bytes.size());
  value["generation"] = std::to_string(stored.generation);
  value["updated"] = stored.updated;
  value["metadata"] = stored.metadata;
  return value;
}

bool GcsFake::holds(const std::string& name, const std::string& condition) const {
  if (condition.empty()) return true;
  const auto found = objects_.find(name);
  if (found == objects_.end()) return condition == "0";
  return condition == std::to_string(found->second.generation);
}

GcsFake::Reply GcsFake::answer(const http::Exchange& exchange) {
  const std::scoped_lock lock(mutex_);
  Asked asked;
  for (const auto& line : exchange.headers) {
    const auto colon = line.find(": ");
    asked.headers[line.substr(0, colon)] = line.substr(colon + 2);
  }
  if (asked.headers["Authorization"] != "Bearer " + token)
    return refusal(401, "authError", "Invalid Credentials");
  const auto question = std::min(exchange.target.find('?'), exchange.target.size());
  asked.path = exchange.target.substr(0, question);
  if (question < exchange.target.size())
    for (const auto pair :
         base::split(std::string_view(exchange.target).substr(question + 1), '&')) {
      const auto middle = std::min(pair.find('='), pair.size());
      asked.query[std::string(pair.substr(0, middle))] =
          *http::unescape(pair.substr(std::min(middle + 1, pair.size())));
    }
  return route(exchange, asked);
}

GcsFake::Reply GcsFake::route(const http::Exchange& exchange, const Asked& from) {
  auto asked = from;
  const bool upload = asked.path.starts_with("/upload/");
  const std::string all =
      fmt::format("{}/storage/v1/b/{}/o", upload ? "/upload" : "", std::string(kBucket));
  if (!asked.path.starts_with(all))
    return refusal(404, "notFound", "The specified bucket does not exist.");
  if (upload && exchange.method == "POST")
    return asked.query["uploadType"] == "resumable" ? begin(exchange, asked)
                                                    : multipart(exchange, asked);
  if (upload) return chunk(exchange, asked);
  if (asked.path == all) return list(asked);
  const auto name = asked.path.substr(all.size() + 1);
  // A name is one segment: its slashes are escaped.
  if (name.find('/') != std::string::npos) return refusal(404, "notFound", "Not Found");
  asked.name = *http::unescape(name);
  return object(exchange, asked);
}

GcsFake::Reply GcsFake::object(const http::Exchange& exchange, const Asked& from) {
  auto asked = from;
  const auto found = objects_.find(asked.name);
  if (found == objects_.end())
    return refusal(404, "notFound", fmt::format("No such object: {}/{}", kBucket, asked.name));
  if (!holds(asked.name, asked.query["ifGenerationMatch"]))
    return refusal(412, "conditionNotMet", "At least one of the pre-conditions did not hold.");
  if (exchange.method == "DELETE") {
    objects_.erase(found);
    return http::Reply{.status = 204};
  }
  if (asked.query["alt"] != "media") return good(about(asked.name, found->second));
  const auto& bytes = found->second.bytes;
  const auto range = asked.headers["Range"];
  if (range.empty()) return http::Reply{.status = 200, .headers = {}, .body = bytes};
  const auto dash = range.find('-');
  const auto first = *base::parse_int(range.substr(6, dash - 6));
  const auto last = base::parse_int(range.substr(dash + 1)).value_or(INT64_MAX);
  if (first >= static_cast<std::int64_t>(bytes.size()))
    return http::Reply{.status = 416, .headers = {}, .body = "no JSON"};
  const auto end = std::min<size_t>(bytes.size(), static_cast<size_t>(last) + 1);
  const auto begin = static_cast<size_t>(first);
  return http::Reply{
      .status = 206,
      .headers = {{"content-range", fmt::format("bytes {}-{}/{}", begin, end - 1, bytes.size())}},
      .body = bytes.substr(begin, end - begin)};
}

GcsFake::Reply GcsFake::list(const Asked& from) const {
  auto asked = from;
  const auto limit =
      std::min<size_t>(static_cast<size_t>(*base::parse_int(asked.query["maxResults"])), 1000);
  const auto& prefix = asked.query["prefix"];
  const auto after = base::decode_base64(asked.query["pageToken"]).value_or("");
  json::Value body;
  size_t count = 0;
  std::string last;
  for (auto at = after.empty() ? objects_.lower_bound(prefix) : objects_.upper_bound(after);
       at != objects_.end() && at->first.starts_with(prefix); ++at) {
    if (count++ == limit) {
      body["nextPageToken"] = base::encode_base64(last);
      break;
    }
    last = at->first;
    body["items"].push_back(about(at->first, at->second));
  }
  if (body.is_null()) body = json::Object();
  return good(body);
}

GcsFake::Reply GcsFake::place(const json::Value& object, std::string bytes,
                              const std::string& condition) {
  const auto name = json::get_string(object, "name").value_or("");
  if (!holds(name, condition))
    return refusal(412, "conditionNotMet", "At least one of the pre-conditions did not hold.");
  if (const auto* md5 = object.find("md5Hash");
      md5 != nullptr && *md5 != json::Value(base::encode_base64(pki::md5(bytes))))
    return refusal(400, "invalid", "Provided MD5 hash does not match");
  Stored stored{.bytes = std::move(bytes),
                .content_type = json::get_string(object, "contentType").value_or(""),
                .updated = "2026-11-22T00:00:00.000Z",
                .metadata = *object.find("metadata"),
                .generation = ++count_};
  auto reply = good(about(name, stored));
  objects_.insert_or_assign(name, std::move(stored));
  return reply;
}

GcsFake::Reply GcsFake::multipart(const http::Exchange& exchange, const Asked& from) {
  auto asked = from;
  const auto type = asked.headers["Content-Type"];
  const auto mark = "--" + type.substr(type.find("boundary=") + 9);
  std::string_view rest = exchange.body;
  const auto part = [&]() -> std::string_view {
    const auto begin = rest.find("\r\n\r\n") + 4;
    const auto end = rest.find("\r\n" + mark, begin);
    if (begin < 4 || end == rest.npos) return {};
    const auto found = rest.substr(begin, end - begin);
    rest.remove_prefix(end);
    return found;
  };
  const auto object = json::parse(part());
  const std::string bytes(part());
  if (!object || rest != "\r\n" + mark + "--\r\n")
    return refusal(400, "badRequest", "Malformed multipart body.");
  return place(*object, bytes, asked.query["ifGenerationMatch"]);
}

GcsFake::Reply GcsFake::begin(const http::Exchange& exchange, const Asked& from) {
  auto asked = from;
  const auto object = json::parse(exchange.body);
  if (!object) return refusal(400, "parseError", "Parse Error");
  const auto condition = asked.query["ifGenerationMatch"];
  if (checks_at_begin && !holds(json::get_string(*object, "name").value_or(""), condition))
    return refusal(412, "conditionNotMet", "At least one of the pre-conditions did not hold.");
  const auto id = fmt::format("u+{}/=", ++count_);
  started_[id] = {.about = *object, .condition = condition, .bytes = {}};
  return http::Reply{
      .status = 200,
      .headers = {
          {"location", fmt::format("{}/upload/storage/v1/b/{}/o?uploadType=resumable&upload_"
                                   "id={}",
                                   server, kBucket, http::escape(id))}}};
}

GcsFake::Reply GcsFake::chunk(const http::Exchange& exchange, const Asked& from) {
  auto asked = from;
  const auto found = started_.find(asked.query["upload_id"]);
  if (found == started_.end()) return refusal(410, "gone", "The upload has ended.");
  if (exchange.method == "DELETE") {
    started_.erase(found);
    return http::Reply{.status = 499};
  }
  auto& kept = found->second.bytes;
  const auto range = parse_range(asked.headers["Content-Range"]);
  if (!range || range->last - range->first + 1 != exchange.body.size() ||
      (range->total && *range->total != range->last + 1))
    return refusal(400, "badRequest", "Content-Range and the body do not agree.");
  if (range->first > kept.size()) return refusal(503, "backendError", "There is a gap.");
  if (!range->total && exchange.body.size() % kUnit != 0)
    return refusal(400, "badRequest", "A chunk is no multiple of 256 KiB.");
  const auto fate = chunks ? chunks(chunk_count_++) : Chunk::kWhole;
  auto fresh = std::string_view(exchange.body);
  fresh.remove_prefix(std::min(kept.size() - range->first, fresh.size()));
  const bool half = fate == Chunk::kHalf || fate == Chunk::kCutOff;
  if (half) fresh = fresh.substr(0, fresh.size() / 2 / kUnit * kUnit);
  kept += fresh;
  if (range->total && !half) {
    auto reply = place(found->second.about, kept, found->second.condition);
    started_.erase(found);
    if (fate == Chunk::kLostAnswer) return silence();
    return reply;
  }
  if (fate == Chunk::kLostAnswer || fate == Chunk::kCutOff) return silence();
  http::Reply reply{.status = 308};
  if (!kept.empty()) reply.headers["range"] = fmt::format("bytes=0-{}", kept.size() - 1);
  return reply;
}

}  // namespace conformance
