// One cluster of the Kubernetes driver, founded and run as the planner would.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "conformance/kube_bench.h"

namespace conformance {

inline std::string text_at(const json::Value& object, std::string_view path) {
  return json::get_string(object, path).value_or("");
}

inline std::string label(const json::Value& object, std::string_view key) {
  const auto* labels = object.at("metadata.labels");
  const auto* value = labels == nullptr ? nullptr : labels->find(key);
  return value == nullptr || !value->is_string() ? std::string() : *value->if_string();
}

class KubeDriverTest : public testing::Test {
 protected:
  explicit KubeDriverTest(int size = 1) : bench(size) {}

  engine::ApplyResult apply(const plan::Action& action) {
    return bench.driver().apply({action, plan::Reason::kBootstrap}, {bench.intent(), record}, {});
  }
  plan::Observation look() { return bench.driver().observe({bench.intent(), record}, false, {}); }
  plan::MemberFacts facts(const std::string& member) { return look().members.at(member); }
  void tend() {
    const auto tended = bench.driver().tend({bench.intent(), record}, {});
    EXPECT_TRUE(tended) << (tended ? "" : tended.error().text());
    bench.refresh();
  }
  const json::Value* find(const kube::Resource& resource, const std::string& name) {
    return bench.node.server.find(resource, {"default", name});
  }

  // How many events give this reason.
  size_t told(std::string_view reason) {
    const auto events = bench.node.all(kube::kEvents);
    return static_cast<size_t>(std::ranges::count_if(
        events, [&](const auto& event) { return text_at(event, "reason") == reason; }));
  }

  // Founding members as the planner records them.
  void found() {
    const auto seen = look();
    record.key = bench.intent().cluster.key;
    record.incarnation = seen.fresh_incarnation;
    record.token = "c-" + record.incarnation;
    record.formation = plan::Formation::kForming;
    record.version = bench.intent().cluster.spec.version;
    record.size = record.next_ordinal = bench.intent().cluster.spec.size;
    for (int i = 0; i < record.size; ++i) {
      plan::MemberRecord m;
      m.name = "c-" + std::to_string(i);
      m.ordinal = i;
      m.addresses = seen.addresses.at(i);
      m.volume = seen.fresh_volumes.at(static_cast<size_t>(i));
      m.incarnation = record.incarnation;
      m.version = record.version;
      m.may_start = true;
      record.members[m.name] = m;
    }
    ASSERT_TRUE(bench.driver().save_record(record));
  }
  void run() {
    found();
    for (const auto& [name, member] : record.members)
      ASSERT_EQ(apply(plan::PrepareMember{name}).text, "");
    for (const auto& [name, member] : record.members)
      ASSERT_EQ(apply(plan::StartMember{name}).text, "");
    const auto formed = [&](const plan::Observation& seen) {
      return seen.membership.known() &&
             std::ranges::all_of(seen.membership->members, &plan::EtcdMember::started);
    };
    plan::Observation seen = look();
    for (int i = 0; i < 100 && !formed(seen); ++i) {
      bench.let_pass(base::Duration(100));
      seen = look();
    }
    ASSERT_TRUE(formed(seen)) << seen.membership.why();
    record.cluster_id = seen.membership->cluster_id;
    record.formation = plan::Formation::kLatched;
    for (const auto& etcd : seen.membership->members) {
      auto& m = record.members.at(etcd.name);
      m.id = etcd.id;
      m.phase = plan::Phase::kVoter;
      m.permit = plan::Permit::kData;
      m.ran = true;
    }
    ASSERT_TRUE(bench.driver().save_record(record));
    for (const auto& [name, member] : record.members)
      ASSERT_EQ(apply(plan::WriteTicket{name}).text, "");
  }

  KubeBench bench;
  plan::Record record;
};

class ThreeMembersTest : public KubeDriverTest {
 protected:
  ThreeMembersTest() : KubeDriverTest(3) {}
};

}  // namespace conformance
