#include "etcd/bolt/loader.h"

namespace bolt {
namespace {

constexpr std::size_t kMaxCount = 0xFFFE;

}  // namespace

base::Status TreeLoader::add(std::string_view key, std::string_view value) {
  const std::size_t bytes = kElement + key.size() + value.size();
  if (!pieces_.empty() && (leaf_bytes_ + bytes > out_.page_size || pieces_.size() == kMaxCount))
    TRY_OK(flush_leaf());
  if (pieces_.empty()) first_ = key;
  pieces_.push_back(
      {static_cast<std::uint32_t>(key.size()), static_cast<std::uint32_t>(value.size())});
  leaf_bytes_ += bytes;
  if (out_.write || fits_inline()) data_.append(key).append(value);
  return {};
}

std::string TreeLoader::leaf_page(std::uint64_t id, std::uint32_t overflow) const {
  std::string out;
  out.reserve(leaf_bytes_);
  append_head(out, {.id = id,
                    .flags = kLeaf,
                    .count = static_cast<std::uint16_t>(pieces_.size()),
                    .overflow = overflow});
  // Each position counts from its own element.
  std::size_t position = kElement * pieces_.size();
  for (const auto& piece : pieces_) {
    append(out, std::uint32_t{buckets_ ? 1U : 0U});
    append(out, static_cast<std::uint32_t>(position));
    append(out, piece.key_bytes);
    append(out, piece.value_bytes);
    position += std::size_t{piece.key_bytes} + piece.value_bytes - kElement;
  }
  return out += data_;
}

std::string TreeLoader::inline_page() const {
  return leaf_page(0, 0);
}

base::Result<std::uint64_t> TreeLoader::emit(
    std::size_t bytes,
    const std::function<std::string(std::uint64_t id, std::uint32_t overflow)>& page) {
  const std::uint64_t id = out_.next;
  const std::size_t count = (bytes + out_.page_size - 1) / out_.page_size;
  out_.next += count;
  if (!out_.write) return id;
  std::string full = page(id, static_cast<std::uint32_t>(count - 1));
  full.resize(count * out_.page_size);
  TRY_OK(out_.write(full));
  return id;
}

base::Status TreeLoader::flush_leaf() {
  TRY(const auto id, emit(leaf_bytes_, [&](std::uint64_t page, std::uint32_t overflow) {
        return leaf_page(page, overflow);
      }));
  flushed_ = true;
  pieces_.clear();
  data_.clear();
  leaf_bytes_ = kPageHead;
  return add_child(0, {first_, id});
}

base::Status TreeLoader::add_child(std::size_t level, Child child) {
  if (levels_.size() == level) levels_.emplace_back();
  const std::size_t bytes = kElement + child.key.size();
  const auto full = [&] {
    const Level& now = levels_[level];
    return now.bytes + bytes > out_.page_size || now.children.size() == kMaxCount;
  };
  // A branch with one child passes every check and panics in a later compaction. So that the last
  // one has two, each leaves one behind for the next.
  if (const std::size_t count = levels_[level].children.size(); full() && count >= 3)
    TRY_OK(flush_branch(level, count - 1));
  levels_[level].bytes += bytes;
  levels_[level].children.push_back(std::move(child));
  return {};
}

base::Status TreeLoader::flush_branch(std::size_t level, std::size_t count) {
  std::vector<Child> children;
  {
    Level& from = levels_[level];
    const auto middle = from.children.begin() + static_cast<std::ptrdiff_t>(count);
    children.assign(std::make_move_iterator(from.children.begin()),
                    std::make_move_iterator(middle));
    from.children.erase(from.children.begin(), middle);
    from.bytes = kPageHead;
    for (const auto& child : from.children) from.bytes += kElement + child.key.size();
  }
  std::size_t bytes = kPageHead;
  for (const auto& child : children) bytes += kElement + child.key.size();
  TRY(const auto id, emit(bytes, [&](std::uint64_t page, std::uint32_t overflow) {
        std::string out;
        append_head(out, {.id = page,
                          .flags = kBranch,
                          .count = static_cast<std::uint16_t>(children.size()),
                          .overflow = overflow});
        std::size_t position = kElement * children.size();
        for (const auto& child : children) {
          append(out, static_cast<std::uint32_t>(position));
          append(out, static_cast<std::uint32_t>(child.key.size()));
          append(out, child.page);
          position += child.key.size() - kElement;
        }
        for (const auto& child : children) out += child.key;
        return out;
      }));
  return add_child(level + 1, {std::move(children.front().key), id});
}

base::Result<std::uint64_t> TreeLoader::finish() {
  if (!pieces_.empty() || !flushed_) TRY_OK(flush_leaf());
  // A level that was never full has all its children here; the one above it grows meanwhile.
  for (std::size_t level = 0;; ++level) {
    const std::size_t count = levels_[level].children.size();
    if (level + 1 == levels_.size() && count == 1) return levels_[level].children.front().page;
    TRY_OK(flush_branch(level, count));
  }
}

}  // namespace bolt
