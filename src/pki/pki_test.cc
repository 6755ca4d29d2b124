#include <gtest/gtest.h>

#include "pki/cert.h"
#include "pki/digest.h"
#include "pki/issue.h"
#include "pki/openssl.h"
#include "pki/random.h"
#include "pki/sign.h"

namespace pki {
namespace {

using base::Code;
using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;

const base::Instant kNow = std::chrono::sys_days(std::chrono::year(2026) / 11 / 21);

Pair must(base::Result<Pair> pair) {
  EXPECT_TRUE(pair) << pair.error().message;
  return pair ? *pair : Pair();
}

Pair ca_named(const std::string& name) {
  return must(make_ca({.common_name = name, .now = kNow, .life = days(3650)}));
}

LeafRequest request() {
  return {.common_name = "c-0",
          .organization = "etcd",
          .dns = {"localhost", "*.c.default.svc"},
          .ips = {"127.0.0.1", "::1"},
          .now = kNow,
          .life = days(365)};
}

TEST(Issue, ALeafSaysWhatWasAsked) {
  const auto ca = ca_named("root");
  const auto leaf = must(issue(ca, request()));
  const auto cert = *parse_certificate(leaf.cert);
  const auto root = *parse_certificate(ca.cert);
  EXPECT_EQ(cert.common_name, "c-0");
  EXPECT_EQ(cert.organization, "etcd");
  EXPECT_EQ(cert.issuer_common_name, "root");
  EXPECT_EQ(cert.dns, (std::vector<std::string>{"localhost", "*.c.default.svc"}));
  EXPECT_EQ(cert.ips, (std::vector<std::string>{"127.0.0.1", "::1"}));
  EXPECT_EQ(cert.not_before, kNow - minutes(5));
  EXPECT_EQ(cert.not_after, kNow + days(365));
  EXPECT_TRUE(cert.server_auth);
  EXPECT_TRUE(cert.client_auth);
  EXPECT_FALSE(cert.is_ca);
  EXPECT_TRUE(root.is_ca);
  EXPECT_EQ(cert.authority_key_id, root.subject_key_id);
  EXPECT_EQ(cert.subject_key_id.size(), 40U);
  EXPECT_EQ(cert.serial.size(), 32U);
  EXPECT_EQ(cert.fingerprint.size(), 64U);
  EXPECT_NE(cert.serial, parse_certificate(must(issue(ca, request())).cert)->serial);
}

TEST(Issue, ALeafNeverOutlivesItsCaAndNoneComesFromADeadOne) {
  const auto ca = must(make_ca({.common_name = "r", .now = kNow, .life = hours(10)}));
  const auto leaf = must(issue(ca, request()));
  EXPECT_EQ(parse_certificate(leaf.cert)->not_after, kNow + hours(10));
  auto late = request();
  late.now = kNow + hours(10);
  EXPECT_EQ(issue(ca, late).error().code, Code::kFailedPrecondition);
}

TEST(Issue, BadRequestsAreRefused) {
  const auto ca = ca_named("root");
  const auto refused = [&](auto change) {
    auto r = request();
    change(r);
    const auto result = issue(ca, r);
    return !result && result.error().code == Code::kInvalidArgument;
  };
  EXPECT_TRUE(refused([](auto& r) { r.common_name = ""; }));
  EXPECT_TRUE(refused([](auto& r) { r.common_name = std::string(65, 'x'); }));
  EXPECT_TRUE(refused([](auto& r) { r.ips = {"1.2.3"}; }));
  EXPECT_TRUE(refused([](auto& r) { r.dns = {""}; }));
  EXPECT_TRUE(refused([](auto& r) { r.dns = {"a b"}; }));
  EXPECT_TRUE(refused([](auto& r) { r.life = base::Duration(0); }));
  EXPECT_FALSE(refused([](auto& r) { r.common_name = std::string(64, 'x'); }));
  // A comma does not make a second name.
  auto r = request();
  r.dns = {"a,DNS:evil"};
  EXPECT_EQ(parse_certificate(must(issue(ca, r)).cert)->dns, r.dns);
  const Pair mixed{ca.cert, ca_named("other").key};
  EXPECT_EQ(issue(mixed, request()).error().code, Code::kFailedPrecondition);
  EXPECT_EQ(issue({"", ""}, request()).error().code, Code::kInvalidArgument);
}

TEST(Verify, ChainTimeAndBundle) {
  const auto ca = ca_named("root");
  const auto other = ca_named("other");
  const auto leaf = must(issue(ca, request()));
  EXPECT_TRUE(verify(leaf.cert, ca.cert, kNow));
  EXPECT_TRUE(verify(leaf.cert, other.cert + ca.cert, kNow));
  EXPECT_TRUE(verify(leaf.cert, ca.cert, kNow + days(365) - minutes(1)));
  EXPECT_EQ(verify(leaf.cert, other.cert, kNow).error().code, Code::kFailedPrecondition);
  EXPECT_EQ(verify(leaf.cert, ca.cert, kNow + days(366)).error().message,
            "certificate has expired");
  EXPECT_EQ(verify(leaf.cert, ca.cert, kNow - hours(1)).error().message,
            "certificate is not yet valid");
  EXPECT_EQ(verify("", ca.cert, kNow).error().code, Code::kInvalidArgument);
}

// Two CAs of one name, as after a rotation: the key decides.
TEST(Verify, ACaOfTheSameNameWithAnotherKeyIsNotTheCa) {
  const auto ca = ca_named("root");
  const auto twin = ca_named("root");
  const auto leaf = must(issue(ca, request()));
  EXPECT_FALSE(verify(leaf.cert, twin.cert, kNow));
  EXPECT_TRUE(verify(leaf.cert, twin.cert + ca.cert, kNow));
}

TEST(Certificate, KeysAndHosts) {
  const auto ca = ca_named("root");
  const auto leaf = must(issue(ca, request()));
  EXPECT_TRUE(*key_matches(leaf.key, leaf.cert));
  EXPECT_FALSE(*key_matches(ca.key, leaf.cert));
  EXPECT_FALSE(key_matches("no key", leaf.cert));
  EXPECT_TRUE(*covers_host(leaf.cert, "127.0.0.1"));
  EXPECT_TRUE(*covers_host(leaf.cert, "c-7.c.default.svc"));
  EXPECT_FALSE(*covers_host(leaf.cert, "127.0.0.2"));
  EXPECT_FALSE(*covers_host(leaf.cert, "c-0"));  // a common name is no host name
}

TEST(Certificate, BadTextsAreErrors) {
  const auto ca = ca_named("root");
  for (const auto& text :
       {std::string(), std::string("x"), ca.key, ca.cert.substr(0, 200), std::string(100'000, '-')})
    EXPECT_EQ(parse_certificate(text).error().code, Code::kInvalidArgument);
  auto torn = ca.cert;
  torn[torn.size() / 2] = '!';
  EXPECT_FALSE(parse_certificate(torn));
  EXPECT_FALSE(parse_bundle(ca.cert + torn));
  EXPECT_EQ(parse_bundle(ca.cert + "\n# text\n" + ca.cert)->size(), 2U);
}

TEST(Renewal, AtTwoThirdsOfTheLife) {
  Certificate c;
  c.not_before = kNow;
  c.not_after = kNow + days(90);
  EXPECT_EQ(renew_at(c), kNow + days(60));
  EXPECT_EQ(skew(days(365)), minutes(5));
  EXPECT_EQ(skew(minutes(10)), minutes(1));
}

TEST(Digest, KnownValues) {
  EXPECT_EQ(to_hex(sha1("abc")), "a9993e364706816aba3e25717850c26c9cd0d89d");
  const std::string abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  EXPECT_EQ(to_hex(sha256("abc")), abc);
  Sha256 parts;
  parts.update("a");
  parts.update("bc");
  EXPECT_EQ(to_hex(parts.finish()), abc);
}

TEST(Random, IsLongAndDiffers) {
  EXPECT_EQ(random_hex(16)->size(), 32U);
  EXPECT_NE(*random_bytes(16), *random_bytes(16));
}

TEST(SignRs256, IsVerifiedByTheKeyAndNeedsAnRsaKey) {
  const KeyPtr key(EVP_RSA_gen(2048));
  ASSERT_NE(key, nullptr);
  const BioPtr pem(BIO_new(BIO_s_mem()));
  ASSERT_EQ(
      PEM_write_bio_PKCS8PrivateKey(pem.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr),
      1);
  char* text = nullptr;
  const auto size = BIO_get_mem_data(pem.get(), &text);
  const auto signature = sign_rs256({text, static_cast<size_t>(size)}, "a text");
  ASSERT_TRUE(signature) << signature.error().text();
  EXPECT_EQ(signature->size(), 256U);
  const auto holds = [&](std::string_view signed_text) {
    const std::unique_ptr<EVP_MD_CTX, FreeWith<EVP_MD_CTX_free>> context(EVP_MD_CTX_new());
    EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key.get());
    return EVP_DigestVerify(
               context.get(), reinterpret_cast<const unsigned char*>(signature->data()),
               signature->size(), reinterpret_cast<const unsigned char*>(signed_text.data()),
               signed_text.size()) == 1;
  };
  EXPECT_TRUE(holds("a text"));
  EXPECT_FALSE(holds("b text"));
  const auto other = make_ca({.common_name = "ca",
                              .now = base::Instant(std::chrono::days(20'000)),
                              .life = base::Duration(3'600'000)});
  ASSERT_TRUE(other);
  EXPECT_EQ(sign_rs256(other->key, "a text").error().code, base::Code::kInvalidArgument);
  EXPECT_EQ(sign_rs256("no key", "a text").error().code, base::Code::kInvalidArgument);
}

// RFC 4231, test case 2, and RFC 1321's suite.
TEST(Digests, HmacAndMd5) {
  EXPECT_EQ(to_hex(hmac_sha256("Jefe", "what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(to_hex(md5("abc")), "900150983cd24fb0d6963f7d28e17f72");
}

}  // namespace
}  // namespace pki
