// One walk over one tree of pages; for database.cc.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "etcd/bolt/database.h"

namespace bolt {

class TreeWalk {
 public:
  using Visit = std::function<base::Status(const Element&)>;  // of leaves
  TreeWalk(const Source& source, const Meta& meta, PageSet& pages, const Visit& visit)
      : source_(source), meta_(meta), pages_(pages), visit_(visit) {}

  base::Status from(std::uint64_t root) { return page(root, 0, {}); }
  // A page that lies in the value of a bucket.
  base::Status inlined(std::string_view bytes);

 private:
  base::Result<PageHead> load_page(std::uint64_t id, std::string& buffer);
  // `least`: no key of it is less.
  base::Status page(std::uint64_t id, std::size_t depth, std::string_view least);
  base::Status leaf(std::string_view bytes, const PageHead& head, std::string_view least);
  base::Status branch(std::string_view bytes, const PageHead& head, std::size_t depth,
                      std::string_view least);
  [[nodiscard]] bool ascends(std::string_view key) const { return !any_ || last_ < key; }

  const Source& source_;
  const Meta& meta_;
  PageSet& pages_;
  const Visit& visit_;
  std::vector<std::string> buffers_;  // one for each level, kept from page to page
  std::string last_;                  // the key before, of the whole walk
  bool any_ = false;
};

}  // namespace bolt
