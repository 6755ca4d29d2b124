// Reads a bolt database page by page: every offset is checked, each page may be reached once, keys
// must ascend. Memory is what the pages of one path through the tree need, a bit for each page and
// the names of the buckets. A database of etcd has one level of buckets; deeper ones are refused.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "etcd/bolt/page.h"
#include "etcd/bolt/source.h"

namespace bolt {

// Pages that a walk has been to. Bolt knows no sharing: one page in two places is damage.
class PageSet {
 public:
  explicit PageSet(std::uint64_t pages) : seen_(static_cast<std::size_t>(pages)) {}
  // False if one of them was taken before. Precondition: first + count is at most the size.
  bool take(std::uint64_t first, std::uint64_t count);
  [[nodiscard]] std::uint64_t taken() const { return taken_; }

 private:
  std::vector<bool> seen_;
  std::uint64_t taken_ = 0;
};

struct Bucket {
  std::string name;
  std::uint64_t root = 0;   // 0: `page` is all of it
  std::string inline_page;  // with its head
};

// An error that it gives ends the walk and is given on.
using ItemSink = std::function<base::Status(std::string_view key, std::string_view value)>;

// DataLoss is about the bytes, and says at which page; any other code is about reading them. The
// source must outlive it.
class Database {
 public:
  // The database is the first `bytes` of the source; what may come after it is not looked at.
  static base::Result<Database> open(const Source& source, std::uint64_t bytes);

  [[nodiscard]] const Meta& meta() const { return meta_; }
  [[nodiscard]] std::uint64_t bytes() const { return meta_.high_water * meta_.page_size; }
  [[nodiscard]] PageSet no_pages() const { return PageSet(meta_.high_water); }

  // By name. One set of pages for this and the walks after it finds what two of them share.
  [[nodiscard]] base::Result<std::vector<Bucket>> buckets(PageSet& pages) const;
  // In the order of the keys, which is that of their bytes. The views live until the sink returns.
  [[nodiscard]] base::Status walk(const Bucket& bucket, PageSet& pages, const ItemSink& sink) const;
  // After the walks: that no page they were at is listed as free. etcd keeps no such list; a file
  // may have one, and then etcd would write over what it lists.
  [[nodiscard]] base::Status check_freelist(PageSet& pages) const;
  // Of the bucket of that name alone; NotFound if there is none.
  [[nodiscard]] base::Status walk(std::string_view bucket, const ItemSink& sink) const;

 private:
  Database(const Source& source, const Meta& meta) : source_(&source), meta_(meta) {}
  const Source* source_;
  Meta meta_;
};

}  // namespace bolt
