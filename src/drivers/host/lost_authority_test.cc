// What becomes of a cluster whose authority's file went.
#include <gtest/gtest.h>

#include "drivers/host/certificates.h"
#include "pki/cert.h"
#include "posix/files.h"
#include "posix/process.h"

namespace host {
namespace {

class SetClock final : public base::Clock {
 public:
  [[nodiscard]] base::Instant now() const override { return at; }
  [[nodiscard]] base::Tick tick() const override { return {}; }
  base::Instant at = std::chrono::sys_days(std::chrono::year(2026) / 11 / 21);
};

class LostAuthorityTest : public ::testing::Test {
 protected:
  LostAuthorityTest() {
    tls_.validity = std::chrono::hours(3);
    record_.incarnation = "i1";
    for (const auto* name : {"c-0", "c-1"}) {
      plan::MemberRecord member;
      member.name = name;
      member.incarnation = "i1";
      record_.members[name] = member;
    }
    look();
    for (const auto& [name, member] : record_.members) EXPECT_TRUE(prepare(name)) << name;
    record_.formation = plan::Formation::kLatched;
    look();
  }
  ~LostAuthorityTest() override { (void)posix::remove_tree(layout_.root()); }

  void look() { certificates_.set_record(record_); }
  void enter(plan::RotationPhase phase) {
    record_.rotation.phase = phase;
    look();
  }
  MemberFiles member(const std::string& name) { return layout_.member(key_, name); }
  base::Status prepare(const std::string& name) {
    return certificates_.prepare_member(tls_, name, member(name), "i1");
  }
  base::Status renew(const std::string& name) {
    return certificates_.renew_member(tls_, name, member(name), "i1");
  }
  static std::string text(const std::string& file) {
    return posix::read_file(file, 1 << 20).value_or("");
  }
  // Refused, the file is named, and nothing has taken its place.
  void expect_refused(const base::Status& done, const std::string& file) {
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, base::Code::kFailedPrecondition);
    EXPECT_NE(done.error().message.find("Put " + file + " back"), std::string::npos)
        << done.error().message;
    EXPECT_EQ(posix::exists(file), base::Fact<bool>(false));
    EXPECT_EQ(certificates_.authority_problem("i1"), done.error().message);
  }

