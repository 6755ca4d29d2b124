// The form of a bolt file, version 2: metas, pages and what is in them. The bytes are untrusted;
// integers are little endian whatever the machine.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace bolt {

constexpr std::size_t kPageHead = 16, kElement = 16, kMetaBytes = 64, kBucketHead = 16;
// Of a machine's memory, as bolt takes it: 4 KiB nearly everywhere, 64 KiB on some.
constexpr std::uint32_t kMinPageSize = 512, kMaxPageSize = 1 << 20;
constexpr std::uint64_t kNoFreelist = ~std::uint64_t{0};  // etcd does not store it

enum PageFlag : std::uint16_t { kBranch = 1, kLeaf = 2, kMetaPage = 4, kFreelistPage = 0x10 };

// Little endian, n bytes of `bytes` at `at`. Precondition: they are there.
template <class T>
T load(std::string_view bytes, std::size_t at) {
  T value = 0;
  std::memcpy(&value, bytes.data() + at, sizeof(T));
  if constexpr (std::endian::native == std::endian::big) value = std::byteswap(value);
  return value;
}
template <class T>
void append(std::string& out, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i)
    out += static_cast<char>(static_cast<std::uint64_t>(value) >> (8 * i));
}

struct Meta {
  std::uint32_t page_size = 0;
  std::uint64_t root = 0, sequence = 0, freelist = kNoFreelist;
  std::uint64_t high_water = 0;  // the first page id that was never used
  std::uint64_t txid = 0;
};
// `bytes` are the 64 after the head of a page. DataLoss says what is wrong.
base::Result<Meta> parse_meta(std::string_view bytes);
std::string meta_bytes(const Meta& meta);

struct PageHead {
  std::uint64_t id = 0;
  std::uint16_t flags = 0, count = 0;
  std::uint32_t overflow = 0;  // pages that follow and belong to it
};
PageHead parse_head(std::string_view page);  // precondition: kPageHead bytes
void append_head(std::string& out, const PageHead& head);

struct Element {
  bool bucket = false;
  std::string_view key, value;
  std::uint64_t child = 0;  // of a branch
};
// The elements of one page, in turn. The pieces of a page lie one behind the other as bolt writes
// them, so that reading all of them is never more than reading the page.
class Elements {
 public:
  // `page` with its head; views into it are given out.
  Elements(std::string_view page, const PageHead& head)
      : page_(page), head_(head), used_(kPageHead + kElement * std::size_t{head.count}) {}
  // No value at the end, or when why() is not empty.
  std::optional<Element> next();
  [[nodiscard]] const std::string& why() const { return why_; }

 private:
  std::optional<Element> fail(std::string why);

  std::string_view page_;
  PageHead head_;
  std::size_t index_ = 0, used_;
  std::string why_;
};

}  // namespace bolt
