// Makes keys and certificates: ECDSA P-256, PEM texts, the time given by the caller.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace pki {

// The key is PKCS#8. Secret: it goes to files of mode 0600 and nowhere else.
struct Pair {
  std::string cert, key;
};

struct CaRequest {
  std::string common_name;  // 1 to 64 bytes
  base::Instant now{};
  base::Duration life{};
};
base::Result<Pair> make_ca(const CaRequest& request);

// For servers, clients and peers alike: both extended key usages.
struct LeafRequest {
  std::string common_name;            // 1 to 64 bytes
  std::string organization = {};      // empty: none
  std::vector<std::string> dns = {};  // "*.c.default.svc" too
  std::vector<std::string> ips = {};
  base::Instant now{};
  base::Duration life{};
};
// Valid from a little before `now`, by skew(), and never longer than its CA.
// FailedPrecondition if the CA has expired or its key is not its own.
base::Result<Pair> issue(const Pair& ca, const LeafRequest& request);

// How far a certificate's start lies before its making, for clocks that are behind: 5 minutes, and
// a tenth of a life that is short.
base::Duration skew(base::Duration life);

}  // namespace pki
