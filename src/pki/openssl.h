// OpenSSL's objects with owners. For this module's own sources only.
#pragma once

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

namespace pki {

template <auto Free>
struct FreeWith {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
using BioPtr = std::unique_ptr<BIO, FreeWith<BIO_free_all>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>>;
using CertPtr = std::unique_ptr<X509, FreeWith<X509_free>>;
using NamesPtr = std::unique_ptr<GENERAL_NAMES, FreeWith<GENERAL_NAMES_free>>;
using EkuPtr = std::unique_ptr<EXTENDED_KEY_USAGE, FreeWith<EXTENDED_KEY_USAGE_free>>;

// The newest text of OpenSSL's error queue, which is emptied.
std::string openssl_error();
std::unexpected<base::Error> fail_openssl(base::Code code, std::string_view what);

base::Result<CertPtr> read_certificate(std::string_view pem);
base::Result<KeyPtr> read_key(std::string_view pem);
base::Result<base::Instant> to_instant(const ASN1_TIME* time);

}  // namespace pki
