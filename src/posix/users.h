// Users of this machine: whose a file is, and what one of them could do with it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace posix {

struct User {
  std::string name;
  unsigned uid = 0, gid = 0;
  std::vector<unsigned> groups = {};  // all of them, `gid` too
};
// NotFound: this machine has none of that name, or of that number.
base::Result<User> find_user(const std::string& name);
base::Result<User> find_user(unsigned uid);
bool is_root();  // this process: it may give files away

// The file becomes that user's and his group's, if it is another user's. A link is not followed but
// by `follow`.
base::Status give_to(const User& user, const std::string& path, bool follow = false);
// Everybody may go through the folder to what is in it; its names stay as they are.
base::Status let_pass(const std::string& folder);
base::Status let_read(const std::string& file);  // everybody

enum class Access { kRead, kRun, kChange };
struct Obstacle {
  std::string path;   // what stops the user: a folder on the way, or the file itself
  base::Error error;  // of the system
  bool on_way = false;
};
// What the kernel says to that user; none: nothing stops him. Only for root. A relative path is
// InvalidArgument.
base::Result<std::optional<Obstacle>> find_obstacle(const User& user, const std::string& path,
                                                    Access access);

}  // namespace posix
