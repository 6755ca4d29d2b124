// The fixture of the tests that let the shipping reconciler and planner work on a world.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/record_codec.h"
#include "sim/world/operator.h"

namespace sim::testing {

using namespace std::chrono_literals;

class WorldTest : public ::testing::Test {
 protected:
  WorldTest() {
    intent_.cluster.key = {"default", "c"};
    intent_.cluster.spec.size = 3;
    intent_.template_hash = "t1";
    version("3.5.33");
    for (const char* v : {"3.5.12", "3.5.33", "3.6.16", "3.7.3"}) world_.binaries.insert(v);
    restart();
  }
  void version(const std::string& text) {
    intent_.cluster.spec.version = *api::parse_version(text);
  }
  void restart(OperatorMemory memory = {}) {
    operator_.reset();
    operator_.emplace(world_, intent_.cluster.key, log_, &faults_, std::move(memory));
  }

  engine::Reconciler& reconciler() { return operator_->reconciler(); }
  const api::ClusterStatus& status() { return reconciler().last()->plan.status; }
  plan::Record record() {
    return reconciler().last() ? reconciler().last()->plan.record : plan::Record{};
  }
  bool healthy(int size) {
    return status().ready_size == size && status().current_size == size &&
           reconciler().last()->plan.steps.empty() && record().open_to_clients &&
           !record().operation;
  }
  // Passes until `reached`; at most `limit` of virtual time.
  bool run_until(const std::function<bool()>& reached, base::Duration limit = 120s) {
    const base::Instant until = world_.now() + limit;
    while (world_.now() < until) {
      const auto again = pass();
      if (reconciler().last() && reached()) return true;
      world_.advance(std::min(again, base::Duration(500)));
    }
    ADD_FAILURE() << "not reached; " << words();
    return false;
  }
  base::Duration pass() {
    ++passes_;
    try {
      const auto again = reconciler().pass(intent_, {}).value_or(200ms);
      for (const auto& step : reconciler().last()->plan.steps)
        ++planned_[std::string(plan::name_of(step.action))];
      return again;
    } catch (const Crash&) {
      restart();
      return 200ms;
    }
  }
  bool converge(int size, base::Duration limit = 120s) {
    intent_.cluster.spec.size = size;
    return run_until([&] { return healthy(size); }, limit);
  }
  std::string words() {
    std::string out;
    const auto last = reconciler().last();
    if (!last) return "no pass";
    for (const auto& c : last->plan.status.conditions)
      out += std::string(api::name_of(c.type)) + "=" + std::string(api::name_of(c.status)) + " " +
             c.reason + ": " + c.message + "\n";
    for (const auto& step : last->plan.steps) out += plan::to_text(step.action) + "\n";
    if (last->act) out += last->act->action + ": " + last->act->text + "\n";
    out += last->problem + "\n";
    for (const auto& [name, p] : world_.places)
      out += name + ": guard " + std::to_string(static_cast<int>(p.guard.phase)) + ", " +
             (p.verdict ? std::string(guard::name_of(p.verdict->klass)) + " " + p.verdict->signature
                        : "no verdict") +
             "\n";
    return out;
  }

  // Clients of the cluster, one call each.
  std::unique_ptr<etcd::EtcdApi> client(const std::string& member) {
    Client c;
    c.machine = 0;
    c.tls.on = true;
    c.tls.leaf = world_.user_leaf;
    c.tls.trusted = {1};
    return connect(world_, record().members.at(member).addresses.client_url, c);
  }
  bool put(const std::string& key) {
    for (const auto& [name, m] : record().members)
      if (m.phase == plan::Phase::kVoter && client(name)->put(key, "v", 3s)) return true;
    return false;
  }
  // Every voter has it in its own copy.
  void expect_everywhere(const std::string& key) {
    for (const auto& [name, m] : record().members) {
      if (m.phase != plan::Phase::kVoter) continue;
      const auto got = client(name)->range(key, "", true, 0, 3s);
      ASSERT_TRUE(got) << name << ": " << got.error().text();
      EXPECT_EQ(got->kvs.size(), 1U) << name << " lacks " << key;
    }
  }
  std::vector<std::string> voters() {
    std::vector<std::string> out;
    for (const auto& [name, m] : record().members)
      if (m.phase == plan::Phase::kVoter) out.push_back(name);
    return out;
  }

  class Faults final : public engine::FaultInjector {
   public:
    void at(std::string_view point) override {
      if (point == crash_at && crashes-- > 0) throw Crash{std::string(point)};
    }
    std::string crash_at;
    int crashes = 0;
  };

  World world_{Settings{}};
  NoLog log_;
  Faults faults_;
  plan::Intent intent_;
  std::optional<Operator> operator_;
  int passes_ = 0;
  std::map<std::string, int> planned_;  // steps, by the action's name
};

}  // namespace sim::testing
