// The process's surroundings.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace posix {

std::optional<std::string> get_env(const std::string& name);
std::vector<std::string> environment();  // "NAME=value"
// $XDG_CACHE_HOME or ~/.cache; FailedPrecondition if neither is known.
base::Result<std::string> cache_dir();
// Of the running program, links resolved.
base::Result<std::string> own_executable();
base::Result<std::string> absolute_path(const std::string& path);  // lexical, needs not exist
// The first executable `name` in the colon-separated `path`; NotFound otherwise.
base::Result<std::string> find_program(std::string_view name, std::string_view path);
unsigned own_uid();
bool is_terminal(int fd);

}  // namespace posix
