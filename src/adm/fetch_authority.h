// How a host that joins gets the cluster's authority from a member, with a token.
#pragma once

#include <string>

#include "adm/context.h"
#include "adm/handover.h"
#include "adm/token.h"
#include "base/result.h"

namespace adm {

struct Pass {
  Token token;
  std::string ca_hash;  // 64 hex digits
};
// By --token or --token-file, and --ca-cert-hash; no value: none of them was given.
// InvalidArgument: one without the other, or not of their form.
base::Result<std::optional<Pass>> pass_of(const Flags& flags);

// From the host of `url`, for a host that joins or for a rotation. Nothing is sent there before it
// has shown a certificate for its name, of the authority of that hash.
base::Result<Handed> fetch_handed(const Context& context, const std::string& url, const Pass& pass,
                                  bool rotation);

// Writes ca.crt and ca.key, unless they are there and are those of the hash.
base::Status fetch_authority(const Context& context, const Host& host, const Pass& pass);

}  // namespace adm
