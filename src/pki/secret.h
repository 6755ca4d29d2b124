// What two sides do who share a secret: keys of one purpose each, sealed texts, and comparisons
// whose time tells nothing.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace pki {

// 32 bytes that tell nothing of the secret nor of those for another purpose. The secret itself must
// be random: this is no hash for passwords.
std::string derive_key(std::string_view secret, std::string_view purpose);

// XChaCha20-Poly1305 under a key of derive_key(); `beside` is not in it, but guarded by it.
base::Result<std::string> seal(std::string_view key, std::string_view beside,
                               std::string_view plain);
// DataLoss: another key, or changed bytes.
base::Result<std::string> unseal(std::string_view key, std::string_view beside,
                                 std::string_view sealed);

bool same_secret(std::string_view a, std::string_view b);

}  // namespace pki
