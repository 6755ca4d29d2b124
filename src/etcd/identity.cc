#include "etcd/identity.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace etcd {
namespace {

// The first eight bytes of the SHA-1, big endian.
std::uint64_t short_sha1(std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha1(), nullptr) != 1)
    std::abort();  // the library is broken; any id would be wrong
  std::uint64_t value = 0;
  for (size_t i = 0; i < 8; ++i) value = value << 8 | digest[i];
  return value;
}

}  // namespace

base::MemberId member_id(std::vector<std::string> peer_urls, const std::string& token) {
  std::sort(peer_urls.begin(), peer_urls.end());
  std::string bytes;
  for (const auto& url : peer_urls) bytes += url;
  return {short_sha1(bytes + token)};
}

base::ClusterId cluster_id(std::vector<base::MemberId> members) {
  std::sort(members.begin(), members.end());
  std::string bytes;
  for (const auto& id : members)
    for (int shift = 56; shift >= 0; shift -= 8)
      bytes += static_cast<char>(id.value >> shift & 0xFFU);
  return {short_sha1(bytes)};
}

}  // namespace etcd
