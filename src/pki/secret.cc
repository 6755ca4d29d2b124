#include "pki/secret.h"

#include <sodium.h>

namespace pki {
namespace {

using base::Code;

constexpr size_t kKey = crypto_aead_xchacha20poly1305_ietf_KEYBYTES;
constexpr size_t kNonce = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr size_t kTag = crypto_aead_xchacha20poly1305_ietf_ABYTES;

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* bytes_of(std::string& text) {
  return reinterpret_cast<unsigned char*>(text.data());
}

base::Status ready(std::string_view key) {
  if (key.size() != kKey) return base::fail(Code::kInternal, "a key of another size");
  if (sodium_init() < 0) return base::fail(Code::kInternal, "libsodium does not start");
  return {};
}

}  // namespace

std::string derive_key(std::string_view secret, std::string_view purpose) {
  std::string out(kKey, '\0');
  crypto_generichash_state state{};
  crypto_generichash_init(&state, nullptr, 0, kKey);
  // The length parts the two.
  const std::string head = std::to_string(purpose.size()) + ":";
  crypto_generichash_update(&state, bytes_of(head), head.size());
  crypto_generichash_update(&state, bytes_of(purpose), purpose.size());
  crypto_generichash_update(&state, bytes_of(secret), secret.size());
  crypto_generichash_final(&state, bytes_of(out), out.size());
  return out;
}

base::Result<std::string> seal(std::string_view key, std::string_view beside,
                               std::string_view plain) {
  TRY_OK(ready(key));
  std::string out(kNonce + plain.size() + kTag, '\0');
  randombytes_buf(out.data(), kNonce);
  unsigned long long size = 0;
  crypto_aead_xchacha20poly1305_ietf_encrypt(bytes_of(out) + kNonce, &size, bytes_of(plain),
                                             plain.size(), bytes_of(beside), beside.size(), nullptr,
                                             bytes_of(out), bytes_of(key));
  return out;
}

base::Result<std::string> unseal(std::string_view key, std::string_view beside,
                                 std::string_view sealed) {
  TRY_OK(ready(key));
  if (sealed.size() < kNonce + kTag)
    return base::fail(Code::kDataLoss, "too short for a sealed text");
  std::string out(sealed.size() - kNonce - kTag, '\0');
  unsigned long long size = 0;
  if (crypto_aead_xchacha20poly1305_ietf_decrypt(
          bytes_of(out), &size, nullptr, bytes_of(sealed) + kNonce, sealed.size() - kNonce,
          bytes_of(beside), beside.size(), bytes_of(sealed), bytes_of(key)) != 0)
    return base::fail(Code::kDataLoss, "sealed under another key, or changed on its way");
  return out;
}

bool same_secret(std::string_view a, std::string_view b) {
  return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace pki
