// Signatures by keys that somebody else made.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace pki {

// RSASSA-PKCS1-v1_5 with SHA-256, the RS256 of JSON Web Tokens. InvalidArgument: no RSA key.
base::Result<std::string> sign_rs256(std::string_view key_pem, std::string_view text);

}  // namespace pki
