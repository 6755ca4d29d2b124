// Reads the folder of manifests, each file only when it has changed.
#pragma once

#include <map>
#include <string>

#include "base/time.h"
#include "manager/intent_source.h"
#include "posix/files.h"

namespace manager {

// One thread at a time.
class ManifestFolder {
 public:
  explicit ManifestFolder(std::string path) : path_(std::move(path)) {}

  struct Result {
    base::Result<FolderLook> look;
    bool changed = true;     // something differs from the look before
    bool unsettled = false;  // a file was written a moment ago and is not read yet: look again soon
  };
  Result look(base::Instant now);

 private:
  struct Stamp {
    std::uint64_t inode = 0, size = 0;
    base::Instant modified{};
    unsigned mode = 0;
    bool young = false;  // so fresh when read that a later write may leave the same stamp
    bool failed = false;
  };
  FolderFile look_at(const std::string& name, base::Instant now, Result& result);
  bool settled(const std::string& name, base::Instant modified, base::Instant now);

  const std::string path_;
  std::map<std::string, Stamp> seen_;
  std::map<std::string, base::Instant> unsettled_since_;
  size_t others_ = 0;
  std::string last_error_;
};

}  // namespace manager
