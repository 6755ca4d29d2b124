#include "pki/cert.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <array>

#include "pki/digest.h"
#include "pki/openssl.h"

namespace pki {

using base::Code;

std::string openssl_error() {
  const unsigned long number = ERR_peek_last_error();
  ERR_clear_error();
  if (number == 0) return "unknown error";
  const char* reason = ERR_reason_error_string(number);
  return reason == nullptr ? fmt::format("error {:x}", number) : std::string(reason);
}

std::unexpected<base::Error> fail_openssl(Code code, std::string_view what) {
  return base::fail(code, fmt::format("{}: {}", what, openssl_error()));
}

namespace {

BioPtr memory(std::string_view text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// A key with a password must not ask for it on a terminal.
int no_password(char*, int, int, void*) {
  return -1;
}

std::string text_of(const ASN1_STRING* s) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(s)),
          static_cast<size_t>(ASN1_STRING_length(s))};
}

std::string name_entry(const X509_NAME* name, int nid) {
  const int at = X509_NAME_get_index_by_NID(name, nid, -1);
  if (at < 0) return {};
  return text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
}

std::string ip_text(const ASN1_OCTET_STRING* ip) {
  std::array<char, INET6_ADDRSTRLEN> buffer{};
  const int family = ASN1_STRING_length(ip) == 4 ? AF_INET : AF_INET6;
  if (family == AF_INET6 && ASN1_STRING_length(ip) != 16) return {};
  inet_ntop(family, ASN1_STRING_get0_data(ip), buffer.data(), buffer.size());
  return buffer.data();
}

void read_names(X509* x, Certificate& out) {
  const NamesPtr names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(x, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_DNS) out.dns.push_back(text_of(name->d.dNSName));
    if (name->type == GEN_IPADD) out.ips.push_back(ip_text(name->d.iPAddress));
  }
}

base::Result<Certificate> describe(X509* x) {
  Certificate out;
  const X509_NAME* subject = X509_get_subject_name(x);
  out.common_name = name_entry(subject, NID_commonName);
  out.organization = name_entry(subject, NID_organizationName);
  out.issuer_common_name = name_entry(X509_get_issuer_name(x), NID_commonName);
  read_names(x, out);
  TRY(out.not_before, to_instant(X509_get0_notBefore(x)));
  TRY(out.not_after, to_instant(X509_get0_notAfter(x)));
  out.serial = to_hex(text_of(X509_get0_serialNumber(x)));
  if (const auto* id = X509_get0_subject_key_id(x)) out.subject_key_id = to_hex(text_of(id));
  if (const auto* id = X509_get0_authority_key_id(x)) out.authority_key_id = to_hex(text_of(id));
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (X509_digest(x, EVP_sha256(), digest.data(), &size) != 1)
    return fail_openssl(Code::kInternal, "digest of a certificate");
  out.fingerprint = to_hex({reinterpret_cast<const char*>(digest.data()), size});
  out.is_ca = X509_check_ca(x) == 1;
  const auto usage = X509_get_extended_key_usage(x);  // all bits if the extension is absent
  out.server_auth = (usage & XKU_SSL_SERVER) != 0;
  out.client_auth = (usage & XKU_SSL_CLIENT) != 0;
  ERR_clear_error();
  return out;
}

// The certificates of a PEM text in order; other blocks are passed over.
base::Result<std::vector<CertPtr>> read_all(std::string_view pem) {
  const auto bio = memory(pem);
  std::vector<CertPtr> all;
  for (;;) {
    CertPtr x(PEM_read_bio_X509(bio.get(), nullptr, no_password, nullptr));
    if (x == nullptr) break;
    all.push_back(std::move(x));
  }
  const unsigned long number = ERR_peek_last_error();
  const bool at_end =
      ERR_GET_LIB(number) == ERR_LIB_PEM && ERR_GET_REASON(number) == PEM_R_NO_START_LINE;
  if (!at_end) return fail_openssl(Code::kInvalidArgument, "certificate");
  ERR_clear_error();
  if (all.empty()) return base::fail(Code::kInvalidArgument, "no certificate in the PEM text");
  return all;
}

}  // namespace

