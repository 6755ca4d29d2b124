// Snapshots in object stores: "s3://bucket/folder/file.db", gs:// and azblob:// alike. Each is the
// file as it would be on a disk.
#pragma once

#include <string>
#include <utility>

#include "adm/context.h"
#include "base/result.h"

namespace adm {

// Whether it names a place in a store, and no file of this machine.
bool is_remote(const std::string& subject);

// A file of this machine that is gone with its object.
class Scratch {
 public:
  explicit Scratch(std::string path) : path_(std::move(path)) {}
  Scratch(Scratch&& other) noexcept : path_(std::exchange(other.path_, std::string())) {}
  Scratch& operator=(Scratch&&) = delete;
  ~Scratch();
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};
// A name in --scratch that nothing has; the file itself is its user's to write.
base::Result<Scratch> new_scratch(const Context& context);

// AlreadyExists: there is one, and nothing was changed.
base::Status put_remote(const Context& context, const std::string& file, const std::string& url);
// That it could be put there: the store answers, and nothing has the name.
base::Status check_remote(const Context& context, const std::string& url);
base::Result<Scratch> get_remote(const Context& context, const std::string& url);
// What ends in .db below a folder; nothing is looked into.
Reply list_remote(const Context& context, const std::string& url);

}  // namespace adm
