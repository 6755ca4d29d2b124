// What Secrets must hold, and what may take the place of what a member has.
#include "drivers/host/user_certificates.h"

#include <gtest/gtest.h>

#include "drivers/host/certificates.h"
#include "pki/cert.h"
#include "pki/issue.h"
#include "posix/files.h"
#include "posix/test_dir.h"

namespace host {
namespace {

const base::Instant kNow = std::chrono::sys_days(std::chrono::year(2026) / 11 / 21);

class FixedClock final : public base::Clock {
 public:
  [[nodiscard]] base::Instant now() const override { return kNow; }
  [[nodiscard]] base::Tick tick() const override { return {}; }
};

class UserCertificatesTest : public ::testing::Test {
 protected:
  UserCertificatesTest() {
    tls_.provider = api::TlsProvider::kUserSecrets;
    tls_.peer_secret = "p";
    tls_.server_secret = "s";
    tls_.operator_secret = "o";
    give(one_, one_.cert);
  }
  static pki::Pair ca(const std::string& name) {
    return *pki::make_ca({name, kNow, std::chrono::hours(1000)});
  }
  void put(const std::string& secret, const std::string& key, const pki::Pair& by,
           const std::string& trust, const std::vector<std::string>& ips = {"127.0.0.1"}) {
    pki::LeafRequest request;
    request.common_name = "x";
    request.ips = ips;
    request.now = kNow;
    request.life = std::chrono::hours(100);
    const auto leaf = *pki::issue(by, request);
    auto& to = secrets_[{"default", secret}];
    to.key = {"default", secret};
    to.data = {{key + ".crt", leaf.cert}, {key + ".key", leaf.key}, {key + "-ca.crt", trust}};
  }
  void give(const pki::Pair& by, const std::string& trust) {
    put("p", "peer", by, trust);
    put("s", "server", by, trust);
    put("o", "etcd-client", by, trust);
  }
  base::Result<UserCertificates> read() {
    return read_user_certificates(
        tls_, "default",
        [this](const base::ClusterKey& key) -> base::Fact<api::Secret> {
          const auto at = secrets_.find(key);
          if (at == secrets_.end()) return base::Fact<api::Secret>::absent();
          return at->second;
        },
        kNow);
  }
  std::string problem() {
    const auto got = read();
    return got ? "" : got.error().message;
  }

  const pki::Pair one_ = ca("one"), two_ = ca("two");
  api::Tls tls_;
  std::map<base::ClusterKey, api::Secret> secrets_;
};

TEST_F(UserCertificatesTest, WhatIsInOrderIsTaken) {
  const auto got = read();
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_TRUE(got->peer && got->server && got->client);
  EXPECT_EQ(got->peer->trust, one_.cert);
  tls_.server_secret = tls_.operator_secret = "";
  EXPECT_FALSE(read()->server);
}

TEST_F(UserCertificatesTest, WhatIsWrongIsNamed) {
  auto& peer = secrets_[{"default", "p"}];
  const auto good = peer;
  peer.data.erase("peer.key");
  EXPECT_EQ(problem(), "Secret default/p has no peer.key");
  peer = good;
  peer.data["peer.crt"] = "nonsense";
  EXPECT_NE(problem().find("Secret default/p, peer.crt: "), std::string::npos) << problem();
  peer = good;
  peer.data["peer.key"] = two_.key;
  EXPECT_NE(problem().find("is not of the key beside it"), std::string::npos) << problem();
  peer = good;
  peer.data["peer-ca.crt"] = two_.cert;
  EXPECT_NE(problem().find("peer-ca.crt does not vouch for peer.crt"), std::string::npos);
  put("p", "peer", one_, one_.cert, {"192.0.2.1"});
  EXPECT_NE(problem().find("does not name 127.0.0.1"), std::string::npos) << problem();
  secrets_.erase({"default", "p"});
  EXPECT_NE(problem().find("there is no Secret default/p"), std::string::npos) << problem();
}

TEST_F(UserCertificatesTest, ServersAndOurClientMustGetOnWithEachOther) {
  put("s", "server", two_, one_.cert);
  EXPECT_NE(problem().find("does not vouch for server.crt"), std::string::npos) << problem();
  put("s", "server", one_, two_.cert);
  EXPECT_NE(problem().find("does not vouch for etcd-client.crt"), std::string::npos) << problem();
}

class UserPlacesTest : public UserCertificatesTest {
 protected:
  UserPlacesTest() {
    for (const auto* name : {"c-0", "c-1"}) members_.push_back(layout_.member(key_, name));
    for (const auto& member : members_) EXPECT_TRUE(posix::make_dirs(member.tls));
  }
  void look() { certificates_.set_users(read(), members_); }
  void prepare_all() {
    for (const auto& member : members_)
      ASSERT_TRUE(certificates_.prepare_member(tls_, "c", member, "i1"));
  }
  void renew_all() {
    for (const auto& member : members_)
      ASSERT_TRUE(certificates_.renew_member(tls_, "c", member, "i1"));
  }
  std::string peer_trust() { return *posix::read_file(leaf_files(members_[0]).peer_ca, 1 << 20); }

