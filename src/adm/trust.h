// What the members' running etcd show of their certificates, by handshakes with each of their
// ports: whose clients they take, and by whom their leaf is signed. It is what they loaded,
// whatever their files say.
#pragma once

#include <string>
#include <vector>

#include "adm/cluster.h"
#include "adm/context.h"
#include "base/result.h"
#include "pki/cert.h"

namespace adm {

struct Shown {
  std::string url;
  bool peer = false;
  std::string problem;  // why nothing was seen; empty: the rest is there
  pki::Certificate leaf;
  std::vector<std::string> authorities;  // the common names
};

// How far a host is on the way from one authority to the next.
enum class TrustPhase {
  kUnknown,  // it does not answer
  kOld,      // does not trust the next one yet
  kBoth,     // trusts both, its leaf is of the old one
  kLeaf,     // trusts both, its leaf is of the next one
  kNext      // the old one is gone
};
std::string_view words_of(TrustPhase phase);

struct HostTrust {
  std::string name;
  base::MemberId id;
  std::vector<Shown> ports;
  std::string problem;  // of kUnknown
};

// Of every member that has started, at the same time.
std::vector<HostTrust> look_at_trust(const Context& context, const Sight& sight);
// The least of its ports.
TrustPhase phase_of(const HostTrust& host, const pki::Certificate& next);
TrustPhase phase_of(const Shown& shown, const pki::Certificate& next);

}  // namespace adm
