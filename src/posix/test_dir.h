// For tests: a directory of its own that is removed at the end.
#pragma once

#include <stdlib.h>

#include <string>

#include "posix/files.h"

namespace posix {

class TestDir {
 public:
  TestDir() {
    std::string name = "/tmp/eo-test-XXXXXX";
    root_ = ::mkdtemp(name.data()) == nullptr ? std::string("/nonexistent") : name;
  }
  TestDir(const TestDir&) = delete;
  TestDir& operator=(const TestDir&) = delete;
  ~TestDir() { [[maybe_unused]] const auto status = remove_tree(root_); }
  [[nodiscard]] std::string path(const std::string& name) const {
    return name.empty() ? root_ : root_ + "/" + name;
  }

 private:
  std::string root_;
};

}  // namespace posix