  const posix::TestDir dir_;
  const base::ClusterKey key_{"default", "c"};
  const Layout layout_{dir_.path("")};
  const FixedClock clock_;
  Certificates certificates_{layout_.cluster(key_), clock_};
  std::vector<MemberFiles> members_;
};

TEST_F(UserPlacesTest, ANewAuthorityComesInByAListOfBothAndNotAtOnce) {
  look();
  prepare_all();
  EXPECT_EQ(peer_trust(), one_.cert);
  EXPECT_EQ(certificates_.user_problem(), "");
  EXPECT_FALSE(certificates_.user_change(members_[0]).leaf);

  give(two_, two_.cert);
  look();
  EXPECT_NE(certificates_.user_problem().find("must go on vouching"), std::string::npos);
  prepare_all();
  renew_all();
  EXPECT_EQ(peer_trust(), one_.cert);

  give(one_, one_.cert + two_.cert);
  look();
  EXPECT_EQ(certificates_.user_problem(), "");
  EXPECT_TRUE(certificates_.user_change(members_[0]).trust);
  prepare_all();
  EXPECT_EQ(peer_trust(), one_.cert + two_.cert);

  give(two_, one_.cert + two_.cert);
  look();
  EXPECT_TRUE(certificates_.user_change(members_[0]).leaf);
  renew_all();
  ASSERT_TRUE(certificates_.renew_clients(tls_, "i1"));
  give(two_, two_.cert);
  look();
  EXPECT_EQ(certificates_.user_problem(), "");
  EXPECT_TRUE(certificates_.user_change(members_[0]).trust);
  prepare_all();
  EXPECT_EQ(peer_trust(), two_.cert);
}

TEST_F(UserPlacesTest, WithoutTheSecretsNothingIsMadeAndWhatIsThereStays) {
  secrets_.clear();
  look();
  EXPECT_FALSE(certificates_.prepare_member(tls_, "c", members_[0], "i1"));
  give(one_, one_.cert);
  look();
  prepare_all();
  secrets_.clear();
  look();
  prepare_all();
  EXPECT_EQ(peer_trust(), one_.cert);
  EXPECT_NE(certificates_.user_problem(), "");
}

TEST_F(UserPlacesTest, TheSideThatIsNotGivenIsOurs) {
  tls_.server_secret = tls_.operator_secret = "";
  look();
  prepare_all();
  const auto server = posix::read_file(leaf_files(members_[0]).server, 1 << 20);
  ASSERT_TRUE(server);
  EXPECT_EQ(pki::parse_certificate(*server)->issuer_common_name, "etcd-client-ca");
  EXPECT_EQ(peer_trust(), one_.cert);
  EXPECT_TRUE(certificates_.operator_tls(tls_));
}

}  // namespace
}  // namespace host
