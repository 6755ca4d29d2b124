#include "drivers/kube/sight.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "json/json.h"

namespace k8s {
namespace {

using plan::Data;
using plan::End;
using plan::Process;

kube::Object object(const std::string& text) {
  auto value = json::parse(text);
  EXPECT_TRUE(value) << (value ? "" : value.error().message) << text;
  return std::make_shared<const json::Value>(value ? *std::move(value) : json::Value());
}

std::string verdict(guard::Class klass, const std::string& words) {
  guard::Verdict v;
  v.klass = klass;
  v.signature = words;
  v.failures = 3;
  return json::print(json::Value(guard::encode(v)));
}

class SightTest : public testing::Test {
 protected:
  SightTest() {
    member.name = "c-0";
    member.volume = "v0";
    member.ran = true;
    sight.set = set(1);
    sight.claim = claim("member", "Bound");
    sight.volume = object(R"({"metadata":{"name":"pv-1"}})");
    sight.node = node("True");
  }

  static kube::Object node(const std::string& ready, const std::string& taints = "[]") {
    return object(fmt::format(R"({{"spec":{{"taints":{}}},)"
                              R"("status":{{"conditions":[{{"type":"Ready","status":"{}"}}]}}}})",
                              taints, ready));
  }
  static kube::Object set(int replicas, int seen = 4, const std::string& extra = "") {
    guard::Ticket ticket;
    ticket.permit = guard::Permit::kData;
    ticket.initial_cluster = "c-0=https://c-0:2380";
    return object(fmt::format(
        R"({{"metadata":{{"generation":4,"annotations":{{{}}}}},"spec":{{"replicas":{},)"
        R"("template":{{"metadata":{{"annotations":{{"operator.etcd.io/ticket":{}}}}}}}}},)"
        R"("status":{{"observedGeneration":{}}}}})",
        extra, replicas, json::print(json::Value(guard::encode(ticket))), seen));
  }
  static kube::Object claim(const std::string& state, const std::string& phase) {
    return object(fmt::format(
        R"({{"metadata":{{"labels":{{"operator.etcd.io/volume-state":"{}"}},)"
        R"("annotations":{{"operator.etcd.io/volume":"v0"}}}},"status":{{"phase":"{}"}}}})",
        state, phase));
  }
  // `container`: the members of the etcd container's status.
  static kube::Object pod(const std::string& phase, const std::string& container,
                          const std::string& metadata = "", const std::string& status = "") {
    return object(
        fmt::format(R"({{"metadata":{{"name":"c-0-0"{}}},"spec":{{"nodeName":"n1"}},)"
                    R"("status":{{"phase":"{}"{},"containerStatuses":[{{"name":"etcd"{}}}]}}}})",
                    metadata, phase, status, container));
  }
  plan::MemberFacts facts() { return judge(sight, member); }

