// Makes the pages of one tree from items in ascending order; for writer.cc.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "etcd/bolt/page.h"

namespace bolt {

// Gives out page ids and, unless it only counts, takes the pages in their order.
struct PageOut {
  std::uint32_t page_size = 4096;
  std::uint64_t next = 3;  // after the metas and the list of free pages
  std::function<base::Status(std::string_view page)> write;  // empty: they are only counted
};

class TreeLoader {
 public:
  TreeLoader(PageOut& out, bool buckets) : out_(out), buckets_(buckets) {}

  base::Status add(std::string_view key, std::string_view value);
  // The root; an empty leaf for no items.
  base::Result<std::uint64_t> finish();
  // Fits into the value of its bucket, as bolt would have it; then finish() is not called.
  [[nodiscard]] bool fits_inline() const { return !flushed_ && leaf_bytes_ <= inline_limit(); }
  [[nodiscard]] std::string inline_page() const;

 private:
  struct Piece {
    std::uint32_t key_bytes = 0, value_bytes = 0;
  };
  struct Child {
    std::string key;
    std::uint64_t page = 0;
  };
  struct Level {
    std::vector<Child> children;
    std::size_t bytes = kPageHead;
  };

  [[nodiscard]] std::size_t inline_limit() const { return out_.page_size / 4; }
  [[nodiscard]] std::string leaf_page(std::uint64_t id, std::uint32_t overflow) const;
  base::Status flush_leaf();
  base::Status add_child(std::size_t level, Child child);
  // The first `count` children become a page, which goes to the level above; the rest stays.
  base::Status flush_branch(std::size_t level, std::size_t count);
  base::Result<std::uint64_t> emit(
      std::size_t bytes,
      const std::function<std::string(std::uint64_t id, std::uint32_t overflow)>& page);

  PageOut& out_;
  bool buckets_;
  std::vector<Piece> pieces_;
  std::string data_;   // keys and values of the leaf; only what will be needed
  std::string first_;  // its first key
  std::size_t leaf_bytes_ = kPageHead;
  bool flushed_ = false;
  std::vector<Level> levels_;
};

}  // namespace bolt
