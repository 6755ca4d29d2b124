#include "etcd/bolt/tree.h"

#include <fmt/format.h>

namespace bolt {
namespace {

// A real tree has a fan-out of a hundred and more.
constexpr std::size_t kMaxDepth = 24;
// Grows only where values do: etcd refuses requests above a few MiB, and two of them share a page.
constexpr std::uint64_t kMaxPageBytes = std::uint64_t{256} << 20;

std::unexpected<base::Error> bad(std::uint64_t id, std::string_view why) {
  return base::fail(base::Code::kDataLoss, id == 0 ? fmt::format("inline page: {}", why)
                                                   : fmt::format("page {}: {}", id, why));
}

}  // namespace

base::Result<PageHead> TreeWalk::load_page(std::uint64_t id, std::string& buffer) {
  if (id < 2 || id >= meta_.high_water)
    return base::fail(base::Code::kDataLoss, fmt::format("a reference to page {}, and there are {}",
                                                         id, meta_.high_water));
  const std::uint64_t at = id * meta_.page_size;
  buffer.resize(meta_.page_size);
  TRY_OK(source_.read(at, buffer));
  const PageHead head = parse_head(buffer);
  if (head.id != id) return bad(id, fmt::format("its head says that it is page {}", head.id));
  if (head.flags != kBranch && head.flags != kLeaf)
    return bad(id, fmt::format("neither branch nor leaf (flags {:#x})", head.flags));
  const std::uint64_t count = std::uint64_t{head.overflow} + 1;
  if (count > meta_.high_water - id)
    return bad(id, fmt::format("{} pages long, and there are {}", count, meta_.high_water));
  if (count * meta_.page_size > kMaxPageBytes)
    return bad(id, fmt::format("{} bytes long, more than the {} that are read at once",
                               count * meta_.page_size, kMaxPageBytes));
  if (!pages_.take(id, count)) return bad(id, "it is in the tree twice");
  if (count > 1) {
    buffer.resize(static_cast<std::size_t>(count * meta_.page_size));
    TRY_OK(source_.read(at + meta_.page_size, std::span(buffer).subspan(meta_.page_size)));
  }
  return head;
}

base::Status TreeWalk::page(std::uint64_t id, std::size_t depth, std::string_view least) {
  if (depth >= kMaxDepth) return bad(id, fmt::format("the tree is deeper than {}", kMaxDepth));
  // Taken out of the list, which grows below.
  if (buffers_.size() <= depth) buffers_.resize(depth + 1);
  std::string buffer = std::move(buffers_[depth]);
  TRY(const PageHead head, load_page(id, buffer));
  TRY_OK(head.flags == kLeaf ? leaf(buffer, head, least) : branch(buffer, head, depth, least));
  // A page of a large value is let go.
  if (head.overflow < 64) buffers_[depth] = std::move(buffer);
  return {};
}

base::Status TreeWalk::inlined(std::string_view bytes) {
  if (bytes.size() < kPageHead) return bad(0, "cut");
  const PageHead head = parse_head(bytes);
  if (head.flags != kLeaf) return bad(0, fmt::format("not a leaf (flags {:#x})", head.flags));
  return leaf(bytes, head, {});
}

base::Status TreeWalk::leaf(std::string_view bytes, const PageHead& head, std::string_view least) {
  Elements elements(bytes, head);
  std::string_view previous;
  std::size_t index = 0;
  for (; const auto element = elements.next(); ++index) {
    const bool ordered =
        index == 0 ? ascends(element->key) && element->key >= least : previous < element->key;
    if (!ordered) return bad(head.id, fmt::format("key {} is out of order", index));
    previous = element->key;
    TRY_OK(visit_(*element));
  }
  if (!elements.why().empty()) return bad(head.id, elements.why());
  if (index != 0) {
    last_.assign(previous);
    any_ = true;
  }
  return {};
}

base::Status TreeWalk::branch(std::string_view bytes, const PageHead& head, std::size_t depth,
                              std::string_view least) {
  if (head.count == 0) return bad(head.id, "a branch without children");
  Elements elements(bytes, head);
  std::string_view previous = least;
  std::size_t index = 0;
  for (; const auto element = elements.next(); ++index) {
    const std::string_view key = element->key;
    // What is below the child before this one must be less, or a look-up would not find it.
    if (!ascends(key) || (index == 0 ? key < previous : key <= previous))
      return bad(head.id, fmt::format("key {} is out of order", index));
    previous = key;
    TRY_OK(page(element->child, depth + 1, key));
  }
  if (!elements.why().empty()) return bad(head.id, elements.why());
  return {};
}

}  // namespace bolt
