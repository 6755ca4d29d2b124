// The user that the unit lets etcd run as: what is his, and whether he can reach what he needs. The
// authority's key and etcdadm's own notes stay root's.
#pragma once

#include <optional>
#include <string>

#include "adm/findings.h"
#include "adm/host.h"
#include "base/result.h"
#include "posix/users.h"

namespace adm {

inline constexpr const char* kOwnUser = "etcd";
inline constexpr const char* kRoot = "root";

// Completes the flag: `etcd` under systemd where the host has such a user, else root.
// InvalidArgument: there is no such user, or no unit that could run as him.
base::Status choose_user(Flags& flags);
// None: it runs as root, or as who calls etcdadm. NotFound: the host has lost its user.
base::Result<std::optional<posix::User>> user_of(const Host& host);

// A folder of mode 0700; those on the way to it, where they are missing, are for all to go through.
base::Status make_private_dir(const std::string& path);
// Nothing is done where there is no user.
base::Status give_to_user(const Host& host, const std::string& path, bool follow = false);
// posix::write_atomic of a file that the user reads or replaces.
base::Status write_for_user(const Host& host, const std::string& path, std::string_view bytes);

// The first thing that would stop him at the next start.
std::optional<Finding> find_barrier(const Host& host, const Places& places);
// The same as an error: FailedPrecondition.
base::Status check_reach(const Host& host, const Places& places);

// For a person: who etcd runs as; empty where no unit says it.
std::string told_user(const Host& host);

}  // namespace adm
