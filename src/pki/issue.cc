#include "pki/issue.h"

#include <fmt/format.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>

#include "pki/openssl.h"

namespace pki {
namespace {

using base::Code;

constexpr size_t kMaxCommonName = 64;  // X.520's upper bound

base::Result<std::string> to_pem(const KeyPtr& key) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_PKCS8PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) !=
      1)
    return fail_openssl(Code::kInternal, "write a key");
  char* data = nullptr;
  const auto size = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<size_t>(size));
}

base::Result<std::string> to_pem(const CertPtr& x) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_X509(bio.get(), x.get()) != 1)
    return fail_openssl(Code::kInternal, "write a certificate");
  char* data = nullptr;
  const auto size = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<size_t>(size));
}

base::Status set_time(ASN1_TIME* time, base::Instant at) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(at).time_since_epoch().count();
  // ASN1_TIME_set chooses the form by RFC 5280: UTCTime up to 2049.
  if (ASN1_TIME_set(time, seconds) == nullptr) return fail_openssl(Code::kInternal, "set a time");
  return {};
}

base::Status set_serial(X509* x) {
  std::array<unsigned char, 16> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1)
    return fail_openssl(Code::kUnavailable, "random bytes");
  bytes[0] = static_cast<unsigned char>((bytes[0] & 0x7FU) | 0x40U);  // positive, full length
  const std::unique_ptr<BIGNUM, FreeWith<BN_free>> number(
      BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr));
  if (number == nullptr || BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(x)) == nullptr)
    return fail_openssl(Code::kInternal, "set a serial number");
  return {};
}

base::Status add_name(X509_NAME* name, int nid, const std::string& text) {
  if (X509_NAME_add_entry_by_NID(name, nid, MBSTRING_UTF8,
                                 reinterpret_cast<const unsigned char*>(text.data()),
                                 static_cast<int>(text.size()), -1, 0) != 1)
    return fail_openssl(Code::kInvalidArgument, fmt::format("name '{}'", text));
  return {};
}

base::Status add_extension(X509* x, X509* issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, x, nullptr, nullptr, 0);
  const std::unique_ptr<X509_EXTENSION, FreeWith<X509_EXTENSION_free>> extension(
      X509V3_EXT_conf_nid(nullptr, &context, nid, value));
  if (extension == nullptr || X509_add_ext(x, extension.get(), -1) != 1)
    return fail_openssl(Code::kInternal, fmt::format("extension {}", OBJ_nid2sn(nid)));
  return {};
}

// Built as values, not as OpenSSL's comma-separated text, so that a name cannot smuggle another.
base::Status add_alternative_names(X509* x, const LeafRequest& request) {
  if (request.dns.empty() && request.ips.empty()) return {};
  const NamesPtr names(GENERAL_NAMES_new());
  const auto add = [&](int type, ASN1_STRING* value) {
    GENERAL_NAME* name = GENERAL_NAME_new();
    GENERAL_NAME_set0_value(name, type, value);
    sk_GENERAL_NAME_push(names.get(), name);
  };
  for (const auto& dns : request.dns) {
    const bool ascii =
        std::all_of(dns.begin(), dns.end(), [](char c) { return c > 32 && c < 127; });
    if (dns.empty() || dns.size() > 253 || !ascii)
      return base::fail(Code::kInvalidArgument, fmt::format("'{}' is no DNS name", dns));
    ASN1_IA5STRING* value = ASN1_IA5STRING_new();
    ASN1_STRING_set(value, dns.data(), static_cast<int>(dns.size()));
    add(GEN_DNS, value);
  }
  for (const auto& ip : request.ips) {
    ASN1_OCTET_STRING* value = a2i_IPADDRESS(ip.c_str());
    if (value == nullptr) {
      ERR_clear_error();
      return base::fail(Code::kInvalidArgument, fmt::format("'{}' is no IP address", ip));
    }
    add(GEN_IPADD, value);
  }
  if (X509_add1_ext_i2d(x, NID_subject_alt_name, names.get(), 0, X509V3_ADD_DEFAULT) != 1)
    return fail_openssl(Code::kInternal, "alternative names");
  return {};
}

struct Draft {
  CertPtr cert;
  KeyPtr key;
};

struct DraftRequest {
  std::string common_name, organization;
  base::Instant not_before{}, not_after{};
};

