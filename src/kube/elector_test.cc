#include "kube/elector.h"

#include <gtest/gtest.h>

#include <random>

#include "json/json.h"
#include "kube/kube_testing.h"

namespace kube {
namespace {

using base::Code;
using base::Duration;

// One Lease object with optimistic concurrency.
struct ToyLease {
  json::Value object;  // null: absent
  int version = 0;
  int changes = 0;

  Answer<json::Value> answer(const Request& request) {
    const auto fail = [](int status, Code code) {
      Failure f;
      f.status = status;
      f.code = code;
      return std::unexpected(f);
    };
    if (request.method == Method::kGet) {
      if (object.is_null()) return fail(404, Code::kNotFound);
      return object;
    }
    auto wanted = *json::parse(request.body);
    const auto expected = json::get_string(wanted, "metadata.resourceVersion").value_or("");
    if (request.method == Method::kPost) {
      EXPECT_EQ(expected, "");
      if (!object.is_null()) return fail(409, Code::kAlreadyExists);
    } else {
      EXPECT_NE(expected, "");
      if (object.is_null()) return fail(404, Code::kNotFound);
      if (expected != std::to_string(version)) return fail(409, Code::kAborted);
    }
    ++changes;
    wanted["metadata"]["resourceVersion"] = std::to_string(++version);
    object = wanted;
    return object;
  }
  [[nodiscard]] std::string holder() const {
    return json::get_string(object, "spec.holderIdentity").value_or("");
  }
};

struct Machine {
  Machine(const std::string& identity, const base::Clock& clock)
      : elector({.name = {"ops", "leader"}, .identity = identity}, clock) {}
  Elector elector;
};

Failure no_answer(bool sent, const Request& request) {
  return lost(request, {Code::kUnavailable, "cut"}, sent);
}

class ElectorTest : public testing::Test {
 protected:
  HandClock clock;
  ToyLease lease;
  Elector a{{.name = {"ops", "leader"}, .identity = "a"}, clock};
  Elector b{{.name = {"ops", "leader"}, .identity = "b"}, clock};

