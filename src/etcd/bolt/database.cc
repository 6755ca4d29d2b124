#include "etcd/bolt/database.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "etcd/bolt/tree.h"

namespace bolt {
namespace {

using base::Code;

// etcd has ten; names and inline pages are held in memory.
constexpr std::size_t kMaxBuckets = 1000;

base::Result<Meta> meta_at(const Source& source, std::uint64_t bytes, std::uint64_t page) {
  std::array<char, kPageHead + kMetaBytes> head{};
  if (bytes < page || bytes - page < head.size())
    return base::fail(Code::kDataLoss, "beyond the end of the file");
  TRY_OK(source.read(page, head));
  return parse_meta(std::string_view(head.data(), head.size()).substr(kPageHead));
}

// Whichever of the two was written later; a commit that was cut leaves the other one.
base::Result<Meta> choose_meta(const Source& source, std::uint64_t bytes) {
  const auto first = meta_at(source, bytes, 0);
  if (!first && first.error().code != Code::kDataLoss) return first;
  std::optional<Meta> best;
  if (first) best = *first;
  // The first one says how long a page is; without it the second is looked for.
  base::Result<Meta> second = base::fail(Code::kDataLoss, "not found");
  for (std::uint64_t size = first ? first->page_size : kMinPageSize; size <= kMaxPageSize;
       size *= 2) {
    auto found = meta_at(source, bytes, size);
    if (!found && found.error().code != Code::kDataLoss) return found;
    if (found && found->page_size != size)
      found = base::fail(Code::kDataLoss, "it stands where no page of its size begins");
    if (found || first) second = std::move(found);
    if (second || first) break;
  }
  if (second && (!best || second->txid > best->txid)) best = *second;
  if (!best)
    return base::fail(Code::kDataLoss,
                      fmt::format("not a bolt database, or both its metas are damaged: {}; {}",
                                  first.error().message, second.error().message));
  return *best;
}

}  // namespace

bool PageSet::take(std::uint64_t first, std::uint64_t count) {
  const auto begin = seen_.begin() + static_cast<std::ptrdiff_t>(first);
  const auto end = begin + static_cast<std::ptrdiff_t>(count);
  if (std::find(begin, end, true) != end) return false;
  std::fill(begin, end, true);
  taken_ += count;
  return true;
}

base::Result<Database> Database::open(const Source& source, std::uint64_t bytes) {
  TRY(const Meta meta, choose_meta(source, bytes));
  if (meta.high_water < 4)
    return base::fail(Code::kDataLoss, fmt::format("a database of {} pages", meta.high_water));
  if (meta.high_water > bytes / meta.page_size)
    return base::fail(
        Code::kDataLoss,
        fmt::format("cut: its meta counts {} pages of {} bytes, and {} bytes are there",
                    meta.high_water, meta.page_size, bytes));
  return Database(source, meta);
}

base::Result<std::vector<Bucket>> Database::buckets(PageSet& pages) const {
  std::vector<Bucket> out;
  const TreeWalk::Visit visit = [&](const Element& element) -> base::Status {
    const auto bad = [&](std::string_view why) {
      return base::fail(Code::kDataLoss, fmt::format("bucket {}: {}", out.size(), why));
    };
    if (!element.bucket) return bad("a value where only buckets may be");
    if (element.value.size() < kBucketHead) return bad("its head is cut");
    if (out.size() == kMaxBuckets) return bad("etcd has no such number of them");
    Bucket bucket{.name = std::string(element.key),
                  .root = load<std::uint64_t>(element.value, 0),
                  .inline_page = {}};
    if (bucket.root == 0) bucket.inline_page = element.value.substr(kBucketHead);
    out.push_back(std::move(bucket));
    return {};
  };
  if (const auto walked = TreeWalk(*source_, meta_, pages, visit).from(meta_.root); !walked)
    return std::unexpected(walked.error().in("the list of buckets"));
  return out;
}

base::Status Database::walk(const Bucket& bucket, PageSet& pages, const ItemSink& sink) const {
  const TreeWalk::Visit visit = [&](const Element& element) -> base::Status {
    if (element.bucket)
      return base::fail(Code::kDataLoss, "a bucket within a bucket, which etcd does not have");
    return sink(element.key, element.value);
  };
  TreeWalk walk(*source_, meta_, pages, visit);
  const auto walked = bucket.root == 0 ? walk.inlined(bucket.inline_page) : walk.from(bucket.root);
  if (!walked) return std::unexpected(walked.error().in("bucket " + bucket.name));
  return {};
}

base::Status Database::check_freelist(PageSet& pages) const {
  if (meta_.freelist == kNoFreelist) return {};
  const auto bad = [](std::string why) {
    return base::fail(Code::kDataLoss, "the list of free pages: " + why);
  };
  const std::uint64_t id = meta_.freelist;
  if (id < 2 || id >= meta_.high_water) return bad(fmt::format("it is at page {}", id));
  std::string bytes(kPageHead + 8, '\0');
  std::uint64_t at = id * meta_.page_size;
  TRY_OK(source_->read(at, bytes));
  const PageHead head = parse_head(bytes);
  const std::uint64_t pages_long = std::uint64_t{head.overflow} + 1;
  if (head.id != id || head.flags != kFreelistPage || pages_long > meta_.high_water - id)
    return bad(fmt::format("page {} is none", id));
  if (!pages.take(id, pages_long)) return bad("its page is in a tree");
  const bool long_form = head.count == 0xFFFF;
  std::uint64_t left = long_form ? load<std::uint64_t>(bytes, kPageHead) : head.count;
  at += long_form ? kPageHead + 8 : kPageHead;
  const std::uint64_t room = (id + pages_long) * meta_.page_size - at;
  if (left > room / 8) return bad(fmt::format("{} entries in {} bytes", left, room));
  constexpr std::uint64_t kAtOnce = 8192;
  for (; left > 0; left -= bytes.size() / 8, at += bytes.size()) {
    bytes.resize(static_cast<std::size_t>(std::min(left, kAtOnce) * 8));
    TRY_OK(source_->read(at, bytes));
    for (std::size_t i = 0; i < bytes.size(); i += 8)
      if (const auto page = load<std::uint64_t>(bytes, i);
          page < 2 || page >= meta_.high_water || !pages.take(page, 1))
        return bad(fmt::format("page {} is in use or listed twice", page));
  }
  return {};
}

base::Status Database::walk(std::string_view bucket, const ItemSink& sink) const {
  PageSet pages = no_pages();
  TRY(const auto all, buckets(pages));
  for (const auto& one : all)
    if (one.name == bucket) return walk(one, pages, sink);
  return base::fail(Code::kNotFound, fmt::format("there is no bucket {}", bucket));
}

}  // namespace bolt
