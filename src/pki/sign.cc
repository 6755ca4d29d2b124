#include "pki/sign.h"

#include "pki/openssl.h"

namespace pki {
namespace {

using base::Code;
using ContextPtr = std::unique_ptr<EVP_MD_CTX, FreeWith<EVP_MD_CTX_free>>;

}  // namespace

base::Result<std::string> sign_rs256(std::string_view key_pem, std::string_view text) {
  TRY(const auto key, read_key(key_pem));
  if (EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_RSA)
    return base::fail(Code::kInvalidArgument, "the key is no RSA key");
  const ContextPtr context(EVP_MD_CTX_new());
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  size_t size = 0;
  if (context == nullptr ||
      EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key.get()) != 1 ||
      EVP_DigestSign(context.get(), nullptr, &size, bytes, text.size()) != 1)
    return fail_openssl(Code::kInternal, "sign");
  std::string signature(size, '\0');
  if (EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                     bytes, text.size()) != 1)
    return fail_openssl(Code::kInternal, "sign");
  signature.resize(size);
  return signature;
}

}  // namespace pki