base::Result<CertPtr> read_certificate(std::string_view pem) {
  TRY(auto all, read_all(pem));
  return std::move(all.front());
}

base::Result<KeyPtr> read_key(std::string_view pem) {
  KeyPtr key(PEM_read_bio_PrivateKey(memory(pem).get(), nullptr, no_password, nullptr));
  if (key == nullptr) return fail_openssl(Code::kInvalidArgument, "private key");
  return key;
}

base::Result<base::Instant> to_instant(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1)
    return fail_openssl(Code::kInvalidArgument, "time of a certificate");
  const auto day = std::chrono::year(parts.tm_year + 1900) /
                   std::chrono::month(static_cast<unsigned>(parts.tm_mon + 1)) /
                   std::chrono::day(static_cast<unsigned>(parts.tm_mday));
  return std::chrono::sys_days(day) + std::chrono::hours(parts.tm_hour) +
         std::chrono::minutes(parts.tm_min) + std::chrono::seconds(parts.tm_sec);
}

base::Result<Certificate> parse_certificate(std::string_view pem) {
  TRY(const auto x, read_certificate(pem));
  return describe(x.get());
}

base::Result<std::vector<Certificate>> parse_bundle(std::string_view pem) {
  TRY(const auto all, read_all(pem));
  std::vector<Certificate> out;
  for (const auto& x : all) {
    TRY(auto certificate, describe(x.get()));
    out.push_back(std::move(certificate));
  }
  return out;
}

base::Status verify(std::string_view leaf_pem, std::string_view ca_bundle_pem, base::Instant at) {
  TRY_IN("leaf", const auto chain, read_all(leaf_pem));
  TRY_IN("CA bundle", const auto cas, read_all(ca_bundle_pem));
  const std::unique_ptr<X509_STORE, FreeWith<X509_STORE_free>> store(X509_STORE_new());
  const std::unique_ptr<X509_STORE_CTX, FreeWith<X509_STORE_CTX_free>> context(
      X509_STORE_CTX_new());
  const std::unique_ptr<STACK_OF(X509), void (*)(STACK_OF(X509)*)> others(
      sk_X509_new_null(), [](STACK_OF(X509) * s) { sk_X509_free(s); });
  for (const auto& ca : cas) X509_STORE_add_cert(store.get(), ca.get());
  for (size_t i = 1; i < chain.size(); ++i) sk_X509_push(others.get(), chain[i].get());
  if (X509_STORE_CTX_init(context.get(), store.get(), chain.front().get(), others.get()) != 1)
    return fail_openssl(Code::kInternal, "verify a certificate");
  X509_STORE_CTX_set_time(context.get(), 0,
                          std::chrono::floor<std::chrono::seconds>(at).time_since_epoch().count());
  const bool holds = X509_verify_cert(context.get()) == 1;
  ERR_clear_error();
  if (holds) return {};
  return base::fail(Code::kFailedPrecondition,
                    X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get())));
}

base::Result<bool> key_matches(std::string_view key_pem, std::string_view cert_pem) {
  TRY(const auto x, read_certificate(cert_pem));
  TRY(const auto key, read_key(key_pem));
  const bool match = X509_check_private_key(x.get(), key.get()) == 1;
  ERR_clear_error();
  return match;
}

base::Result<bool> covers_host(std::string_view cert_pem, const std::string& host) {
  TRY(const auto x, read_certificate(cert_pem));
  const bool covered = X509_check_ip_asc(x.get(), host.c_str(), 0) == 1 ||
                       X509_check_host(x.get(), host.data(), host.size(),
                                       X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, nullptr) == 1;
  ERR_clear_error();
  return covered;
}

base::Instant renew_at(const Certificate& certificate) {
  const auto life = certificate.not_after - certificate.not_before;
  return certificate.not_before + life * 2 / 3;
}

}  // namespace pki
