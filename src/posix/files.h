// Files and directories with the rules that make them survive a crash: what a function that writes
// or renames has reported as done is on the disk, and a failure leaves the old content whole.
// NotFound is given only for what is proven absent; a full disk is ResourceExhausted.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/fact.h"
#include "base/result.h"
#include "base/time.h"

namespace posix {

// ResourceExhausted if the file is larger than `limit` bytes.
base::Result<std::string> read_file(const std::string& path, size_t limit);

// Temporary file in the same directory, fsync, rename, fsync of the directory. The mode is exact,
// whatever the umask.
base::Status write_atomic(const std::string& path, std::string_view bytes, unsigned mode = 0600);
// Makes the file if nothing has its name; AlreadyExists otherwise, Unimplemented on a file system
// that can only replace. Durable like write_atomic.
base::Status write_new(const std::string& path, std::string_view bytes, unsigned mode = 0600);
// Into a file that is there and keeps its place, as a file that is mounted alone must: a crash may
// leave a part of it. NotFound: it is not there.
base::Status write_in_place(const std::string& path, std::string_view bytes);

// With parents; a directory that is there already is fine and keeps its mode.
base::Status make_dirs(const std::string& path, unsigned mode = 0700);
// Replaces an existing file, not a directory that holds something.
base::Status rename(const std::string& from, const std::string& to);
// Absent is fine for both. Symbolic links are removed, never followed.
base::Status remove_file(const std::string& path);
base::Status remove_tree(const std::string& path);
base::Status sync_dir(const std::string& path);

// Sorted names without "." and "..".
base::Result<std::vector<std::string>> list_dir(const std::string& path);

// Never absent: true, false, or unknown because it could not be looked at (EIO, EACCES…).
base::Fact<bool> exists(const std::string& path);

struct FileInfo {
  bool regular = false, directory = false, symlink = false;
  unsigned mode = 0;  // permission bits
  unsigned owner = 0;
  std::uint64_t size = 0, inode = 0, device = 0;
  base::Instant modified{};
};
// Follows symbolic links unless told not to.
base::Result<FileInfo> file_info(const std::string& path, bool follow = true);

// What an unprivileged user may still write to the file system of `path`.
base::Result<std::uint64_t> free_bytes(const std::string& path);

}  // namespace posix
