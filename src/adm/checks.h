// What a person wrote, checked before anything is touched. Pure: the machine is given as facts.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "adm/flags.h"
#include "api/version.h"
#include "base/result.h"

namespace adm {

// What of this machine the checks need.
struct Machine {
  std::string host_name;
  std::string default_address;  // empty: it has no default route
  std::vector<std::string> addresses;
};

// A URL of a member, as `join` takes it.
struct Endpoint {
  std::string host;  // without brackets
  unsigned port = 0;
  bool operator==(const Endpoint&) const = default;
};
// "https://HOST[:PORT]"; without a port 2379. InvalidArgument says what is allowed.
base::Result<Endpoint> parse_endpoint(std::string_view text);
// "https://HOST:PORT", an IPv6 address in brackets.
std::string url_of(const std::string& host, unsigned port);

// InvalidArgument, with the flag, the value and what is allowed.
base::Status check_name(std::string_view name);
base::Status check_address(std::string_view flag, const std::string& address,
                           const Machine& machine);
base::Status check_sans(const std::vector<std::string>& sans);
base::Status check_folder(std::string_view flag, const std::string& path);
base::Status check_token_port(const Flags& flags);
base::Status check_disk_priorities(const std::vector<std::string>& lines);

// The version that a host joins with: the lowest that the members run, so that half way through an
// upgrade it is not ahead, or the one that was asked for. FailedPrecondition: its minor is none of
// those that they run. Unavailable: neither is known.
base::Result<std::string> version_to_join(const std::vector<api::Version>& running,
                                          std::string_view asked);

// Fills in what the machine says where a flag is empty, and checks all of them.
base::Status complete(Flags& flags, const Machine& machine);

}  // namespace adm
