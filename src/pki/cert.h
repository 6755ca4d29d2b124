// What a certificate says, and whether it holds.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace pki {

struct Certificate {
  std::string common_name, organization, issuer_common_name;
  std::vector<std::string> dns, ips;
  base::Instant not_before{}, not_after{};
  std::string serial;                            // hex
  std::string subject_key_id, authority_key_id;  // hex, empty if not stated
  std::string fingerprint;                       // hex SHA-256 of the whole certificate
  bool is_ca = false, server_auth = false, client_auth = false;
  bool operator==(const Certificate&) const = default;
};

// The first certificate of the text; InvalidArgument if there is none.
base::Result<Certificate> parse_certificate(std::string_view pem);
// All of them, at least one.
base::Result<std::vector<Certificate>> parse_bundle(std::string_view pem);

// FailedPrecondition with OpenSSL's reason unless the leaf chains to a CA of the bundle and every
// certificate on the way is valid at that time.
base::Status verify(std::string_view leaf_pem, std::string_view ca_bundle_pem, base::Instant at);

// InvalidArgument if one of them cannot be read.
base::Result<bool> key_matches(std::string_view key_pem, std::string_view cert_pem);

// Whether a client that dials `host` (a name or an address) accepts the certificate's names.
base::Result<bool> covers_host(std::string_view cert_pem, const std::string& host);

// Two thirds of the life: when a leaf is to be replaced.
base::Instant renew_at(const Certificate& certificate);

}  // namespace pki