base::Result<Draft> draft(const DraftRequest& request) {
  if (request.common_name.empty() || request.common_name.size() > kMaxCommonName)
    return base::fail(Code::kInvalidArgument,
                      fmt::format("the common name '{}' must have 1 to {} bytes",
                                  request.common_name, kMaxCommonName));
  Draft out{CertPtr(X509_new()), KeyPtr(EVP_EC_gen("P-256"))};
  if (out.cert == nullptr || out.key == nullptr)
    return fail_openssl(Code::kInternal, "generate a key");
  X509* x = out.cert.get();
  X509_set_version(x, X509_VERSION_3);
  TRY_OK(set_serial(x));
  TRY_OK(set_time(X509_getm_notBefore(x), request.not_before));
  TRY_OK(set_time(X509_getm_notAfter(x), request.not_after));
  X509_set_pubkey(x, out.key.get());
  X509_NAME* subject = X509_get_subject_name(x);
  if (!request.organization.empty())
    TRY_OK(add_name(subject, NID_organizationName, request.organization));
  TRY_OK(add_name(subject, NID_commonName, request.common_name));
  return out;
}

base::Result<Pair> sign(const Draft& subject, EVP_PKEY* issuer_key) {
  if (X509_sign(subject.cert.get(), issuer_key, EVP_sha256()) == 0)
    return fail_openssl(Code::kInternal, "sign a certificate");
  Pair pair;
  TRY(pair.cert, to_pem(subject.cert));
  TRY(pair.key, to_pem(subject.key));
  return pair;
}

}  // namespace

base::Duration skew(base::Duration life) {
  return std::min<base::Duration>(std::chrono::minutes(5), life / 10);
}

base::Result<Pair> make_ca(const CaRequest& request) {
  if (request.life <= base::Duration(0))
    return base::fail(Code::kInvalidArgument, "a certificate needs a life above 0");
  TRY(const auto subject, draft({.common_name = request.common_name,
                                 .organization = {},
                                 .not_before = request.now - skew(request.life),
                                 .not_after = request.now + request.life}));
  X509* x = subject.cert.get();
  X509_set_issuer_name(x, X509_get_subject_name(x));
  TRY_OK(add_extension(x, x, NID_basic_constraints, "critical,CA:TRUE"));
  TRY_OK(add_extension(x, x, NID_key_usage, "critical,keyCertSign,cRLSign"));
  TRY_OK(add_extension(x, x, NID_subject_key_identifier, "hash"));
  return sign(subject, subject.key.get());
}

base::Result<Pair> issue(const Pair& ca, const LeafRequest& request) {
  if (request.life <= base::Duration(0))
    return base::fail(Code::kInvalidArgument, "a certificate needs a life above 0");
  TRY_IN("CA", const auto ca_cert, read_certificate(ca.cert));
  TRY_IN("CA", const auto ca_key, read_key(ca.key));
  if (X509_check_private_key(ca_cert.get(), ca_key.get()) != 1) {
    ERR_clear_error();
    return base::fail(Code::kFailedPrecondition, "the CA's key is not that of its certificate");
  }
  TRY(const auto ca_end, to_instant(X509_get0_notAfter(ca_cert.get())));
  if (ca_end <= request.now)
    return base::fail(Code::kFailedPrecondition, "the CA expired at " + base::to_rfc3339(ca_end));
  TRY(const auto subject, draft({.common_name = request.common_name,
                                 .organization = request.organization,
                                 .not_before = request.now - skew(request.life),
                                 .not_after = std::min(request.now + request.life, ca_end)}));
  X509* x = subject.cert.get();
  X509_set_issuer_name(x, X509_get_subject_name(ca_cert.get()));
  TRY_OK(add_extension(x, ca_cert.get(), NID_basic_constraints, "critical,CA:FALSE"));
  TRY_OK(add_extension(x, ca_cert.get(), NID_key_usage, "critical,digitalSignature"));
  TRY_OK(add_extension(x, ca_cert.get(), NID_ext_key_usage, "serverAuth,clientAuth"));
  TRY_OK(add_extension(x, ca_cert.get(), NID_subject_key_identifier, "hash"));
  TRY_OK(add_extension(x, ca_cert.get(), NID_authority_key_identifier, "keyid"));
  TRY_OK(add_alternative_names(x, request));
  return sign(subject, ca_key.get());
}

}  // namespace pki
