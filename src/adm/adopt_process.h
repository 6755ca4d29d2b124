// An etcd that somebody else started on this host: which process it is, and what it was told by its
// command line and its environment.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "adm/host.h"
#include "base/result.h"
#include "posix/process.h"

namespace adm {

// Flags by their names without dashes; ETCD_X counts as the flag x.
using EtcdFlags = std::map<std::string, std::string>;

struct Found {
  posix::ProcessId process;
  std::string unit;  // of systemd; empty: none
  unsigned uid = 0;  // who it runs as
  EtcdFlags flags;
};

// "--a=b", "--a b", "-a"; `environment`: "ETCD_A=b" among others.
EtcdFlags etcd_flags_of(const std::vector<std::string>& argv,
                        const std::vector<std::string>& environment);
// The unit in the words of /proc/PID/cgroup; empty: none.
std::string unit_in(const std::string& cgroup);

// The effective user in the words of /proc/PID/status; 0 if they do not say it.
unsigned uid_in(const std::string& status);

// The one with this pid, or, if it is 0, the only one. NotFound: there is none. FailedPrecondition
// names them, if there are several.
base::Result<Found> find_etcd(std::int64_t pid);
// The one whose data is in `folder` or in the folder `data` of it; the same folder by another name
// counts, one of that name in a container does not. Of a program of another name only `pid`.
base::Result<std::optional<Found>> etcd_on(const std::string& folder, std::int64_t pid);

struct Adopted {
  Host host;  // without identity, version and folders of ours
  std::string ca, server_cert, server_key, peer_cert, peer_key, client_url;
  std::vector<std::string> left_out;  // flags that will not be there after the next start
};
// FailedPrecondition: this etcd cannot be looked after as it is; the message says what to change.
base::Result<Adopted> settings_of(const EtcdFlags& flags);

}  // namespace adm
