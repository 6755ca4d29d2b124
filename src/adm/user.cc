#include "adm/user.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "adm/certificates.h"
#include "adm/service.h"
#include "posix/files.h"
#include "posix/output_file.h"

namespace adm {
namespace {

using base::Code;
using posix::Access;

base::Status wrong(const std::string& user, std::string_view why) {
  return base::fail(Code::kInvalidArgument, fmt::format("--user: '{}' {}", user, why));
}

bool is_there(const std::string& path) {
  return posix::exists(path) != base::Fact<bool>(false);
}

// What the guard and etcd open, and how.
std::vector<std::pair<std::string, Access>> needs_of(const Host& host, const Places& places) {
  const auto files = places.member_files();
  std::vector<std::pair<std::string, Access>> out{
      {guard_program(host), Access::kRun}, {host.install_dir + "/etcd", Access::kRun},
      {files.ticket, Access::kRead},       {files.dir, Access::kChange},
      {host.data_dir, Access::kChange},    {certificate_file(host, "ca"), Access::kRead}};
  for (const char* leaf : {"server", "peer"}) {
    out.emplace_back(certificate_file(host, leaf), Access::kRead);
    out.emplace_back(key_file(host, leaf), Access::kRead);
  }
  if (host.permit == guard::Permit::kRestore && !host.restore_snapshot.empty())
    out.emplace_back(host.restore_snapshot, Access::kRead);
  const std::string member = files.data + "/member";
  for (const std::string& path :
       {files.lock, files.log, files.log + "/etcd.log", files.marker, files.data, member,
        member + "/wal", member + "/snap", member + "/snap/db"})
    if (is_there(path)) out.emplace_back(path, Access::kChange);
  return out;
}

Finding told(const posix::User& user, const posix::Obstacle& at) {
  if (at.error.code == Code::kNotFound)
    return {true, fmt::format("{} is not there, and etcd needs it", at.path), "bring it back"};
  const auto info = posix::file_info(at.path);
  const bool denied = at.error.code == Code::kPermissionDenied;
  const bool own = info && info->owner == user.uid;
  if (at.on_way)
    return {true,
            fmt::format("etcd runs as user {}, who may not go through the folder {}", user.name,
                        at.path),
            fmt::format("chmod a+x {}", at.path)};
  return {true,
          fmt::format("etcd runs as user {}, who cannot use {} ({})", user.name, at.path,
                      at.error.message),
          denied && !own ? fmt::format("chown -R {} {}", user.name, at.path)
                         : "mend what the system says of it"};
}

}  // namespace

base::Status choose_user(Flags& flags) {
  const bool asked = flags.given.contains("user") && !flags.user.empty();
  if (flags.init_system != "systemd") {
    if (asked && flags.user != kRoot)
      return wrong(flags.user, fmt::format("is for a unit of systemd: with --init-system {} etcd "
                                           "runs as who starts it",
                                           flags.init_system));
    flags.user = kRoot;
    return {};
  }
  const bool chosen = !flags.user.empty();
  if (!chosen) flags.user = posix::is_root() ? kOwnUser : kRoot;
  if (flags.user == kRoot) return {};
  const auto found = posix::find_user(flags.user);
  if (!found && found.error().code != Code::kNotFound) return std::unexpected(found.error());
  if (!found && chosen)
    return wrong(flags.user, fmt::format("is no user of this host; `useradd --system {}` makes "
                                         "one, `root` is always there",
                                         flags.user));
  if (found && !posix::is_root())
    return wrong(flags.user, "is for root alone to choose, who gives him the files");
  if (!found || found->uid == 0) flags.user = kRoot;
  return {};
}

base::Result<std::optional<posix::User>> user_of(const Host& host) {
  if (host.user.empty()) return std::optional<posix::User>();
  TRY(auto user, posix::find_user(host.user));
  return std::optional(std::move(user));
}

base::Status make_private_dir(const std::string& path) {
  const auto slash = path.rfind('/', path.find_last_not_of('/'));
  if (slash != 0 && slash != std::string::npos)
    TRY_OK(posix::make_dirs(path.substr(0, slash), 0755));
  return posix::make_dirs(path);
}

base::Status give_to_user(const Host& host, const std::string& path, bool follow) {
  TRY(const auto user, user_of(host));
  return user ? posix::give_to(*user, path, follow) : base::Status{};
}

base::Status write_for_user(const Host& host, const std::string& path, std::string_view bytes) {
  TRY(const auto user, user_of(host));
  TRY(auto file, posix::OutputFile::create(path));
  TRY_OK(file.write(bytes));
  if (user) TRY_OK(file.give_to(*user));
  return file.commit();
}

std::optional<Finding> find_barrier(const Host& host, const Places& places) {
  const auto user = user_of(host);
  if (!user)
    return Finding{true, "the unit runs etcd as its user: " + user.error().message,
                   fmt::format("useradd --system {}", host.user)};
  if (!*user || !posix::is_root()) return std::nullopt;
  for (const auto& [path, access] : needs_of(host, places)) {
    const auto obstacle = posix::find_obstacle(**user, path, access);
    if (!obstacle) return Finding{true, obstacle.error().message, "etcdadm needs to be root"};
    if (*obstacle) return told(**user, **obstacle);
  }
  return std::nullopt;
}

base::Status check_reach(const Host& host, const Places& places) {
  const auto barrier = find_barrier(host, places);
  if (!barrier) return {};
  return base::fail(Code::kFailedPrecondition,
                    fmt::format("{}; this mends it: {}", barrier->what, barrier->mend));
}

std::string told_user(const Host& host) {
  if (host.init_system != "systemd") return {};
  if (!host.user.empty()) return fmt::format("It runs as user {}.\n", host.user);
  return fmt::format("It runs as root; where a host has a user {}, it runs as that.\n", kOwnUser);
}

}  // namespace adm
