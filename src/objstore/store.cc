#include "objstore/store.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

#include "base/text.h"

namespace objstore {
namespace {

using base::Code;

constexpr size_t kLongestKey = 900, kLongestSegment = 200;  // bytes

}  // namespace

Call Call::within(base::Tick now, base::Duration longest) const {
  return {.deadline = std::min(deadline, now + longest), .stop = stop};
}

base::Status check_key(std::string_view key) {
  const auto bad = [&](std::string_view why) {
    return base::fail(Code::kInvalidArgument, fmt::format("no key for an object: {}", why));
  };
  if (key.empty()) return bad("it is empty");
  if (key.size() > kLongestKey)
    return bad(fmt::format("{} bytes; at most {}", key.size(), kLongestKey));
  for (auto rest = key; !rest.empty();) {
    const size_t length = base::utf8_length(rest);
    const auto first = static_cast<unsigned char>(rest.front());
    if (length == 0 || first < 0x20 || first == 0x7f || first == '\\')
      return bad("only UTF-8 without control characters and backslashes");
    rest.remove_prefix(length);
  }
  for (const auto segment : base::split(key, '/')) {
    if (segment.empty()) return bad("a part between slashes is empty");
    if (segment.front() == '.') return bad(fmt::format("\"{}\" begins with a dot", segment));
    if (segment.size() > kLongestSegment)
      return bad(fmt::format("a part between slashes is longer than {} bytes", kLongestSegment));
  }
  return {};
}

base::Status check_range(const Range& range) {
  if (range.length && *range.length == 0)
    return base::fail(Code::kInvalidArgument, "a range of no bytes");
  if (range.length && range.offset > UINT64_MAX - *range.length)
    return base::fail(Code::kInvalidArgument, "a range that has no end");
  return {};
}

base::Result<std::vector<Object>> list_all(Store& store, const std::string& prefix, size_t limit,
                                           const Call& call) {
  std::vector<Object> all;
  ListOptions options{.prefix = prefix, .limit = UINT32_MAX};  // what it gives at once
  do {
    TRY(auto page, store.list(options, call));
    std::ranges::move(page.objects, std::back_inserter(all));
    if (all.size() > limit)
      return base::fail(Code::kResourceExhausted, fmt::format("list {}/{}: more than {} objects",
                                                              store.name(), prefix, limit));
    if (!page.next.empty() && page.next == options.page)
      return base::fail(Code::kDataLoss,
                        fmt::format("list {}/{}: the store gives one page again and "
                                    "again",
                                    store.name(), prefix));
    options.page = std::move(page.next);
  } while (!options.page.empty());
  return all;
}

base::Result<std::string> read_all(Store& store, const std::string& key, size_t limit,
                                   const Call& call) {
  std::string bytes;
  const auto sink = [&](std::string_view part) -> base::Status {
    if (bytes.size() + part.size() > limit)
      return base::fail(Code::kResourceExhausted, fmt::format("more than {} bytes", limit));
    bytes += part;
    return {};
  };
  TRY_OK(store.get(key, {}, sink, call));
  return bytes;
}

base::Result<bool> probe_create_only(Store& store, const std::string& key, const Call& call) {
  const PutOptions options{.condition = {.when = When::kAbsent}, .content_type = "text/plain"};
  TRY_OK(store.remove(key, call));  // of a probe that was killed
  const auto first = store.put(key, "1", options, call);
  const auto second = first ? store.put(key, "2", options, call) : first;
  const auto gone = store.remove(key, call);
  if (!first) return std::unexpected(first.error());
  TRY_OK(gone);
  if (second) return false;
  if (second.error().code == Code::kAlreadyExists) return true;
  return std::unexpected(second.error());
}

}  // namespace objstore
