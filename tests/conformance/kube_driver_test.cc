// What only the driver for Kubernetes does, over the fake API server and one fake node.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/base64.h"
#include "base/text.h"
#include "conformance/kube_driver_fixture.h"
#include "engine/record_codec.h"
#include "pki/cert.h"
#include "plan/plan.h"
#include "sim/world/operator.h"

namespace conformance {
namespace {

using base::Code;
using plan::Outcome;
using plan::Process;

TEST_F(KubeDriverTest, ObjectsOfOthersAreNeverTouched) {
  found();
  auto& node = bench.node;
  const json::Value theirs = json::Object{
      {"metadata",
       json::Object{{"name", "c"}, {"labels", json::Object{{"operator.etcd.io/cluster", "c"}}}}},
      {"spec", json::Object{{"selector", json::Object{{"app", "theirs"}}}}}};
  node.must(kube::create(kube::kServices, "default", theirs));
  const auto before = *find(kube::kServices, "c");
  const auto prepared = apply(plan::PrepareMember{"c-0"});
  EXPECT_EQ(prepared.outcome, Outcome::kRefused);
  EXPECT_NE(prepared.text.find("is not ours"), std::string::npos) << prepared.text;
  EXPECT_EQ(*find(kube::kServices, "c"), before);
  const auto seen = look();
  EXPECT_EQ(seen.foreign_objects, std::vector{prepared.text});
  const auto status = plan::plan(bench.intent(), record, seen, node.world.now()).status;
  const auto* told = api::find_condition(status, api::ConditionType::kForeignObjects);
  ASSERT_NE(told, nullptr);
  EXPECT_EQ(told->message.find(prepared.text), 0U) << told->message;
  node.must(kube::remove(kube::kServices, {"default", "c"}));
  EXPECT_EQ(look().foreign_objects, std::vector<std::string>{}) << "nothing has to be tried again";
  node.must(kube::create(kube::kStatefulSets, "default",
                         json::Object{{"metadata", json::Object{{"name", "c-0"}}},
                                      {"spec", json::Object{{"replicas", 3}}}}));
  EXPECT_EQ(apply(plan::StartMember{"c-0"}).outcome, Outcome::kRefused);
  EXPECT_EQ(apply(plan::StopMember{"c-0"}).outcome, Outcome::kRefused);
  EXPECT_EQ(json::get_int(*find(kube::kStatefulSets, "c-0"), "spec.replicas"), 3);
}

TEST_F(KubeDriverTest, OfTwoOperatorsOneKeepsTheRecord) {
  found();
  KubeBench& a = bench;
  ASSERT_TRUE(a.driver().load_record());
  // Another one stores its own.
  a.node.must(kube::merge_patch(
      kube::kConfigMaps, {"default", "c-record"},
      json::Object{{"metadata", json::Object{{"labels", json::Object{{"x", "y"}}}}}}));
  record.epoch = 5;
  const auto saved = a.driver().save_record(record);
  ASSERT_FALSE(saved);
  EXPECT_EQ(saved.error().code, Code::kAborted);
  const auto loaded = a.driver().load_record();
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->record.epoch, 0);
  EXPECT_TRUE(a.driver().save_record(record));
}

TEST_F(KubeDriverTest, ASaveWithoutAnAnswerIsSettledByReading) {
  found();
  record.epoch = 3;
  bench.node.server.befall("patch configmaps", sim::KubeServer::Fate::kLostAnswer);
  EXPECT_TRUE(bench.driver().save_record(record));
  record.epoch = 4;
  bench.node.server.befall("patch configmaps", sim::KubeServer::Fate::kLostRequest);
  const auto saved = bench.driver().save_record(record);
  ASSERT_FALSE(saved);
  EXPECT_EQ(saved.error().code, Code::kUnavailable);
  EXPECT_TRUE(bench.driver().save_record(record)) << "the same again";
}

TEST_F(KubeDriverTest, AClaimThatIsGoneIsNotMadeAnew) {
  run();
  ASSERT_EQ(apply(plan::StopMember{"c-0"}).outcome, Outcome::kDone);
  EXPECT_TRUE(facts("c-0").data == plan::Data::kOwn);
  bench.node.must(kube::remove(kube::kClaims, {"default", "data-c-0"}));
  EXPECT_TRUE(facts("c-0").data == plan::Data::kBlank) << "claim and volume are gone: proof";
  EXPECT_EQ(apply(plan::StartMember{"c-0"}).outcome, Outcome::kRefused);
  EXPECT_EQ(find(kube::kClaims, "data-c-0"), nullptr);
}

// One that stood by with watches that fell silent before the members were made.
TEST_F(KubeDriverTest, WhatAWatchHasNotSeenIsNoProofOfALoss) {
  sim::NodeMachine machine(bench.node);
  sim::WorldRandom random(bench.node.world);
  sim::NoLog log;
  const auto behind = machine.platform(random, log);
  behind->look({});
  run();
  const auto driver = behind->driver(bench.intent().cluster.key);
  const auto seen = [&] {
    return driver->observe({bench.intent(), record}, false, {}).members.at("c-0");
  };
  EXPECT_TRUE(seen().data.is_unknown()) << "its claim is there";
  EXPECT_TRUE(seen().process.is_unknown());
  EXPECT_FALSE(seen().ended);
  ASSERT_EQ(apply(plan::StopMember{"c-0"}).outcome, Outcome::kDone);
  bench.node.must(kube::remove(kube::kClaims, {"default", "data-c-0"}));
  EXPECT_TRUE(seen().data.is_unknown()) << "its volume is there";
  bench.refresh();  // that goes too
  bench.node.server.befall("get persistentvolumeclaims", sim::KubeServer::Fate::kUnavailable);
  EXPECT_TRUE(seen().data.is_unknown()) << "nobody answered";
  bench.node.server.befall("list persistentvolumes", sim::KubeServer::Fate::kUnavailable);
  EXPECT_TRUE(seen().data.is_unknown()) << "nobody answered";
  EXPECT_TRUE(seen().data == plan::Data::kBlank) << "the server says that both are gone";
}

TEST_F(KubeDriverTest, AClaimOfAnotherVolumeIsNeitherMarkedNorDeleted) {
  run();
  ASSERT_EQ(apply(plan::StopMember{"c-0"}).outcome, Outcome::kDone);
  bench.node.must(kube::merge_patch(
      kube::kClaims, {"default", "data-c-0"},
      json::Object{{"metadata", json::Object{{"annotations",
                                              json::Object{{std::string(render::kVolumeAnnotation),
                                                            "another"}}}}}}));
  const auto ticket = apply(plan::WriteTicket{"c-0"});
  EXPECT_EQ(ticket.outcome, Outcome::kRefused);
  EXPECT_NE(ticket.text.find("of another volume"), std::string::npos) << ticket.text;
  const auto before = *find(kube::kClaims, "data-c-0");
  record.members.at("c-0").phase = plan::Phase::kRetired;
  EXPECT_EQ(apply(plan::PutAside{"c-0", true}).text, "");
  EXPECT_EQ(find(kube::kStatefulSets, "c-0"), nullptr);
  ASSERT_NE(find(kube::kClaims, "data-c-0"), nullptr);
  EXPECT_EQ(*find(kube::kClaims, "data-c-0"), before);
}

TEST_F(KubeDriverTest, AClaimThatNoVolumeWasBoundToGoesWithItsMember) {
  bench.node.no_volumes = true;
  found();
  ASSERT_EQ(apply(plan::PrepareMember{"c-0"}).text, "");
  record.members.at("c-0").phase = plan::Phase::kRetired;
  EXPECT_EQ(apply(plan::PutAside{"c-0", false}).text, "");
  EXPECT_NE(find(kube::kClaims, "data-c-0"), nullptr) << "nobody says that it is not bound";
  bench.node.must(
      kube::of_part(kube::merge_patch(kube::kClaims, {"default", "data-c-0"},
                                      json::Object{{"status", json::Object{{"phase", "Pending"}}}}),
                    "status"));
  EXPECT_EQ(apply(plan::PutAside{"c-0", false}).text, "");
  EXPECT_EQ(find(kube::kClaims, "data-c-0"), nullptr);
}

TEST_F(KubeDriverTest, ASilentNodeMakesItsMemberUnknown) {
  run();
  EXPECT_TRUE(facts("c-0").process == Process::kRunning);
  bench.node.must(kube::of_part(
      kube::merge_patch(
          kube::kNodes, {"", "n1"},
          json::Object{{"status", json::Object{{"conditions",
                                                json::Array{json::Object{
                                                    {"type", "Ready"}, {"status", "Unknown"}}}}}}}),
      "status"));
  EXPECT_TRUE(facts("c-0").process.is_unknown());
  bench.node.must(kube::remove(kube::kNodes, {"", "n1"}));
  EXPECT_TRUE(facts("c-0").process.is_unknown());
}

TEST_F(KubeDriverTest, AStopThatTakesLongMayHaveHappened) {
  run();
  bench.node.kubelet_is_silent = true;
  EXPECT_EQ(apply(plan::StopMember{"c-0"}).outcome, Outcome::kMayHaveHappened);
  EXPECT_TRUE(facts("c-0").process.is_unknown()) << "its pod is being deleted";
  bench.node.kubelet_is_silent = false;
  EXPECT_EQ(apply(plan::StopMember{"c-0"}).outcome, Outcome::kDone);
}

TEST_F(KubeDriverTest, ALossThatTheGuardFoundIsKeptWhenItsPodIsStopped) {
  run();
  bench.node.world.kill_guard("c-0");
  bench.node.world.lose_data("c-0");
  bench.node.world.start_guard("c-0");
  auto seen = facts("c-0");
  EXPECT_TRUE(seen.process == Process::kBackoff);
  ASSERT_TRUE(seen.ended);
  EXPECT_EQ(seen.ended->end, plan::End::kDataLost);
  ASSERT_EQ(apply(plan::StopMember{"c-0"}).outcome, Outcome::kDone);
  seen = facts("c-0");
  EXPECT_TRUE(seen.process == Process::kStopped);
  ASSERT_TRUE(seen.ended);
  EXPECT_EQ(seen.ended->end, plan::End::kDataLost);
}

TEST_F(KubeDriverTest, AStatusIsWrittenOnlyWhenItSaysSomethingElse) {
  found();
  api::ClusterStatus status;
  status.desired_size = 1;
  status.observed_at = bench.node.clock.now();
  ASSERT_TRUE(bench.driver().publish(status, {}));
  const auto* object = find(kube::kEtcdClusters, "c");
  EXPECT_EQ(text_at(*object, "status.selector"), "operator.etcd.io/cluster=c");
  const auto before = bench.node.server.changes();
  status.observed_at = bench.node.clock.now() + base::Duration(10'000);
  ASSERT_TRUE(bench.driver().publish(status, {}));
  EXPECT_EQ(bench.node.server.changes(), before);
  status.desired_size = 2;
  const std::vector<plan::Event> events{{plan::Reason::kBootstrap, false, "it begins"}};
  ASSERT_TRUE(bench.driver().publish(status, events));
  EXPECT_GT(bench.node.server.changes(), before);
  const auto told = bench.node.all(kube::kEvents);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(text_at(told[0], "note"), "it begins");
  EXPECT_EQ(text_at(told[0], "regarding.name"), "c");
}

TEST_F(KubeDriverTest, AFormationIsThrownAwayWithItsVolumes) {
  found();
  ASSERT_EQ(apply(plan::PrepareMember{"c-0"}).outcome, Outcome::kDone);
  ASSERT_EQ(apply(plan::StartMember{"c-0"}).outcome, Outcome::kDone);
  for (int i = 0; i < 2; ++i) ASSERT_EQ(apply(plan::DiscardFormation{}).text, "");
  EXPECT_EQ(find(kube::kStatefulSets, "c-0"), nullptr);
  EXPECT_EQ(find(kube::kClaims, "data-c-0"), nullptr);
  EXPECT_NE(find(kube::kConfigMaps, "c-record"), nullptr);
  EXPECT_TRUE(look().stray_data == std::vector<std::string>{});
}

TEST_F(KubeDriverTest, AFormationFromABackupIsThrownAwayAndNoOtherRestore) {
  found();
  ASSERT_EQ(apply(plan::PrepareMember{"c-0"}).outcome, Outcome::kDone);
  ASSERT_EQ(apply(plan::StartMember{"c-0"}).outcome, Outcome::kDone);
  ASSERT_EQ(apply(plan::StopMember{"c-0"}).text, "");
  const auto* set = find(kube::kStatefulSets, "c-0");
  auto ticket = guard::decode_ticket(set->at("spec.template.metadata.annotations")
                                         ->find(render::kTicketAnnotation)
                                         ->if_string()
                                         ->c_str());
  ASSERT_TRUE(ticket);
  ticket->permit = guard::Permit::kRestore;
  ticket->restore_operation = "op1";
  ticket->restore_snapshot = "/restore/snapshot.db";
  const json::Value notes =
      json::Object{{std::string(render::kTicketAnnotation), guard::encode(*ticket)}};
  bench.node.must(kube::merge_patch(
      kube::kStatefulSets, {"default", "c-0"},
      json::Object{
          {"spec",
           json::Object{
               {"template", json::Object{{"metadata", json::Object{{"annotations", notes}}}}}}}}));
  record.restore.operation = "op2";
  EXPECT_EQ(apply(plan::DiscardFormation{}).outcome, Outcome::kRefused);
  record.restore.operation = "op1";
  EXPECT_EQ(apply(plan::DiscardFormation{}).text, "");
  EXPECT_EQ(find(kube::kStatefulSets, "c-0"), nullptr);
}

TEST_F(KubeDriverTest, APodThatIsRefusedIsToldInTheServersWords) {
  run();
  ASSERT_EQ(apply(plan::StopMember{"c-0"}).text, "");
  bench.node.must(kube::create(
      kube::kEvents, "default",
      json::Object{{"metadata", json::Object{{"name", "c-0.1"}}},
                   {"regarding", json::Object{{"kind", "StatefulSet"}, {"name", "c-0"}}},
                   {"reason", "FailedCreate"},
                   {"note", "pods \"c-0-0\" is forbidden: exceeded quota: pods=0"}}));
  bench.node.pods_are_refused = true;
  ASSERT_EQ(apply(plan::StartMember{"c-0"}).text, "");
  EXPECT_TRUE(facts("c-0").process == Process::kStarting);
  bench.let_pass(base::Duration(5'000));
  const auto seen = facts("c-0");
  EXPECT_TRUE(seen.process == Process::kBackoff);
  ASSERT_TRUE(seen.ended);
  EXPECT_NE(seen.ended->text.find("exceeded quota"), std::string::npos) << seen.ended->text;
  bench.node.pods_are_refused = false;
  EXPECT_FALSE(facts("c-0").ended);
}

TEST_F(KubeDriverTest, NewAuthoritiesComeInByPhases) {
  run();
  const auto secret = [&](const std::string& name, const std::string& key) {
    const auto* object = find(kube::kSecrets, name);
    const auto* data = object == nullptr ? nullptr : object->find("data");
    const auto* value = data == nullptr ? nullptr : data->find(key);
    return value == nullptr ? std::string() : base::decode_base64(*value->if_string()).value_or("");
  };
  const auto now = bench.node.clock.now();
  const auto verifies = [&](const std::string& name, const std::string& ca) {
    return pki::verify(secret(name, "tls.crt"), ca, now).has_value();
  };
  const std::string first_ca = secret("c-ca", "tls.crt"),
                    first_leaf = secret("c-server-tls", "tls.crt");
  EXPECT_TRUE(verifies("c-server-tls", first_ca));
  EXPECT_TRUE(verifies("c-operator-tls", first_ca));
  EXPECT_FALSE(verifies("c-peer-tls", first_ca)) << "peers have an authority of their own";
  EXPECT_TRUE(pki::covers_host(first_leaf, "c-7-0.c.default.svc.cluster.local").value_or(false));
  const auto issue = [&](plan::RotationPhase phase) {
    record.rotation.phase = phase;
    EXPECT_EQ(apply(plan::IssueCertificates{{"c-0"}, true}).text, "");
  };
  issue(plan::RotationPhase::kPrepare);
  const std::string second_ca = secret("c-ca", "next.crt");
  ASSERT_FALSE(second_ca.empty());
  EXPECT_EQ(secret("c-server-tls", "ca.crt"), first_ca + second_ca);
  EXPECT_TRUE(verifies("c-server-tls", first_ca)) << "nobody is asked to trust it yet";
  issue(plan::RotationPhase::kReissue);
  EXPECT_TRUE(verifies("c-server-tls", second_ca));
  issue(plan::RotationPhase::kDrop);
  EXPECT_EQ(secret("c-ca", "tls.crt"), second_ca);
  EXPECT_EQ(secret("c-server-tls", "ca.crt"), second_ca);
  EXPECT_EQ(secret("c-ca", "next.crt"), "");
  // A new incarnation gets peers of its own; clients' trust stays.
  record.rotation.phase = plan::RotationPhase::kNone;
  const std::string peers = secret("c-peer-ca", "tls.crt");
  record.incarnation = "another";
  EXPECT_EQ(apply(plan::NewPeerAuthority{}).text, "");
  EXPECT_NE(secret("c-peer-ca", "tls.crt"), peers);
  EXPECT_EQ(secret("c-ca", "tls.crt"), second_ca);
}

TEST_F(ThreeMembersTest, APlannedStopKeepsTheBudget) {
  run();
  tend();
  const auto* budget = find(kube::kBudgets, "c");
  ASSERT_NE(budget, nullptr);
  EXPECT_EQ(json::get_int(*budget, "spec.minAvailable"), 2);
  ASSERT_EQ(apply(plan::StopMember{"c-0"}).text, "");
  EXPECT_TRUE(facts("c-0").process == Process::kStopped);
  const auto second = apply(plan::StopMember{"c-1"});
  EXPECT_EQ(second.outcome, Outcome::kRefused);
  EXPECT_NE(second.text.find("disruption budget"), std::string::npos) << second.text;
  EXPECT_TRUE(facts("c-1").process == Process::kRunning);
  // When everything goes down there is nothing to guard.
  bench.intent().stop = true;
  EXPECT_EQ(apply(plan::StopMember{"c-1"}).text, "");
}

TEST_F(ThreeMembersTest, ClientsComeInWhenItIsOpened) {
  run();
  EXPECT_FALSE(look().client_certificate_published);
  EXPECT_EQ(find(kube::kServices, "c-client"), nullptr);
  for (int i = 0; i < 2; ++i) ASSERT_EQ(apply(plan::OpenToClients{}).text, "");
  record.open_to_clients = true;
  EXPECT_TRUE(look().client_certificate_published);
  EXPECT_NE(find(kube::kSecrets, "c-client-tls"), nullptr);
  const auto* service = find(kube::kServices, "c-client");
  ASSERT_NE(service, nullptr);
  for (const auto& pod : bench.node.all(kube::kPods))
    EXPECT_EQ(label(pod, "operator.etcd.io/serving"), "true");
  // Nobody was restarted for it.
  for (const auto& [name, member] : record.members)
    EXPECT_TRUE(facts(name).process == Process::kRunning);
}

TEST_F(ThreeMembersTest, WhereNothingChangedNothingIsWritten) {
  run();
  ASSERT_EQ(apply(plan::OpenToClients{}).text, "");
  record.open_to_clients = true;
  tend();
  const auto before = bench.node.server.changes();
  tend();
  for (const auto& [name, member] : record.members) {
    EXPECT_EQ(apply(plan::PrepareMember{name}).outcome, Outcome::kDone);
    EXPECT_EQ(apply(plan::StartMember{name}).outcome, Outcome::kDone);
    EXPECT_EQ(apply(plan::WriteTicket{name}).outcome, Outcome::kDone);
  }
  EXPECT_EQ(bench.node.server.changes(), before);
}

TEST_F(ThreeMembersTest, DriftIsReverted) {
  run();
  tend();
  bench.node.must(kube::merge_patch(kube::kBudgets, {"default", "c"},
                                    json::Object{{"spec", json::Object{{"minAvailable", 0}}}}));
  bench.refresh();
  tend();
  EXPECT_EQ(json::get_int(*find(kube::kBudgets, "c"), "spec.minAvailable"), 2);
}

TEST_F(ThreeMembersTest, ASetThatSomebodyChangedIsMadeAgainAndToldOf) {
  run();
  tend();
  const auto image = [&](const char* text) {
    bench.node.must(kube::merge_patch(
        kube::kStatefulSets, {"default", "c-1"},
        json::Object{
            {"spec",
             json::Object{{"template",
                           json::Object{{"spec", json::Object{{"priorityClassName", text}}}}}}}}));
    bench.node.must(kube::merge_patch(kube::kStatefulSets, {"default", "c-1"},
                                      json::Object{{"spec", json::Object{{"serviceName", text}}}}));
    bench.refresh();
  };
  image("theirs");
  tend();
  const auto* set = find(kube::kStatefulSets, "c-1");
  EXPECT_EQ(text_at(*set, "spec.serviceName"), "c");
  EXPECT_EQ(text_at(*set, "spec.template.spec.priorityClassName"), "theirs")
      << "fields that we do not set are left alone";
  EXPECT_EQ(told("DriftReverted"), 1U);
  tend();
  EXPECT_EQ(told("DriftReverted"), 1U);
  // A member that is stopped has not drifted.
  ASSERT_EQ(apply(plan::StopMember{"c-2"}).text, "");
  tend();
  EXPECT_EQ(json::get_int(*find(kube::kStatefulSets, "c-2"), "spec.replicas"), 0);
  EXPECT_EQ(told("DriftReverted"), 1U);
}

TEST_F(ThreeMembersTest, ATornRecordIsPutTogetherFromWhatAllMembersAgreeOn) {
  run();
  ASSERT_EQ(apply(plan::OpenToClients{}).text, "");
  bench.tear_record();
  bench.reopen();
  const auto loaded = bench.driver().load_record();
  ASSERT_TRUE(loaded);
  ASSERT_EQ(loaded->state, plan::RecordState::kOk) << loaded->problem;
  const auto& again = loaded->record;
  EXPECT_EQ(again.incarnation, record.incarnation);
  EXPECT_EQ(again.cluster_id, record.cluster_id);
  EXPECT_TRUE(again.open_to_clients);
  ASSERT_EQ(again.members.size(), 3U);
  for (const auto& [name, m] : record.members) {
    EXPECT_EQ(again.members.at(name).id, m.id);
    EXPECT_EQ(again.members.at(name).volume, m.volume);
    EXPECT_TRUE(again.members.at(name).addresses == m.addresses)
        << again.members.at(name).addresses.metrics_url;
  }
  const std::string torn = text_at(*find(kube::kConfigMaps, "c-record"), "data.record");
  ASSERT_TRUE(bench.driver().save_record(again));
  const json::Value* data = find(kube::kConfigMaps, "c-record")->find("data");
  ASSERT_NE(data, nullptr);
  EXPECT_EQ(json::get_string(*data, "record").value_or(""), engine::encode_record(again));
  const json::Value* kept = data->find("record.damaged-1");
  ASSERT_NE(kept, nullptr) << "what was replaced is kept";
  EXPECT_EQ(kept->as_string().value_or(""), torn);
  // A member whose set is gone may hold anything.
  bench.tear_record();
  bench.node.must(kube::remove(kube::kStatefulSets, {"default", "c-1"}));
  EXPECT_EQ(bench.driver().load_record()->state, plan::RecordState::kTorn);
}

TEST_F(ThreeMembersTest, ARecordOfANewerOperatorIsNotPutTogetherAnew) {
  run();
  std::string newer = "format 2\n{}\n";
  newer += fmt::format("crc {:08x}\n", base::crc32c(newer));
  bench.node.must(kube::merge_patch(kube::kConfigMaps, {"default", "c-record"},
                                    json::Object{{"data", json::Object{{"record", newer}}}}));
  const auto loaded = bench.driver().load_record();
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->state, plan::RecordState::kTorn);
  EXPECT_NE(loaded->problem.find("written by a newer etcd-operator"), std::string::npos)
      << loaded->problem;
}

// Cut off from the API server, or frozen, while another took the lease (S12).
TEST_F(ThreeMembersTest, WithoutTheLeaseEtcdIsNotChanged) {
  run();
  bench.let_pass(base::Duration(10'000));
  auto& node = bench.node;
  struct Lease final : kube::Fence {
    std::optional<base::Tick> until;
    [[nodiscard]] std::optional<base::Tick> leads_until() const override { return until; }
  } lease;
  kube::Client client(
      {.transport = node.server, .limiter = node.limiter, .clock = node.clock, .fence = &lease});
  sim::NodeMachine machine(node);
  sim::WorldRandom random(node.world);
  sim::NoLog log;
  const auto platform = machine.platform(client, random, log);
  platform->look({});
  const auto driver = platform->driver(bench.intent().cluster.key);
  const auto add = [&] {
    const plan::AddLearner action{"c-3", "https://c-3-0.c.default.svc.cluster.local:2380"};
    return driver->apply({action, plan::Reason::kScaleUp}, {bench.intent(), record}, {});
  };
  EXPECT_EQ(add().outcome, Outcome::kRefused);
  EXPECT_NE(add().text.find("our lease"), std::string::npos);
  lease.until = node.clock.tick() + base::Duration(900);
  EXPECT_EQ(add().outcome, Outcome::kRefused) << "it would end too soon";
  EXPECT_EQ(look().membership->members.size(), 3U);
  lease.until = node.clock.tick() + base::Duration(60'000);
  EXPECT_EQ(add().text, "");
  EXPECT_EQ(look().membership->members.size(), 4U);
}

TEST_F(ThreeMembersTest, AMemberThatIsRemovedSaysSoOnItsVolumeFirst) {
  run();
  const plan::RemoveMember remove{"c-2", record.members.at("c-2").id};
  const auto state = [&] {
    return label(*find(kube::kClaims, "data-c-2"), "operator.etcd.io/volume-state");
  };
  // etcd refuses it for a while after a start: then it still counts.
  const auto early = apply(remove);
  EXPECT_EQ(early.outcome, Outcome::kRefused) << early.text;
  EXPECT_EQ(state(), "member");
  bench.let_pass(base::Duration(10'000));
  ASSERT_EQ(apply(remove).text, "");
  EXPECT_EQ(state(), "removed");
  EXPECT_EQ(look().membership->members.size(), 2U);
}

}  // namespace
}  // namespace conformance
