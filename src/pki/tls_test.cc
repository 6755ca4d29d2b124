// Two sides of TLS that hand each other their bytes, and texts that are sealed.
#include "pki/tls.h"

#include <gtest/gtest.h>

#include "pki/cert.h"
#include "pki/issue.h"
#include "pki/secret.h"

namespace pki {
namespace {

constexpr base::Instant kNow{std::chrono::seconds(1'800'000'000)};

struct Sides {
  Pair ca = *make_ca({"authority", kNow, std::chrono::hours(1000)});
  Pair leaf = *issue(ca, {.common_name = "etcd-1",
                          .dns = {"etcd-1"},
                          .ips = {"10.0.0.5"},
                          .now = kNow,
                          .life = std::chrono::hours(10)});
};

void carry(TlsPipe& a, TlsPipe& b) {
  b.feed(a.take());
  a.feed(b.take());
}

TEST(Tls, TheClientSeesTheWholeChainAndBothTalk) {
  const Sides sides;
  auto server = TlsPipe::server(sides.leaf, sides.ca.cert);
  auto client = TlsPipe::client("etcd-1");
  ASSERT_TRUE(server) << server.error().message;
  ASSERT_TRUE(client) << client.error().message;
  bool done = false;
  for (int i = 0; i < 10 && !done; ++i) {
    const auto a = client->handshake();
    server->feed(client->take());
    const auto b = server->handshake();
    client->feed(server->take());
    ASSERT_TRUE(a && b);
    done = *a && *b;
  }
  ASSERT_TRUE(done);
  const auto chain = client->peer_chain();
  ASSERT_EQ(chain.size(), 2U);
  EXPECT_EQ(parse_certificate(chain[0])->fingerprint,
            parse_certificate(sides.leaf.cert)->fingerprint);
  EXPECT_TRUE(verify(chain[0], chain[1], kNow));
  ASSERT_TRUE(client->write("ask"));
  carry(*client, *server);
  EXPECT_EQ(*server->read(), "ask");
  const std::string much(100'000, 'x');
  ASSERT_TRUE(server->write(much));
  server->end();
  carry(*server, *client);
  EXPECT_EQ(*client->read(), much);
  EXPECT_TRUE(client->ended());
}

TEST(Tls, OtherBytesAreNoTls) {
  const Sides sides;
  auto server = TlsPipe::server(sides.leaf, sides.ca.cert);
  ASSERT_TRUE(server);
  server->feed("GET / HTTP/1.1\r\n\r\n");
  EXPECT_FALSE(server->handshake());
  EXPECT_FALSE(TlsPipe::server({sides.leaf.cert, sides.ca.key}, ""));
  EXPECT_FALSE(TlsPipe::server({"no certificate", "no key"}, ""));
}

TEST(Secret, SealedTextsOpenWithTheirKeyAndWhatIsBesideThem) {
  const auto key = derive_key("secret", "seal");
  EXPECT_NE(key, derive_key("secret", "proof"));
  EXPECT_NE(key, derive_key("secrets", "seal"));
  const auto sealed = seal(key, "beside", "plain");
  ASSERT_TRUE(sealed);
  EXPECT_EQ(sealed->find("plain"), std::string::npos);
  EXPECT_EQ(*unseal(key, "beside", *sealed), "plain");
  EXPECT_NE(*sealed, *seal(key, "beside", "plain"));
  EXPECT_FALSE(unseal(key, "other", *sealed));
  EXPECT_FALSE(unseal(derive_key("other", "seal"), "beside", *sealed));
  for (const size_t at : {size_t{0}, size_t{24}, sealed->size() - 1}) {
    auto bad = *sealed;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    EXPECT_EQ(unseal(key, "beside", bad).error().code, base::Code::kDataLoss) << at;
  }
  EXPECT_FALSE(unseal(key, "beside", "short"));
  EXPECT_TRUE(same_secret("a", "a"));
  EXPECT_FALSE(same_secret("a", "b"));
  EXPECT_FALSE(same_secret("a", "aa"));
}

}  // namespace
}  // namespace pki
