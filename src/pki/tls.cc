#include "pki/tls.h"

#include <openssl/ssl.h>

#include <array>
#include <utility>

#include "pki/openssl.h"

namespace pki {
namespace {

using base::Code;

using ContextPtr = std::unique_ptr<SSL_CTX, FreeWith<SSL_CTX_free>>;
using SslPtr = std::unique_ptr<SSL, FreeWith<SSL_free>>;

std::string pem_of(X509* certificate) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_X509(bio.get(), certificate) != 1) {
    ERR_clear_error();
    return {};
  }
  char* data = nullptr;
  const auto size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<size_t>(size)};
}

bool is_address(const std::string& host) {
  ASN1_OCTET_STRING* address = a2i_IPADDRESS(host.c_str());
  ERR_clear_error();
  const bool is = address != nullptr;
  ASN1_OCTET_STRING_free(address);
  return is;
}

base::Status add_chain(SSL_CTX* context, std::string_view chain) {
  const BioPtr bio(BIO_new_mem_buf(chain.data(), static_cast<int>(chain.size())));
  for (;;) {
    CertPtr next(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (next == nullptr) break;
    if (SSL_CTX_add1_chain_cert(context, next.get()) != 1)
      return fail_openssl(Code::kInternal, "add a certificate to the chain");
  }
  ERR_clear_error();
  return {};
}

}  // namespace

struct TlsPipe::Impl {
  ContextPtr context;
  SslPtr ssl;
  BIO* in = nullptr;   // of ssl
  BIO* out = nullptr;  // of ssl
  bool ended = false;

  static base::Result<std::unique_ptr<Impl>> make(ContextPtr context) {
    auto out = std::make_unique<Impl>();
    out->context = std::move(context);
    out->ssl = SslPtr(SSL_new(out->context.get()));
    if (out->ssl == nullptr) return fail_openssl(Code::kInternal, "begin TLS");
    out->in = BIO_new(BIO_s_mem());
    out->out = BIO_new(BIO_s_mem());
    // An empty buffer is no end: more may come.
    BIO_set_mem_eof_return(out->in, -1);
    SSL_set_bio(out->ssl.get(), out->in, out->out);
    return out;
  }
};

TlsPipe::TlsPipe(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TlsPipe::TlsPipe(TlsPipe&&) noexcept = default;
TlsPipe& TlsPipe::operator=(TlsPipe&&) noexcept = default;
TlsPipe::~TlsPipe() = default;

base::Result<TlsPipe> TlsPipe::server(const Pair& leaf, std::string_view chain) {
  TRY_IN("the server's certificate", const auto cert, read_certificate(leaf.cert));
  TRY_IN("the server's key", const auto key, read_key(leaf.key));
  ContextPtr context(SSL_CTX_new(TLS_server_method()));
  if (context == nullptr || SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION) != 1 ||
      SSL_CTX_use_certificate(context.get(), cert.get()) != 1 ||
      SSL_CTX_use_PrivateKey(context.get(), key.get()) != 1)
    return fail_openssl(Code::kFailedPrecondition, "serve TLS with this certificate");
  TRY_OK(add_chain(context.get(), chain));
  // No connection is taken up again.
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context.get(), 0);
  TRY(auto impl, Impl::make(std::move(context)));
  SSL_set_accept_state(impl->ssl.get());
  return TlsPipe(std::move(impl));
}

base::Result<TlsPipe> TlsPipe::client(const std::string& host) {
  ContextPtr context(SSL_CTX_new(TLS_client_method()));
  if (context == nullptr || SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION) != 1)
    return fail_openssl(Code::kInternal, "begin TLS");
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_NONE, nullptr);
  TRY(auto impl, Impl::make(std::move(context)));
  if (!is_address(host) && SSL_set_tlsext_host_name(impl->ssl.get(), host.c_str()) != 1)
    return fail_openssl(Code::kInvalidArgument, "the name of the host");
  SSL_set_connect_state(impl->ssl.get());
  return TlsPipe(std::move(impl));
}

void TlsPipe::feed(std::string_view bytes) {
  (void)BIO_write(impl_->in, bytes.data(), static_cast<int>(bytes.size()));
}

std::string TlsPipe::take() {
  std::string out;
  std::array<char, 16384> piece{};
  for (;;) {
    const int n = BIO_read(impl_->out, piece.data(), static_cast<int>(piece.size()));
    if (n <= 0) return out;
    out.append(piece.data(), static_cast<size_t>(n));
  }
}

base::Result<bool> TlsPipe::handshake() {
  ERR_clear_error();
  const int done = SSL_do_handshake(impl_->ssl.get());
  if (done == 1) return true;
  if (SSL_get_error(impl_->ssl.get(), done) == SSL_ERROR_WANT_READ) return false;
  return fail_openssl(Code::kUnavailable, "TLS");
}

base::Status TlsPipe::write(std::string_view plain) {
  ERR_clear_error();
  size_t written = 0;
  if (plain.empty()) return {};
  // The buffer behind it takes all.
  if (SSL_write_ex(impl_->ssl.get(), plain.data(), plain.size(), &written) != 1)
    return fail_openssl(Code::kUnavailable, "TLS");
  return {};
}

base::Result<std::string> TlsPipe::read() {
  std::string out;
  std::array<char, 16384> piece{};
  for (;;) {
    ERR_clear_error();
    size_t n = 0;
    const int done = SSL_read_ex(impl_->ssl.get(), piece.data(), piece.size(), &n);
    if (done == 1) {
      out.append(piece.data(), n);
      continue;
    }
    switch (SSL_get_error(impl_->ssl.get(), done)) {
      case SSL_ERROR_WANT_READ:
        return out;
      case SSL_ERROR_ZERO_RETURN:
        impl_->ended = true;
        return out;
      default:
        return fail_openssl(Code::kUnavailable, "TLS");
    }
  }
}

void TlsPipe::end() {
  ERR_clear_error();
  (void)SSL_shutdown(impl_->ssl.get());
  ERR_clear_error();
}

bool TlsPipe::ended() const {
  return impl_->ended;
}

std::vector<std::string> TlsPipe::peer_chain() const {
  std::vector<std::string> out;
  const auto* chain = SSL_get_peer_cert_chain(impl_->ssl.get());
  for (int i = 0; chain != nullptr && i < sk_X509_num(chain); ++i)
    if (auto pem = pem_of(sk_X509_value(chain, i)); !pem.empty()) out.push_back(std::move(pem));
  return out;
}

std::vector<std::string> TlsPipe::taken_authorities() const {
  std::vector<std::string> out;
  const auto* names = SSL_get0_peer_CA_list(impl_->ssl.get());
  for (int i = 0; names != nullptr && i < sk_X509_NAME_num(names); ++i) {
    std::array<char, 256> text{};
    if (X509_NAME_get_text_by_NID(sk_X509_NAME_value(names, i), NID_commonName, text.data(),
                                  static_cast<int>(text.size())) > 0)
      out.emplace_back(text.data());
  }
  return out;
}

}  // namespace pki
