#include "etcd/bolt/writer.h"

#include <fmt/format.h>

#include <bit>
#include <optional>
#include <utility>
#include <vector>

#include "etcd/bolt/loader.h"
#include "pki/digest.h"

namespace bolt {
namespace {

using base::Code;

constexpr std::size_t kBlock = std::size_t{1} << 20;
constexpr std::size_t kMaxKey = 32768, kMaxValue = (std::size_t{1} << 31) - 2;  // bolt's own
// The first commit writes its meta to page txid mod 2: it must be the one that is older, so that a
// commit that is cut leaves a good one.
constexpr std::uint64_t kTxid = 2;

std::unexpected<base::Error> bad(std::string why) {
  return base::fail(Code::kInvalidArgument, std::move(why));
}

// What follows the metas, or only its size.
class Body final : public Items {
 public:
  explicit Body(PageOut out) : out_(std::move(out)) {}

  base::Status bucket(std::string_view name) override {
    TRY_OK(end_bucket());
    if (name.empty() || name.size() > kMaxKey) return bad("a bucket's name is empty or too long");
    if (!buckets_.empty() && name <= buckets_.back().first)
      return bad(fmt::format("bucket {} is out of order", name));
    buckets_.emplace_back(name, "");
    tree_.emplace(out_, false);
    in_bucket_ = 0;
    return {};
  }

  base::Status item(std::string_view key, std::string_view value) override {
    if (!tree_) return bad("an item before the first bucket");
    if (key.empty() || key.size() > kMaxKey || value.size() > kMaxValue)
      return bad(fmt::format("item {} of bucket {}: a key of {} bytes with a value of {}",
                             in_bucket_, buckets_.back().first, key.size(), value.size()));
    if (in_bucket_++ != 0 && key <= last_)
      return bad(fmt::format("item {} of bucket {} is out of order", in_bucket_ - 1,
                             buckets_.back().first));
    last_ = key;
    ++items_;
    return tree_->add(key, value);
  }

  // The root of all buckets; after it, nothing.
  base::Result<std::uint64_t> finish() {
    TRY_OK(end_bucket());
    TreeLoader root(out_, true);
    for (const auto& [name, value] : buckets_) TRY_OK(root.add(name, value));
    return root.finish();
  }
  [[nodiscard]] std::uint64_t high_water() const { return out_.next; }
  [[nodiscard]] std::uint64_t items() const { return items_; }

 private:
  base::Status end_bucket() {
    if (!tree_) return {};
    std::string& value = buckets_.back().second;
    const bool inlined = tree_->fits_inline();
    std::uint64_t root = 0;
    if (!inlined) {
      TRY(root, tree_->finish());
    }
    append(value, root);
    append(value, std::uint64_t{0});  // its sequence, which etcd does not use
    if (inlined) value += tree_->inline_page();
    tree_.reset();
    return {};
  }

  PageOut out_;
  std::vector<std::pair<std::string, std::string>> buckets_;  // name, value
  std::optional<TreeLoader> tree_;
  std::string last_;
  std::uint64_t in_bucket_ = 0, items_ = 0;
};

class Stream {
 public:
  explicit Stream(const ByteSink& out) : out_(out) {}
  base::Status write(std::string_view bytes) {
    sha_.update(bytes);
    return pass(bytes);
  }
  base::Result<std::string> finish(bool trailer) {
    std::string digest = sha_.finish();
    if (trailer) TRY_OK(pass(digest));
    if (!block_.empty()) TRY_OK(out_(block_));
    return digest;
  }

 private:
  base::Status pass(std::string_view bytes) {
    block_ += bytes;
    if (block_.size() < kBlock) return {};
    TRY_OK(out_(block_));
    block_.clear();
    return {};
  }
  const ByteSink& out_;
  pki::Sha256 sha_;
  std::string block_;
};

// Two metas, the newer first as in a stream of etcd, and a list of free pages that is empty: with
// it bolt opens the file without a walk over all of it.
std::string first_pages(const Meta& meta) {
  std::string out;
  for (std::uint64_t page = 0; page < 2; ++page) {
    Meta copy = meta;
    copy.txid -= page;
    append_head(out, {.id = page, .flags = kMetaPage, .count = 0, .overflow = 0});
    out += meta_bytes(copy);
    out.resize((page + 1) * meta.page_size);
  }
  append_head(out, {.id = 2, .flags = kFreelistPage, .count = 0, .overflow = 0});
  out.resize(3 * std::size_t{meta.page_size});
  return out;
}

}  // namespace

base::Result<Written> write_database(const Contents& contents, const ByteSink& out,
                                     const WriteOptions& options) {
  if (!std::has_single_bit(options.page_size) || options.page_size < 1024 ||
      options.page_size > kMaxPageSize)
    return bad(fmt::format("a page size of {} bytes", options.page_size));
  Body counted(PageOut{.page_size = options.page_size, .write = {}});
  TRY_OK(contents(counted));
  TRY(const std::uint64_t root, counted.finish());
  const Meta meta{.page_size = options.page_size,
                  .root = root,
                  .sequence = 0,
                  .freelist = 2,
                  .high_water = counted.high_water(),
                  .txid = kTxid};

  Stream stream(out);
  TRY_OK(stream.write(first_pages(meta)));
  Body body(PageOut{.page_size = options.page_size,
                    .write = [&](std::string_view page) { return stream.write(page); }});
  TRY_OK(contents(body));
  TRY(const std::uint64_t again, body.finish());
  if (again != root || body.high_water() != meta.high_water || body.items() != counted.items())
    return base::fail(Code::kInternal, "the contents were not the same the second time");
  TRY(const std::string digest, stream.finish(options.trailer));
  return Written{.bytes = meta.high_water * meta.page_size,
                 .items = body.items(),
                 .sha256 = pki::to_hex(digest)};
}

}  // namespace bolt