  Sight sight;
  plan::MemberRecord member;
  const std::string up = R"(,"started":true,"state":{"running":{}})";
  const std::string gone = R"(,"deletionTimestamp":"2026-01-01T00:00:00Z")";
};

TEST_F(SightTest, AStartedContainerRunsOnItsOwnData) {
  guard::Ticket ticket;
  ticket.version = "3.5.12";
  sight.pod = pod("Running", up,
                  fmt::format(R"(,"annotations":{{"operator.etcd.io/ticket":{},)"
                              R"("operator.etcd.io/template":"1f2e"}})",
                              json::print(json::Value(guard::encode(ticket)))));
  const auto seen = facts();
  EXPECT_TRUE(seen.process == Process::kRunning);
  EXPECT_TRUE(seen.data == Data::kOwn);
  EXPECT_EQ(seen.version, "3.5.12");
  EXPECT_EQ(seen.template_hash, "1f2e");
  EXPECT_TRUE(seen.ticket == plan::Permit::kData);
  EXPECT_FALSE(seen.ended);
  sight.pod = pod("Running", R"(,"started":false,"state":{"running":{}})");
  EXPECT_TRUE(facts().process == Process::kStarting);
}

TEST_F(SightTest, ANodeThatDoesNotSpeakMakesItsPodsUnknown) {
  for (const auto* phase : {"Running", "Failed", "Succeeded"}) {
    sight.pod = pod(phase, up);
    for (const auto& silent : {Found(node("Unknown")), Found(node("False")), Found::absent()}) {
      sight.node = silent;
      EXPECT_TRUE(facts().process.is_unknown()) << phase;
    }
  }
  sight.node = node("True");
  sight.pod = pod("Unknown", up);
  EXPECT_TRUE(facts().process.is_unknown());
  sight.pod = pod("Running", up, gone);
  EXPECT_TRUE(facts().process.is_unknown()) << "it may still write";
  sight.node = node("Unknown", R"([{"key":"node.kubernetes.io/out-of-service"}])");
  EXPECT_TRUE(facts().process == Process::kStopped) << "a person said that the machine is off";
}

TEST_F(SightTest, PodsThatEndedAreStopped) {
  sight.pod = pod("Failed", "", "", R"(,"reason":"Evicted","message":"disk pressure")");
  auto seen = facts();
  EXPECT_TRUE(seen.process == Process::kStopped);
  ASSERT_TRUE(seen.ended);
  EXPECT_EQ(seen.ended->end, End::kNode);
  EXPECT_EQ(seen.ended->text, "Evicted: disk pressure");
  EXPECT_TRUE(seen.data == Data::kOwn);
  sight.pod = pod("Running", R"(,"state":{"terminated":{"reason":"Completed"}})", gone);
  EXPECT_TRUE(facts().process == Process::kStopped);
}

TEST_F(SightTest, WhatHoldsAPodUpIsToldInTheServersWords) {
  sight.pod = pod("Pending", "", "",
                  R"(,"conditions":[{"type":"PodScheduled","status":"False",)"
                  R"("reason":"Unschedulable","message":"0/3 nodes are available"}])");
  auto seen = facts();
  EXPECT_TRUE(seen.process == Process::kBackoff);
  EXPECT_EQ(seen.ended->end, End::kNode);
  EXPECT_NE(seen.ended->text.find("0/3 nodes are available"), std::string::npos);
  sight.pod =
      pod("Pending", R"(,"state":{"waiting":{"reason":"ImagePullBackOff","message":"not found"}})");
  seen = facts();
  EXPECT_TRUE(seen.process == Process::kBackoff);
  EXPECT_EQ(seen.ended->end, End::kConfig) << "a new pod would have the same";
  sight.pod = pod("Pending", R"(,"state":{"waiting":{"reason":"ContainerCreating"}})");
  EXPECT_TRUE(facts().process == Process::kStarting);
  sight.pod = Found::absent();
  EXPECT_TRUE(facts().process == Process::kStarting) << "its set is about to make it";
  sight.refusal = "exceeded quota: pods=3";
  seen = facts();
  EXPECT_TRUE(seen.process == Process::kBackoff);
  EXPECT_EQ(seen.ended->text, "exceeded quota: pods=3");
}

TEST_F(SightTest, TheGuardsVerdictComesByTheTerminationMessage) {
  const auto crashed = [&](guard::Class klass) {
    return pod("Running", fmt::format(R"(,"state":{{"waiting":{{"reason":"CrashLoopBackOff"}}}},)"
                                      R"("lastState":{{"terminated":{{"message":{}}}}})",
                                      verdict(klass, "etcd's words")));
  };
  struct Case {
    guard::Class klass;
    End end;
    Data data;
  };
  for (const auto& c : {Case{guard::Class::kDataLost, End::kDataLost, Data::kOlder},
                        Case{guard::Class::kDataCorrupt, End::kDataCorrupt, Data::kCorrupt},
                        Case{guard::Class::kForeign, End::kForeign, Data::kForeign},
                        Case{guard::Class::kNoVolume, End::kNoVolume, Data::kNoMarker},
                        Case{guard::Class::kRetry, End::kRetry, Data::kOwn},
                        Case{guard::Class::kRemoved, End::kRemoved, Data::kOwn}}) {
    sight.pod = crashed(c.klass);
    const auto seen = facts();
    EXPECT_TRUE(seen.process == Process::kBackoff);
    ASSERT_TRUE(seen.ended);
    EXPECT_EQ(seen.ended->end, c.end);
    EXPECT_EQ(seen.ended->text, "etcd's words");
    EXPECT_EQ(seen.ended->failures, 3U);
    EXPECT_TRUE(seen.data == c.data);
  }
  // Without the guard's words nothing is said of the data.
  sight.pod = pod("Running", R"(,"state":{"terminated":{"reason":"OOMKilled"}})");
  EXPECT_EQ(facts().ended->end, End::kNode);
  EXPECT_TRUE(facts().data == Data::kOwn);
}

TEST_F(SightTest, ASurvivorThatCannotBeReadEndsItsRestore) {
  member.permit = plan::Permit::kRestore;
  const auto failed = [](const char* code) {
    return object(std::string(R"({"spec":{"nodeName":"n1"},"status":{"phase":"Pending",
      "initContainerStatuses":[{"name":"survivor","state":{"waiting":{"reason":"CrashLoopBackOff"}},
      "lastState":{"terminated":{"message":"its log is torn","exitCode":)") +
                  code + "}}}]}}");
  };
  sight.pod = failed("11");
  EXPECT_TRUE(facts().process == Process::kBackoff);
  EXPECT_EQ(facts().ended->end, End::kDataCorrupt);
  EXPECT_NE(facts().ended->text.find("its log is torn"), std::string::npos);
  sight.pod = failed("5");
  EXPECT_EQ(facts().ended->end, End::kRetry);
}

TEST_F(SightTest, AStoppedSetKeepsTheLastVerdict) {
  sight.set = set(0);
  sight.pod = Found::absent();
  EXPECT_TRUE(facts().process == Process::kStopped);
  EXPECT_EQ(facts().ended->end, End::kStopped);
  sight.set = set(0, 4, R"("operator.etcd.io/verdict":)" + verdict(guard::Class::kDataLost, "x"));
  EXPECT_EQ(facts().ended->end, End::kDataLost);
  EXPECT_TRUE(facts().data == Data::kOlder);
  sight.set = Found::unknown("not listed");
  EXPECT_TRUE(facts().process.is_unknown());
  sight.set = Found::absent();
  EXPECT_TRUE(facts().process == Process::kStopped);
  EXPECT_TRUE(facts().ticket.is_absent());
}

TEST_F(SightTest, ATicketCountsOnceItsControllerHasSeenIt) {
  sight.pod = Found::absent();
  sight.set = set(1, 3);
  EXPECT_TRUE(facts().ticket.is_unknown());
  EXPECT_EQ(facts().ticket_members, 0);
}

TEST_F(SightTest, WhichMembersItBeginsWithItsPodSays) {
  EXPECT_EQ(facts().ticket_members, 1);
  guard::Ticket before;
  before.initial_cluster = "c-0=https://c-0:2380,c-1=https://c-1:2380";
  sight.pod = pod("Running", R"(,"started":false,"state":{"running":{}})",
                  fmt::format(R"(,"annotations":{{"operator.etcd.io/ticket":{}}})",
                              json::print(json::Value(guard::encode(before)))));
  EXPECT_EQ(facts().ticket_members, 2) << "the set's was written, the pod's not yet";
}

TEST_F(SightTest, OnlyWhatTheServerSaysIsGoneIsALoss) {
  sight.set = set(0);
  sight.pod = Found::absent();
  EXPECT_TRUE(facts().data == Data::kOwn);
  sight.claim = claim("forming", "Bound");
  EXPECT_TRUE(facts().data.is_unknown());
  sight.claim = claim("member", "Pending");
  EXPECT_TRUE(facts().data.is_unknown());
  sight.claim = Found::unknown("not listed");
  EXPECT_TRUE(facts().data.is_unknown());
  for (const auto& claim_seen : {Found(claim("member", "Lost")), Found::absent()}) {
    sight.claim = claim_seen;
    sight.volume = Found::unknown("no right");
    EXPECT_TRUE(facts().data.is_unknown());
    sight.volume = object(R"({"metadata":{"name":"pv-1"}})");
    EXPECT_TRUE(facts().data.is_unknown()) << "its data may still be mounted";
    sight.volume = Found::absent();
    EXPECT_TRUE(facts().data == Data::kBlank);
  }
  member.ran = false;
  EXPECT_TRUE(facts().data.is_absent()) << "there never was any";
  sight.claim = claim("member", "Bound");
  member.volume = "another";
  EXPECT_TRUE(facts().data == Data::kForeign);
}

TEST_F(SightTest, AClaimThatIsBeingDeletedUnderItsPodIsSeen) {
  sight.pod = pod("Running", up);
  EXPECT_FALSE(facts().volume_going);
  sight.claim =
      object(R"({"metadata":{"deletionTimestamp":"2026-11-21T12:00:00Z",)"
             R"("labels":{"operator.etcd.io/volume-state":"member"},)"
             R"("annotations":{"operator.etcd.io/volume":"v0"}},"status":{"phase":"Bound"}})");
  EXPECT_TRUE(facts().volume_going);
  EXPECT_TRUE(facts().data == Data::kOwn) << "until its pod ends";
}

TEST_F(SightTest, WhatIsPutAwayIsAbsent) {
  member.phase = plan::Phase::kRetired;
  sight.pod = sight.set = Found::absent();
  sight.claim = claim("removed", "Bound");
  EXPECT_TRUE(facts().data.is_absent());
  sight.claim = Found::absent();
  EXPECT_TRUE(facts().data.is_absent());
}

TEST_F(SightTest, DataInThePodIsNeverProvenLostByAMissingPod) {
  sight.has_claims = false;
  sight.claim = sight.pod = sight.volume = Found::absent();
  EXPECT_TRUE(facts().data.is_unknown());
  member.ran = false;
  EXPECT_TRUE(facts().data.is_absent());
}

}  // namespace
}  // namespace k8s
