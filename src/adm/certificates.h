// The certificates folder in the retired tool's layout: one authority, ca.crt and ca.key, and the
// leaves server, peer and etcdctl-etcd-client, each with .crt and .key (mode 0600). The keys of the
// first two are the unit's user's, all else is root's.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "adm/host.h"
#include "base/result.h"
#include "base/time.h"
#include "etcd/api.h"
#include "json/value.h"
#include "pki/issue.h"
#include "render/etcd_args.h"

namespace adm {

// Makes the authority if the folder has none, and the leaves that are missing.
base::Status make_certificates(const Host& host, base::Instant now);
// Never makes an authority. NotFound if there is none, or none that can sign what is missing; the
// message says both ways to bring it.
base::Status take_certificates(const Host& host, base::Instant now);

enum class Health { kGood, kSoon, kBad };
struct LeafReport {
  std::string name, problem;  // problem: empty if there is none
  Health health = Health::kGood;
  base::Instant expires{};
  std::int64_t days = 0;  // until then; negative: expired
  std::string fingerprint;
};
// Each certificate of the folder, the authority first. `soon`: who ends within it is kSoon.
std::vector<LeafReport> check_certificates(const Host& host, base::Instant now,
                                           base::Duration soon);
// New leaves in place of those that end within `within` or that do not hold; etcd reads them with
// its next handshakes. Gives the names. FailedPrecondition: the authority is over, or is not here.
base::Result<std::vector<std::string>> renew_certificates(const Host& host, base::Instant now,
                                                          base::Duration within);
// Those that the next call would renew.
std::vector<std::string> due_certificates(const Host& host, base::Instant now,
                                          base::Duration within);

// The parts of it that rotations and leaves for other hosts are made of.
inline constexpr std::array<const char*, 3> kLeaves{"server", "peer", "etcdctl-etcd-client"};
std::string certificate_file(const Host& host, std::string_view name);
std::string key_file(const Host& host, std::string_view name);
base::Result<pki::Pair> read_pair(const Host& host, std::string_view name);
// Both are on the disk before the first has its name: nothing but a kill between two renames leaves
// a pair of which one half is older. The key first: a key alone is no pair.
base::Status write_pair(const Host& host, std::string_view name, const pki::Pair& pair);
// A new leaf of this host in the folder.
base::Status write_leaf(const Host& host, const pki::Pair& ca, std::string_view name,
                        base::Instant now);
// The authority that signs here: the next one, once a rotation has made leaves of it.
base::Result<pki::Pair> signing_authority(const Host& host);

// How the members are dialled.
base::Result<etcd::Tls> client_tls(const std::string& certs_dir);
render::TlsPaths server_tls(const Host& host);

}  // namespace adm