  // What it wants to do by now, at most `limit` times.
  void turn(Elector& elector, int limit = 5) {
    for (int i = 0; i < limit; ++i) {
      const auto next = elector.next();
      if (next.not_before > clock.tick()) return;
      EXPECT_EQ(next.request.priority, Priority::kUrgent);
      const auto sent_at = clock.tick();
      elector.answered(lease.answer(next.request), sent_at);
    }
  }
};

TEST_F(ElectorTest, TheFirstOneMakesItAndKeepsIt) {
  turn(a);
  ASSERT_TRUE(a.term());
  EXPECT_EQ(a.term()->number, 1);
  EXPECT_EQ(a.term()->until, clock.tick() + Duration(13'000));
  EXPECT_EQ(json::get_int(lease.object, "spec.leaseDurationSeconds"), 15);
  const auto renewed = json::get_string(lease.object, "spec.renewTime").value_or("");
  EXPECT_EQ(renewed.size(), std::string("2006-01-02T15:04:05.000000Z").size());
  turn(b);
  EXPECT_FALSE(b.term());
  EXPECT_EQ(b.holder(), "a");
  for (int i = 0; i < 100; ++i) {
    clock.pass(Duration(2'000));
    turn(a);
    turn(b);
    ASSERT_TRUE(a.term());
    ASSERT_FALSE(b.term());
  }
  EXPECT_EQ(a.term()->number, 1);
}

TEST_F(ElectorTest, AnotherTakesOverAfterAWholeSilentLife) {
  turn(a);
  turn(b);
  clock.pass(Duration(13'000));
  EXPECT_FALSE(a.term());  // by time alone
  turn(b);
  EXPECT_FALSE(b.term());
  clock.pass(Duration(1'999));
  turn(b);
  EXPECT_FALSE(b.term());
  clock.pass(Duration(1));
  turn(b);
  ASSERT_TRUE(b.term());
  EXPECT_EQ(b.term()->number, 2);
  // The old one comes back and sees it.
  turn(a);
  EXPECT_FALSE(a.term());
  EXPECT_EQ(a.holder(), "b");
}

TEST_F(ElectorTest, AReleasedOneIsTakenAtOnce) {
  turn(a);
  turn(b);
  const auto request = a.release();
  ASSERT_TRUE(request);
  EXPECT_FALSE(a.term());
  EXPECT_TRUE(lease.answer(*request));
  EXPECT_EQ(lease.holder(), "");
  turn(a);  // it does not want it back
  EXPECT_EQ(lease.holder(), "");
  clock.pass(Duration(2'000));
  turn(b);
  ASSERT_TRUE(b.term());
  EXPECT_EQ(b.term()->number, 2);
  EXPECT_FALSE(a.release());
}

// The change was made, its answer was lost: believed only when a renewal was answered.
TEST_F(ElectorTest, ALostAnswerIsNoTerm) {
  turn(a, 1);  // the read
  const auto next = a.next();
  const auto sent_at = clock.tick();
  EXPECT_TRUE(lease.answer(next.request));
  a.answered(std::unexpected(no_answer(true, next.request)), sent_at);
  EXPECT_FALSE(a.term());
  clock.pass(Duration(2'000));
  turn(a);
  ASSERT_TRUE(a.term());
  EXPECT_EQ(a.term()->number, 1);
  EXPECT_EQ(a.term()->until, clock.tick() + Duration(13'000));
}

// The deadline counts from the sending, not from the answer.
TEST_F(ElectorTest, ASlowAnswerIsWorthLess) {
  turn(a, 1);
  const auto next = a.next();
  const auto sent_at = clock.tick();
  auto answer = lease.answer(next.request);
  clock.pass(Duration(4'000));
  a.answered(answer, sent_at);
  ASSERT_TRUE(a.term());
  EXPECT_EQ(a.term()->until, sent_at + Duration(13'000));
}

TEST_F(ElectorTest, ADeletedLeaseIsNotTakenFromOneWhoBelievesInIt) {
  turn(a);
  turn(b);
  lease.object = {};
  clock.pass(Duration(2'000));
  turn(b);
  EXPECT_FALSE(b.term());
  turn(a);  // its holder makes it anew, as a new term
  ASSERT_TRUE(a.term());
  EXPECT_EQ(a.term()->number, 2);
}

TEST_F(ElectorTest, NonsenseInTheObjectHarmsNobody) {
  lease.object = json::Object{{"metadata", json::Object{{"resourceVersion", "x"}}},
                              {"spec", json::Object{{"holderIdentity", 3},
                                                    {"leaseTransitions", -7},
                                                    {"leaseDurationSeconds", 1LL << 60}}}};
  turn(a, 1);
  EXPECT_EQ(a.holder(), "");
  EXPECT_NE(a.next().request.body.find("\"leaseTransitions\":1"), std::string::npos);
}

// Random delays, lost requests, lost answers and pauses of whole machines.
TEST(ElectorProperty, NeverTwoAndNumbersGrow) {
  for (unsigned seed = 1; seed <= 300; ++seed) {
    std::mt19937 dice(seed);
    HandClock clock;
    ToyLease lease;
    std::vector<std::unique_ptr<Machine>> machines;
    for (const auto* identity : {"a", "b", "c"})
      machines.push_back(std::make_unique<Machine>(identity, clock));
    std::int64_t highest = 0;
    int seconds_led = 0;
    for (int i = 0; i < 400; ++i) {
      clock.pass(Duration(static_cast<int>(dice() % 700)));
      auto& machine = *machines[dice() % 3];
      const auto next = machine.elector.next();
      if (next.not_before <= clock.tick()) {
        const auto sent_at = clock.tick();
        const auto fate = dice() % 10;
        if (fate == 0) {
          machine.elector.answered(std::unexpected(no_answer(false, next.request)), sent_at);
        } else {
          auto answer = lease.answer(next.request);
          if (dice() % 30 == 0) clock.pass(Duration(static_cast<int>(dice() % 20'000)));
          if (fate == 1) answer = std::unexpected(no_answer(true, next.request));
          machine.elector.answered(answer, sent_at);
        }
      }
      int leaders = 0;
      for (const auto& m : machines)
        if (const auto term = m->elector.term()) {
          ++leaders;
          ++seconds_led;
          ASSERT_GE(term->number, highest) << "seed " << seed;
          highest = term->number;
        }
      ASSERT_LE(leaders, 1) << "seed " << seed;
    }
    ASSERT_GT(seconds_led, 50) << "seed " << seed;
  }
}

TEST_F(ElectorTest, KnowsWhenTheServerLastSpoke) {
  EXPECT_FALSE(a.heard_at());
  turn(a);
  const auto heard = clock.tick();
  EXPECT_EQ(a.heard_at(), heard);
  clock.pass(Duration(2'000));
  const auto none = a.next();
  a.answered(std::unexpected(no_answer(true, none.request)), clock.tick());
  Failure broken;
  broken.status = 503;
  a.next();
  a.answered(std::unexpected(broken), clock.tick());
  EXPECT_EQ(a.heard_at(), heard);
  // "No" is a word too.
  Failure refused;
  refused.status = 403;
  refused.code = Code::kPermissionDenied;
  a.next();
  a.answered(std::unexpected(refused), clock.tick());
  EXPECT_EQ(a.heard_at(), clock.tick());
}

}  // namespace
}  // namespace kube
