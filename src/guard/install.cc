#include "guard/install.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "guard/disk.h"

namespace guard {
namespace {

constexpr std::size_t kMaxProgram = std::size_t{64} << 20;

base::Status link_ticket(const std::string& ticket, const std::string& at) {
  const std::string fresh = at + ".new";
  if (::unlink(fresh.c_str()) != 0 && errno != ENOENT)
    return std::unexpected(errno_error(fmt::format("unlink {}", fresh), errno));
  if (::symlink(ticket.c_str(), fresh.c_str()) != 0)
    return std::unexpected(errno_error(fmt::format("link {}", fresh), errno));
  if (std::rename(fresh.c_str(), at.c_str()) != 0)
    return std::unexpected(errno_error(fmt::format("rename {} to {}", fresh, at), errno));
  return {};
}

}  // namespace

base::Status copy_program(const std::string& from, const std::string& to) {
  TRY(const auto program, read_file(from, kMaxProgram));
  const std::string fresh = to + ".new";
  TRY_OK(write_file(fresh, program, Last::kUntilReboot));
  if (::chmod(fresh.c_str(), 0755) != 0)
    return std::unexpected(errno_error(fmt::format("chmod {}", fresh), errno));
  // A running guard of an earlier life keeps its own file.
  if (std::rename(fresh.c_str(), to.c_str()) != 0)
    return std::unexpected(errno_error(fmt::format("rename {} to {}", fresh, to), errno));
  return {};
}

base::Status install(const Install& what, const Paths& paths) {
  TRY_OK(copy_program("/proc/self/exe", what.to));
  return link_ticket(what.ticket, paths.ticket());
}

}  // namespace guard