  const base::ClusterKey key_{"default", "c"};
  SetClock clock_;
  Layout layout_{::testing::TempDir() + "host-lost-" + std::to_string(posix::own_pid())};
  const ClusterFiles cluster_ = layout_.cluster(key_);
  const std::string clients_ = pki_files(cluster_).client_ca, peers_ = peer_ca_file(cluster_, "i1");
  Certificates certificates_{cluster_, clock_};
  plan::Record record_;
  api::Tls tls_;
};

TEST_F(LostAuthorityTest, IsNotReplacedUnderMembersThatRun) {
  EXPECT_EQ(certificates_.authority_problem("i1"), "");
  for (const auto& file : {clients_, peers_}) {
    const std::string kept = text(file), server = text(leaf_files(member("c-0")).server);
    ASSERT_TRUE(posix::remove_file(file));
    expect_refused(renew("c-0"), file);
    expect_refused(prepare("c-2"), file);
    EXPECT_TRUE(prepare("c-1")) << "it has all that it needs to start";
    EXPECT_EQ(posix::exists(file), base::Fact<bool>(false));
    expect_refused(certificates_.renew_clients(tls_, "i1"), file);
    EXPECT_EQ(text(leaf_files(member("c-0")).server), server);
    ASSERT_TRUE(posix::write_new(file, kept));
    EXPECT_TRUE(renew("c-0"));
    EXPECT_EQ(certificates_.authority_problem("i1"), "");
  }
}

TEST_F(LostAuthorityTest, AListOfItAloneIsEnough) {
  for (const auto& [name, m] : record_.members) {
    ASSERT_TRUE(posix::remove_file(leaf_files(member(name)).server));
    ASSERT_TRUE(posix::remove_file(leaf_files(member(name)).peer));
  }
  ASSERT_TRUE(posix::remove_file(pki_files(cluster_).operator_leaf));
  for (const auto& file : {clients_, peers_}) {
    const std::string kept = text(file);
    ASSERT_TRUE(posix::remove_file(file));
    expect_refused(renew("c-0"), file);
    ASSERT_TRUE(posix::write_new(file, kept));
  }
}

TEST_F(LostAuthorityTest, WhatCannotBeReadMayBeOfIt) {
  for (const auto& [name, m] : record_.members)
    ASSERT_TRUE(posix::write_atomic(leaf_files(member(name)).peer_ca, "torn"));
  for (const auto& [name, m] : record_.members)
    ASSERT_TRUE(posix::remove_file(leaf_files(member(name)).peer));
  ASSERT_TRUE(posix::remove_file(peers_));
  expect_refused(prepare("c-0"), peers_);
}

// The runbook's way out when nobody has the file any more.
TEST_F(LostAuthorityTest, IsMadeAnewWhenNothingIsOfItAnyMore) {
  const std::string old = text(clients_);
  for (const auto& file : {clients_, peers_, pki_files(cluster_).operator_leaf})
    ASSERT_TRUE(posix::remove_file(file));
  for (const auto& [name, m] : record_.members) ASSERT_TRUE(posix::remove_tree(member(name).tls));
  EXPECT_EQ(certificates_.authority_problem("i1"), "");
  for (const auto& [name, m] : record_.members) EXPECT_TRUE(prepare(name)) << name;
  EXPECT_NE(text(clients_), old);
  EXPECT_TRUE(pki::verify(text(pki_files(cluster_).operator_leaf),
                          text(leaf_files(member("c-0")).client_ca), clock_.now()));
}

TEST_F(LostAuthorityTest, AnotherIncarnationBeginsItsOwn) {
  ASSERT_TRUE(posix::remove_file(peers_));
  EXPECT_TRUE(certificates_.prepare_peer_ca("i2"));
  EXPECT_TRUE(certificates_.prepare_peer_ca("i10"));
  expect_refused(certificates_.prepare_peer_ca("i1"), peers_);
}

// Nobody was promised anything yet; we must get on with what it begins.
TEST_F(LostAuthorityTest, AFormationBeginsAnother) {
  record_.formation = plan::Formation::kNone;
  look();
  ASSERT_TRUE(posix::remove_file(clients_));
  ASSERT_TRUE(prepare("c-0"));
  ASSERT_TRUE(certificates_.prepare_operator(tls_));
  EXPECT_TRUE(pki::verify(text(pki_files(cluster_).operator_leaf),
                          text(leaf_files(member("c-0")).client_ca), clock_.now()));
}

TEST_F(LostAuthorityTest, WhoHasNothingThatHoldsDoesNotStart) {
  ASSERT_TRUE(posix::remove_file(clients_));
  EXPECT_TRUE(prepare("c-0"));
  clock_.at += std::chrono::hours(4);
  expect_refused(prepare("c-0"), clients_);
}

TEST_F(LostAuthorityTest, WeGoOnToSpeakWithTheMembers) {
  const auto before = certificates_.operator_tls(tls_);
  ASSERT_TRUE(before);
  ASSERT_TRUE(posix::remove_file(clients_));
  const auto after = certificates_.operator_tls(tls_);
  ASSERT_TRUE(after) << after.error().message;
  EXPECT_EQ(after->ca, before->ca);
  EXPECT_EQ(after->cert, before->cert);
}

TEST_F(LostAuthorityTest, TheOneThatComesInIsNotReplacedOnceAMemberTrustsIt) {
  using plan::RotationPhase;
  for (const auto& file : {clients_, peers_}) {
    const std::string next = next_file(file);
    enter(RotationPhase::kPrepare);
    ASSERT_TRUE(certificates_.renew_clients(tls_, "i1"));
    ASSERT_TRUE(posix::remove_file(next));
    ASSERT_TRUE(certificates_.renew_clients(tls_, "i1")) << "no member trusts it yet";
    enter(RotationPhase::kTrust);
    ASSERT_TRUE(prepare("c-0"));
    const std::string kept = text(next);
    ASSERT_TRUE(posix::remove_file(next));
    expect_refused(prepare("c-1"), next);
    enter(RotationPhase::kReissue);
    expect_refused(renew("c-1"), next);
    ASSERT_TRUE(posix::write_new(next, kept));
    EXPECT_TRUE(renew("c-1"));
    ASSERT_TRUE(renew("c-0"));
    enter(RotationPhase::kDrop);
    for (const auto* name : {"c-0", "c-1"}) ASSERT_TRUE(prepare(name));
    EXPECT_EQ(certificates_.authority_problem("i1"), "");
    enter(RotationPhase::kNone);
    clock_.at += std::chrono::seconds(10);
  }
}

}  // namespace
}  // namespace host
