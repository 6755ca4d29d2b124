#include "posix/env.h"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include "base/text.h"
#include "posix/errors.h"
#include "posix/files.h"

extern char** environ;

namespace posix {

using base::Code;

std::optional<std::string> get_env(const std::string& name) {
  // Nothing of ours changes the environment of this process.
  const char* value = std::getenv(name.c_str());  // NOLINT(concurrency-mt-unsafe)
  if (value == nullptr) return std::nullopt;
  return std::string(value);
}

std::vector<std::string> environment() {
  std::vector<std::string> out;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry)
    out.emplace_back(*entry);
  return out;
}

base::Result<std::string> cache_dir() {
  // An XDG path that is not absolute must be ignored, says its specification.
  if (const auto xdg = get_env("XDG_CACHE_HOME"); xdg && xdg->starts_with('/')) return *xdg;
  if (const auto home = get_env("HOME"); home && home->starts_with('/')) return *home + "/.cache";
  return base::fail(Code::kFailedPrecondition, "neither XDG_CACHE_HOME nor HOME is set");
}

base::Result<std::string> own_executable() {
  std::error_code error;
  const auto path = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return std::unexpected(from_errno(error.value(), "read /proc/self/exe"));
  return path.string();
}

base::Result<std::string> absolute_path(const std::string& path) {
  std::error_code error;
  auto absolute = std::filesystem::absolute(path, error).lexically_normal().string();
  if (error) return std::unexpected(from_errno(error.value(), path));
  while (absolute.size() > 1 && absolute.back() == '/') absolute.pop_back();
  return absolute;
}

base::Result<std::string> find_program(std::string_view name, std::string_view path) {
  for (const auto dir : base::split(path, ':')) {
    if (!dir.starts_with('/')) continue;  // never run what lies in the working directory
    auto candidate = fmt::format("{}/{}", dir, name);
    const auto info = file_info(candidate);
    if (info && info->regular && ::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return base::fail(Code::kNotFound, fmt::format("no program '{}' in {}", name, path));
}

unsigned own_uid() {
  return ::geteuid();
}

bool is_terminal(int fd) {
  return ::isatty(fd) == 1;
}

}  // namespace posix
