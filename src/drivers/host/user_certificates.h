// Certificates of the user's own, from Secrets in the forms of both API groups, checked before
// anything is made of them.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "api/cluster.h"
#include "api/objects.h"
#include "base/fact.h"
#include "base/result.h"
#include "base/time.h"

namespace host {

// Unknown: the manifests cannot be read now.
using SecretSource = std::function<base::Fact<api::Secret>(const base::ClusterKey&)>;

struct UserLeaf {
  std::string pair;   // certificate, then key
  std::string trust;  // whom its holder believes: one certificate or several
  bool operator==(const UserLeaf&) const = default;
};

// A side that is not given is issued by our own authority. Server and client come together.
struct UserCertificates {
  std::optional<UserLeaf> server, client, peer;
};

// An error names the Secret and the key, and says what is wrong; never what is in it.
base::Result<UserCertificates> read_user_certificates(const api::Tls& tls, const std::string& ns,
                                                      const SecretSource& secrets,
                                                      base::Instant now);

}  // namespace host
