#include "objstore/cloud_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "http/date.h"
#include "objstore/cloud_upload.h"
#include "pki/random.h"

namespace objstore {

using base::Code;

namespace {

constexpr unsigned kMaxBreaks = 10;  // of one stream without a byte in between

}  // namespace

void set_condition(Request& request, const Condition& condition) {
  if (condition.when == When::kAbsent) request.set("If-None-Match", "*");
  if (condition.when == When::kSame) request.set("If-Match", condition.tag);
}

void set_range(Request& request, const Range& range) {
  if (!range.tag.empty()) request.set("If-Match", range.tag);
  if (range.length)
    request.set("Range",
                fmt::format("bytes={}-{}", range.offset, range.offset + *range.length - 1));
  else if (range.offset > 0)
    request.set("Range", fmt::format("bytes={}-", range.offset));
}

base::Result<Object> object_of_headers(const http::Reply& reply) {
  const auto text = [&](std::string_view name) {
    const auto found = reply.headers.find(name);
    return found == reply.headers.end() ? std::string() : found->second;
  };
  // An answer to a put need not have it.
  const auto length = text("content-length");
  const auto size = base::parse_int(length.empty() ? "0" : length);
  if (!size || *size < 0)
    return base::fail(Code::kDataLoss, "the answer does not say how long the object is");
  Object object{.size = static_cast<std::uint64_t>(*size), .tag = text("etag")};
  if (const auto at = http::parse_http_date(text("last-modified"))) object.modified = *at;
  if (object.tag.empty()) return base::fail(Code::kDataLoss, "the answer has no ETag");
  return object;
}

CloudStore::CloudStore(std::unique_ptr<Protocol> protocol, std::string prefix, Outside outside,
                       Courier::Options options)
    : protocol_(std::move(protocol)),
      prefix_(std::move(prefix)),
      courier_(std::move(outside), std::move(options)) {}

std::string CloudStore::name() const {
  return protocol_->name() + (prefix_.empty() ? "" : "/" + prefix_);
}

Context CloudStore::context(std::string_view operation, const std::string& key) const {
  return {.operation = operation, .key = key, .store = name(), .hint = protocol_->hint()};
}

std::expected<Answer, Failure> CloudStore::send(const Request& request, const Call& call,
                                                const Sink& sink) {
  return courier_.send(request, *protocol_, call, sink);
}

base::Result<NewObject> CloudStore::new_object(const std::string& key,
                                               const PutOptions& options) const {
  TRY_OK(check_key(key));
  if (options.condition.when == When::kSame && options.condition.tag.empty())
    return base::fail(Code::kInvalidArgument, "the same as what? the tag is missing");
  TRY(auto nonce, pki::random_hex(16));
  return NewObject{.key = whole(key),
                   .condition = options.condition,
                   .content_type = options.content_type,
                   .nonce = std::move(nonce)};
}

std::expected<CloudStore::Found, Failure> CloudStore::find(const std::string& key,
                                                           const Call& call) {
  const auto request = protocol_->stat(whole(key));
  auto answer = send(request, call);
  if (!answer) {
    auto& failure = answer.error();
    // An answer to HEAD has no words: the bucket may be absent, or the credentials wrong.
    if (request.method != "HEAD" || !failure.reason.empty() || failure.status < 400)
      return std::unexpected(std::move(failure));
    const auto nothing = [](std::string_view) { return base::Status(); };
    auto words = send(protocol_->get(whole(key), {.offset = 0, .length = 1}), call, nothing);
    return std::unexpected(words ? std::move(failure) : std::move(words.error()));
  }
  auto object = protocol_->object_of(answer->reply);
  if (!object) return std::unexpected(Failure{object.error()});
  if (request.method == "HEAD" && !answer->reply.headers.contains("content-length"))
    return std::unexpected(
        Failure{{Code::kDataLoss, "the answer does not say how long the object is"}});
  object->key = key;
  return Found{.object = *std::move(object), .nonce = protocol_->nonce_of(answer->reply)};
}

base::Result<Object> CloudStore::settle(const std::string& key, const Failure& failure,
                                        const std::string& nonce, const Call& call) {
  if (!failure.doubtful) return std::unexpected(failure);
  auto found = find(key, call);
  if (found && found->nonce == nonce) return std::move(found->object);
  // What is there, or that nothing is, was not written by us: our own put never happened, or was
  // replaced since. Unless we could not look.
  const bool looked = found.has_value() || found.error().code == Code::kNotFound;
  if (looked && !failure.again) return std::unexpected(failure);
  return base::fail(Code::kDeadlineExceeded, failure.message);
}

base::Result<Object> CloudStore::put_checked(const std::string& key, std::string_view bytes,
                                             const NewObject& object, const Call& call) {
  auto answer = send(protocol_->put(object, bytes), call);
  if (!answer) return settle(key, answer.error(), object.nonce, call);
  TRY(auto done, protocol_->object_of(answer->reply));
  done.key = key;
  done.size = bytes.size();
  if (done.modified == base::Instant{}) done.modified = courier_.outside().clock->now();
  return done;
}

base::Result<Object> CloudStore::put(const std::string& key, std::string_view bytes,
                                     const PutOptions& options, const Call& call) {
  const auto in = context("put", key);
  TRY(const auto object, in(new_object(key, options)));
  return in(put_checked(key, bytes, object, call));
}

base::Result<std::unique_ptr<Upload>> CloudStore::upload(const std::string& key,
                                                         const PutOptions& options, const Call&) {
  TRY(auto object, context("put", key)(new_object(key, options)));
  return std::make_unique<CloudUpload>(*this, key, std::move(object),
                                       protocol_->part_bytes(options.expected_bytes));
}

// Goes on where a stream broke, as long as the object is the same.
base::Status CloudStore::stream(const std::string& key, const Object& object, const Range& range,
                                const Sink& sink, bool& given, const Call& call) {
  const auto end = range.length ? std::min(object.size, range.offset + *range.length) : object.size;
  auto at = range.offset;
  base::Status stopped;
  const auto counting = [&](std::string_view bytes) -> base::Status {
    if (bytes.size() > end - at)
      return base::fail(Code::kDataLoss, "the server sends more bytes than it was asked for");
    at += bytes.size();
    given = true;
    return stopped = sink(bytes);
  };
  for (unsigned breaks = 0; at < end;) {
    const auto before = at;
    const bool all = at == 0 && end == object.size;
    Range part{.offset = at, .length = std::nullopt, .tag = object.tag};
    if (!all) part.length = end - at;
    const auto answer = send(protocol_->get(whole(key), part), call, counting);
    if (!stopped) return stopped;
    if (answer && at == end) return {};
    breaks = at > before ? 0 : breaks + 1;
    if (!answer && (!answer.error().again || at == before)) return std::unexpected(answer.error());
    if (breaks > kMaxBreaks)
      return base::fail(Code::kUnavailable,
                        fmt::format("the stream broke at byte {} of {}", at, end));
  }
  return {};
}

base::Result<Object> CloudStore::get(const std::string& key, const Range& range, const Sink& sink,
                                     const Call& call) {
  constexpr int kTries = 3;
  const auto in = context("get", key);
  TRY_OK(in(check_key(key)));
  TRY_OK(in(check_range(range)));
  for (int tries = 1;; ++tries) {
    auto found = find(key, call);
    if (!found) return std::unexpected(in.of(found.error()));
    auto& object = found->object;
    if (!range.tag.empty() && range.tag != object.tag)
      return std::unexpected(in.of({Code::kAborted, "it is another one by now"}));
    if (range.offset > 0 && range.offset >= object.size)
      return std::unexpected(
          in.of({Code::kInvalidArgument,
                 fmt::format("the range begins at {} of {} bytes", range.offset, object.size)}));
    bool given = false;
    const auto done = stream(key, object, range, sink, given, call);
    if (done) return std::move(object);
    // Replaced between the two questions.
    const bool again = done.error().code == Code::kAborted && !given && range.tag.empty();
    if (!again || tries == kTries) return std::unexpected(in.of(done.error()));
  }
}

base::Result<Object> CloudStore::stat(const std::string& key, const Call& call) {
  const auto in = context("stat", key);
  TRY_OK(in(check_key(key)));
  auto found = find(key, call);
  if (!found) return std::unexpected(in.of(found.error()));
  return std::move(found->object);
}

base::Result<Page> CloudStore::list(const ListOptions& options, const Call& call) {
  const auto in = context("list", options.prefix);
  auto asked = options;
  asked.prefix = whole(options.prefix);
  asked.limit = std::clamp(options.limit, 1U, 1000U);
  const auto answer = send(protocol_->list(asked), call);
  if (!answer) {
    auto failure = answer.error();
    // Of a list: there is no bucket.
    if (failure.code == Code::kNotFound) failure.code = Code::kFailedPrecondition;
    return std::unexpected(in.of(failure));
  }
  TRY(auto page, in(protocol_->page_of(answer->reply)));
  std::vector<Object> ours;
  for (auto& object : page.objects) {
    if (!object.key.starts_with(asked.prefix))
      return std::unexpected(in.of({Code::kDataLoss, "the server lists what was not asked for"}));
    if (!prefix_.empty()) object.key.erase(0, prefix_.size() + 1);
    // What others put there, like the folders of a console, is none of ours.
    if (check_key(object.key)) ours.push_back(std::move(object));
  }
  page.objects = std::move(ours);
  return page;
}

base::Status CloudStore::remove(const std::string& key, const Call& call) {
  const auto in = context("remove", key);
  TRY_OK(in(check_key(key)));
  const auto answer = send(protocol_->remove(whole(key)), call);
  if (answer || answer.error().code == Code::kNotFound) return {};
  return std::unexpected(in.of(answer.error()));
}

base::Result<unsigned> CloudStore::clean_up(const std::string& prefix, base::Instant before,
                                            const Call& call) {
  const auto in = context("clean up", prefix);
  unsigned count = 0;
  std::string page;
  do {
    const auto request = protocol_->unfinished(whole(prefix), page);
    if (!request) return 0U;
    const auto answer = send(*request, call);
    if (!answer) return std::unexpected(in.of(answer.error()));
    TRY(const auto found, in(protocol_->unfinished_of(answer->reply)));
    for (const auto& upload : found.uploads) {
      if (upload.begun >= before || !upload.key.starts_with(whole(prefix))) continue;
      const auto gone = send(protocol_->abandon(upload), call);
      if (!gone && gone.error().code != Code::kNotFound)
        return std::unexpected(in.of(gone.error()));
      ++count;
    }
    if (!found.next.empty() && found.next == page)
      return std::unexpected(in.of({Code::kDataLoss, "the server gives one page again and again"}));
    page = found.next;
  } while (!page.empty());
  return count;
}

}  // namespace objstore
