// A cluster's spec to the arguments of one member's etcd, by version. Pure. Flags, not a
// configuration file: etcd ignores unknown keys of a file silently and unknown flags loudly.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/cluster.h"
#include "api/support.h"
#include "base/result.h"

namespace render {

// URLs; several are joined by a comma. `metrics` may be empty: no port of its own.
struct MemberAddresses {
  std::string listen_client, advertise_client;
  std::string listen_peer, advertise_peer;
  std::string metrics;
};

// Absolute paths. An empty certificate means plain text on that side.
struct TlsFiles {
  std::string cert, key, ca;
};
struct TlsPaths {
  TlsFiles server, peer;
  // Of the gateway's own client; empty: the server's is used, which then needs both key usages.
  TlsFiles gateway;
};

// Without --name, --data-dir and --initial-cluster*: those are the guard's, from its ticket.
// Options of the user replace ours of the same name; old and new names of a flag are the same flag,
// and feature gates are merged. An option that this version does not know is left out, see
// options_left_out(). InvalidArgument: an unknown version, or a malformed option.
base::Result<std::vector<std::string>> etcd_args(const api::ClusterSpec& spec,
                                                 const api::Version& version,
                                                 const MemberAddresses& addresses,
                                                 const TlsPaths& tls);

// What the user asked for and this version has not, for a condition; the version that the spec
// names has all, so this can only happen half way through a change of versions.
std::vector<std::string> options_left_out(const api::ClusterSpec& spec,
                                          const api::Version& version);

// 16 hex digits that change when running members must be restarted to follow the spec: flags and
// trust, on Kubernetes also what is in the pod. Without the version, the addresses and the TLS
// mode, whose changes the planner leads through Migrating.
// `trust` names the certificate authorities in use, for example their digests.
std::string template_hash(const api::ClusterSpec& spec, std::string_view trust,
                          api::Platform platform);

}  // namespace render
