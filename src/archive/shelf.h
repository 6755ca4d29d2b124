// One cluster's part of a store. Everything that this module does to a store goes through it, so
// nothing outside of the cluster's root is ever touched.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "archive/names.h"
#include "objstore/store.h"

namespace archive {

// Thread-safe as the store is, which outlives it.
class Shelf {
 public:
  // `root` as root_of() gives it.
  Shelf(objstore::Store& store, std::string root) : store_(store), root_(std::move(root)) {}

  [[nodiscard]] objstore::Store& store() const { return store_; }
  [[nodiscard]] std::string where() const { return store_.name() + "/" + root_; }
  [[nodiscard]] std::string key(std::string_view below) const { return root_ + std::string(below); }
  [[nodiscard]] std::string key(const Name& name, Part part) const {
    return root_ + name.text() + std::string(suffix_of(part));
  }
  [[nodiscard]] const std::string& root() const { return root_; }

 private:
  objstore::Store& store_;
  const std::string root_;
};

}  // namespace archive
