// What the Kubernetes driver does with Secrets that others took away, changed or made.
#include <gtest/gtest.h>

#include <utility>

#include "conformance/kube_driver_fixture.h"

namespace conformance {
namespace {

TEST_F(KubeDriverTest, AnAuthorityThatGotLostIsNotReplacedUnderMembersThatRun) {
  run();
  const auto data = [&](const std::string& name) {
    return *find(kube::kSecrets, name)->find("data");
  };
  const auto leaves = [&] { return std::pair(data("c-server-tls"), data("c-operator-tls")); };
  const auto expect_refused = [&](const std::string& name) {
    bench.reopen();
    for (const plan::Action& action : {plan::Action(plan::PrepareMember{"c-0"}),
                                       plan::Action(plan::IssueCertificates{{"c-0"}, true})}) {
      const auto result = apply(action);
      EXPECT_EQ(result.outcome, plan::Outcome::kRefused) << name;
      EXPECT_NE(result.text.find("Put " + name + " back"), std::string::npos) << result.text;
    }
  };
  const auto before = leaves();
  const auto peers = data("c-peer-tls");
  for (const std::string name : {"c-ca", "c-peer-ca"}) {
    const json::Value kept = *find(kube::kSecrets, name);
    bench.node.must(kube::remove(kube::kSecrets, {"default", name}));
    expect_refused(name);
    EXPECT_EQ(find(kube::kSecrets, name), nullptr);
    const auto put_back = [&](const json::Value& cert) {
      auto object = kept;
      for (const auto* field : {"uid", "resourceVersion", "creationTimestamp"})
        object["metadata"].if_object()->erase(field);
      object["data"]["tls.crt"] = cert;
      bench.node.must(kube::create(kube::kSecrets, "default", object));
    };
    put_back("AAAA");  // what it holds is not a certificate
    expect_refused(name);
    bench.node.must(kube::remove(kube::kSecrets, {"default", name}));
    if (name == "c-ca") EXPECT_EQ(leaves(), before);
    EXPECT_EQ(data("c-peer-tls"), peers);
    put_back(*kept.find("data")->find("tls.crt"));
    bench.reopen();
    EXPECT_EQ(apply(plan::PrepareMember{"c-0"}).text, "");
    EXPECT_EQ(data("c-peer-tls"), peers);
  }
}

// Whoever holds the key of an authority that members trust may do anything in etcd.
TEST_F(KubeDriverTest, ASecretOfSomebodyElseUnderOurNameIsNotTrusted) {
  found();
  ASSERT_EQ(apply(plan::PrepareMember{"c-0"}).text, "");
  for (const std::string name : {"c-ca", "c-peer-ca", "c-server-tls", "c-peer-tls"}) {
    const json::Value mine = *find(kube::kSecrets, name);
    bench.node.must(kube::remove(kube::kSecrets, {"default", name}));
    auto theirs = mine;
    for (const auto* field : {"uid", "resourceVersion", "creationTimestamp", "ownerReferences"})
      theirs["metadata"].if_object()->erase(field);
    bench.node.must(kube::create(kube::kSecrets, "default", theirs));
    const auto before = *find(kube::kSecrets, name);
    bench.reopen();
    const auto result = apply(plan::PrepareMember{"c-0"});
    EXPECT_EQ(result.outcome, plan::Outcome::kRefused) << name;
    EXPECT_NE(result.text.find(name + " is there and is not ours"), std::string::npos)
        << result.text;
    EXPECT_EQ(*find(kube::kSecrets, name), before);
    // Nor is it told of as if it were: its dates are not ours.
    const auto seen = look();
    if (name.ends_with("-ca")) EXPECT_TRUE(seen.authority_renew_at.is_unknown()) << name;
    bench.node.must(kube::remove(kube::kSecrets, {"default", name}));
    theirs["metadata"]["ownerReferences"] = *mine.at("metadata.ownerReferences");
    bench.node.must(kube::create(kube::kSecrets, "default", theirs));
    bench.reopen();
    EXPECT_EQ(apply(plan::PrepareMember{"c-0"}).text, "") << "with its owner it is ours again";
  }
}

TEST_F(KubeDriverTest, WeDialWithNobodyElsesCertificate) {
  run();
  const json::Value mine = *find(kube::kSecrets, "c-operator-tls");
  bench.node.must(kube::remove(kube::kSecrets, {"default", "c-operator-tls"}));
  bench.node.must(kube::create(kube::kSecrets, "default",
                               json::Object{{"metadata", json::Object{{"name", "c-operator-tls"}}},
                                            {"data", *mine.find("data")}}));
  bench.reopen();
  const auto seen = look();
  ASSERT_TRUE(seen.membership.is_unknown());
  EXPECT_NE(seen.membership.why().find("is not ours"), std::string::npos) << seen.membership.why();
}

TEST_F(KubeDriverTest, AnAuthorityBeginsWhereNobodyDependsOnIt) {
  run();
  // A recovery has peers of its own; those of before are meant to be cut off.
  bench.node.must(kube::remove(kube::kSecrets, {"default", "c-peer-ca"}));
  bench.reopen();
  record.incarnation = "another";
  EXPECT_EQ(apply(plan::NewPeerAuthority{}).text, "");
  EXPECT_NE(find(kube::kSecrets, "c-peer-ca"), nullptr);
  // Where its leaves are gone too, nobody is cut off.
  record.members.at("c-0").incarnation = record.incarnation;
  for (const auto* name : {"c-ca", "c-server-tls", "c-operator-tls"})
    bench.node.must(kube::remove(kube::kSecrets, {"default", name}));
  bench.reopen();
  EXPECT_EQ(apply(plan::PrepareMember{"c-0"}).text, "");
  EXPECT_NE(find(kube::kSecrets, "c-ca"), nullptr);
}

TEST_F(KubeDriverTest, WhatAUsersSecretLackedIsSeenAsSoonAsItIsThere) {
  auto& tls = bench.intent().cluster.spec.tls;
  tls.provider = api::TlsProvider::kUserSecrets;
  tls.peer_secret = "company-peer";
  EXPECT_EQ(look().user_certificates_problem, "Secret company-peer is not there");
  json::Object data{{"peer.crt", "AAAA"}, {"peer-ca.crt", "AAAA"}};
  bench.node.must(kube::create(
      kube::kSecrets, "default",
      json::Object{{"metadata", json::Object{{"name", "company-peer"}}}, {"data", data}}));
  EXPECT_EQ(look().user_certificates_problem, "Secret company-peer lacks the key peer.key");
  data["peer.key"] = "AAAA";
  bench.node.must(
      kube::merge_patch(kube::kSecrets, {"default", "company-peer"}, json::Object{{"data", data}}));
  EXPECT_EQ(look().user_certificates_problem, "");
}

}  // namespace
}  // namespace conformance
