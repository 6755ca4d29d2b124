#include "etcd/bolt/page.h"

#include <fmt/format.h>

#include <bit>

namespace bolt {
namespace {

constexpr std::uint32_t kMagic = 0xED0CDAED, kVersion = 2;
constexpr std::size_t kSummed = kMetaBytes - 8;

std::uint64_t fnv1a(std::string_view bytes) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

std::unexpected<base::Error> bad(std::string why) {
  return base::fail(base::Code::kDataLoss, std::move(why));
}

}  // namespace

base::Result<Meta> parse_meta(std::string_view bytes) {
  if (bytes.size() < kMetaBytes) return bad("cut");
  if (load<std::uint32_t>(bytes, 0) != kMagic) return bad("not the magic number of bolt");
  if (const auto version = load<std::uint32_t>(bytes, 4); version != kVersion)
    return bad(fmt::format("version {} of bolt's format, not {}", version, kVersion));
  if (load<std::uint64_t>(bytes, kSummed) != fnv1a(bytes.substr(0, kSummed)))
    return bad("wrong check sum");
  const Meta meta{.page_size = load<std::uint32_t>(bytes, 8),
                  .root = load<std::uint64_t>(bytes, 16),
                  .sequence = load<std::uint64_t>(bytes, 24),
                  .freelist = load<std::uint64_t>(bytes, 32),
                  .high_water = load<std::uint64_t>(bytes, 40),
                  .txid = load<std::uint64_t>(bytes, 48)};
  if (!std::has_single_bit(meta.page_size) || meta.page_size < kMinPageSize ||
      meta.page_size > kMaxPageSize)
    return bad(fmt::format("a page size of {} bytes", meta.page_size));
  return meta;
}

std::string meta_bytes(const Meta& meta) {
  std::string out;
  append(out, kMagic);
  append(out, kVersion);
  append(out, meta.page_size);
  append(out, std::uint32_t{0});
  for (const auto value : {meta.root, meta.sequence, meta.freelist, meta.high_water, meta.txid})
    append(out, value);
  append(out, fnv1a(out));
  return out;
}

PageHead parse_head(std::string_view page) {
  return {.id = load<std::uint64_t>(page, 0),
          .flags = load<std::uint16_t>(page, 8),
          .count = load<std::uint16_t>(page, 10),
          .overflow = load<std::uint32_t>(page, 12)};
}

void append_head(std::string& out, const PageHead& head) {
  append(out, head.id);
  append(out, head.flags);
  append(out, head.count);
  append(out, head.overflow);
}

std::optional<Element> Elements::fail(std::string why) {
  why_ = std::move(why);
  return std::nullopt;
}

std::optional<Element> Elements::next() {
  if (index_ >= head_.count || !why_.empty()) return std::nullopt;
  if (index_ == 0 && used_ > page_.size())
    return fail(fmt::format("{} elements, more than the page has room for", head_.count));
  const std::size_t at = kPageHead + kElement * index_;
  const bool leaf = (head_.flags & kLeaf) != 0;
  Element out;
  std::uint64_t position = at;
  std::uint64_t key_bytes = 0;
  std::uint64_t value_bytes = 0;
  if (leaf) {
    const auto flags = load<std::uint32_t>(page_, at);
    if (flags > 1)
      return fail(fmt::format("element {} has the unknown flags {:#x}", index_, flags));
    out.bucket = flags == 1;
    position += load<std::uint32_t>(page_, at + 4);
    key_bytes = load<std::uint32_t>(page_, at + 8);
    value_bytes = load<std::uint32_t>(page_, at + 12);
  } else {
    position += load<std::uint32_t>(page_, at);
    key_bytes = load<std::uint32_t>(page_, at + 4);
    out.child = load<std::uint64_t>(page_, at + 8);
  }
  // Each term is below 2^33.
  const std::uint64_t end = position + key_bytes + value_bytes;
  if (end > page_.size())
    return fail(
        fmt::format("element {} reaches to byte {} of a page of {}", index_, end, page_.size()));
  if (position < used_) return fail(fmt::format("element {} overlaps what is before it", index_));
  const auto begin = static_cast<std::size_t>(position);
  out.key = page_.substr(begin, static_cast<std::size_t>(key_bytes));
  out.value = page_.substr(begin + out.key.size(), static_cast<std::size_t>(value_bytes));
  used_ = static_cast<std::size_t>(end);
  ++index_;
  return out;
}

}  // namespace bolt
