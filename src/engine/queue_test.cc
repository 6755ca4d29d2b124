#include "engine/queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <set>
#include <stdexcept>
#include <thread>

#include "engine/engine_testing.h"
#include "engine/workers.h"

namespace engine {
namespace {

using testing::FakeClock;
using testing::FakeRandom;
using testing::NullLogger;

base::ClusterKey key(const std::string& name) {
  return {"default", name};
}

class QueueTest : public ::testing::Test {
 protected:
  FakeClock clock_;
  FakeRandom random_;
  NullLogger log_;
  Queue queue_{clock_, random_, {3, {base::Duration{1'000}, base::Duration{4'000}}}};
};

TEST_F(QueueTest, AKeyIsInItOnce) {
  EXPECT_TRUE(queue_.wake(key("a")));
  EXPECT_TRUE(queue_.wake(key("a")));
  EXPECT_EQ(queue_.size(), 1U);
  EXPECT_EQ(queue_.try_take(), key("a"));
  EXPECT_EQ(queue_.try_take(), std::nullopt);
}

TEST_F(QueueTest, TheEarlierAppointmentStays) {
  EXPECT_TRUE(queue_.wake(key("a"), base::Duration{100}));
  EXPECT_TRUE(queue_.wake(key("a"), base::Duration{500}));
  EXPECT_EQ(queue_.next(), base::Duration{100});
  EXPECT_TRUE(queue_.wake(key("a"), base::Duration{50}));
  EXPECT_EQ(queue_.next(), base::Duration{50});
  EXPECT_EQ(queue_.try_take(), std::nullopt);
  clock_.advance(base::Duration{50});
  EXPECT_EQ(queue_.try_take(), key("a"));
}

TEST_F(QueueTest, AWakeDuringTheWorkIsServedAfterIt) {
  EXPECT_TRUE(queue_.wake(key("a")));
  ASSERT_EQ(queue_.try_take(), key("a"));
  EXPECT_TRUE(queue_.wake(key("a")));
  EXPECT_EQ(queue_.try_take(), std::nullopt) << "one worker a cluster";
  queue_.done(key("a"), base::Duration{10'000});
  EXPECT_EQ(queue_.try_take(), key("a"));
}

TEST_F(QueueTest, WhatIsDueLongestComesFirstSoThatNoneStarves) {
  EXPECT_TRUE(queue_.wake(key("a")));
  EXPECT_TRUE(queue_.wake(key("b")));
  ASSERT_EQ(queue_.try_take(), key("a"));
  queue_.done(key("a"), base::Duration{0});
  EXPECT_EQ(queue_.try_take(), key("b"));
  EXPECT_EQ(queue_.try_take(), key("a"));
}

TEST_F(QueueTest, AFailingKeyWaitsLongerEachTimeUntilASuccess) {
  EXPECT_TRUE(queue_.wake(key("a")));
  for (const int expected : {500, 1'000, 2'000, 2'000}) {  // half of 1, 2, 4, 4 s: no jitter
    clock_.advance(queue_.next().value_or(base::Duration{0}));
    ASSERT_EQ(queue_.try_take(), key("a"));
    queue_.failed(key("a"));
    EXPECT_EQ(queue_.next(), base::Duration{expected});
  }
  clock_.advance(base::Duration{2'000});
  ASSERT_EQ(queue_.try_take(), key("a"));
  queue_.done(key("a"), base::Duration{0});
  ASSERT_EQ(queue_.try_take(), key("a"));
  queue_.failed(key("a"));
  EXPECT_EQ(queue_.next(), base::Duration{500});
}

TEST_F(QueueTest, AWakeCutsABackoffShort) {
  EXPECT_TRUE(queue_.wake(key("a")));
  ASSERT_TRUE(queue_.try_take());
  queue_.failed(key("a"));
  EXPECT_TRUE(queue_.wake(key("a")));
  EXPECT_EQ(queue_.try_take(), key("a"));
}

TEST_F(QueueTest, AFullQueueSaysSoAndKeepsWhatItHas) {
  for (const char* name : {"a", "b", "c"}) EXPECT_TRUE(queue_.wake(key(name)));
  EXPECT_EQ(queue_.wake(key("d")).error().code, base::Code::kResourceExhausted);
  EXPECT_TRUE(queue_.wake(key("a")));
  EXPECT_EQ(queue_.size(), 3U);
}

TEST_F(QueueTest, DoneWithoutAnAppointmentForgetsTheKey) {
  EXPECT_TRUE(queue_.wake(key("a")));
  ASSERT_TRUE(queue_.try_take());
  EXPECT_EQ(queue_.in_work().size(), 1U);
  queue_.done(key("a"), std::nullopt);
  EXPECT_TRUE(queue_.in_work().empty());
  EXPECT_EQ(queue_.next(), std::nullopt);
}

TEST_F(QueueTest, ARemovedKeyIsNotServedAgain) {
  EXPECT_TRUE(queue_.wake(key("a"), base::Duration{10}));
  queue_.remove(key("a"));
  clock_.advance(base::Duration{10});
  EXPECT_EQ(queue_.try_take(), std::nullopt);
}

TEST_F(QueueTest, AStopEndsTheWait) {
  std::optional<base::ClusterKey> got = key("x");
  {
    const std::jthread waiter([&](const std::stop_token& stop) { got = queue_.take(stop); });
  }
  EXPECT_EQ(got, std::nullopt);
}

TEST_F(QueueTest, WorkersNeverServeOneClusterAtTheSameTime) {
  std::mutex mutex;
  std::set<std::string> inside;
  std::atomic<int> passes{0};
  std::atomic<bool> overlap{false};
  std::latch enough(300);
  const Work work = [&](const base::ClusterKey& k,
                        const std::stop_token&) -> base::Result<std::optional<base::Duration>> {
    {
      const std::lock_guard lock(mutex);
      if (!inside.insert(k.name).second) overlap = true;
    }
    (void)queue_.wake(k);  // a change during the work
    {
      const std::lock_guard lock(mutex);
      inside.erase(k.name);
    }
    if (++passes <= 300) enough.count_down();
    return std::optional(base::Duration{0});
  };
  {
    Workers workers(queue_, 4, work, log_);
    for (const char* name : {"a", "b", "c"}) EXPECT_TRUE(queue_.wake(key(name)));
    enough.wait();
  }
  EXPECT_FALSE(overlap);
}

TEST_F(QueueTest, AnExceptionOrAnErrorOfOneClusterDoesNotStopTheOthers) {
  std::latch good(1);
  std::atomic<int> bad{0};
  const Work work = [&](const base::ClusterKey& k,
                        const std::stop_token&) -> base::Result<std::optional<base::Duration>> {
    if (k.name == "throws" && ++bad > 0) throw std::runtime_error("bug");
    if (k.name == "fails" && ++bad > 0) return base::fail(base::Code::kUnavailable, "no");
    good.count_down();
    return std::optional<base::Duration>{};
  };
  Workers workers(queue_, 1, work, log_);
  EXPECT_TRUE(queue_.wake(key("throws")));
  EXPECT_TRUE(queue_.wake(key("fails")));
  EXPECT_TRUE(queue_.wake(key("good")));
  good.wait();
  workers.stop();
  EXPECT_EQ(bad, 2);
}

TEST_F(QueueTest, AStuckWorkerIsSeen) {
  std::latch begun(1), release(1);
  const Work work = [&](const base::ClusterKey&,
                        const std::stop_token&) -> base::Result<std::optional<base::Duration>> {
    begun.count_down();
    release.wait();
    return std::optional<base::Duration>{};
  };
  Workers workers(queue_, 1, work, log_);
  EXPECT_TRUE(queue_.wake(key("a")));
  begun.wait();
  EXPECT_EQ(workers.stuck(base::Duration{1'000}), std::nullopt);
  clock_.advance(base::Duration{2'000});
  const auto stuck = workers.stuck(base::Duration{1'000});
  release.count_down();
  ASSERT_TRUE(stuck);
  EXPECT_EQ(stuck->key, key("a"));
  EXPECT_EQ(stuck->since, base::Duration{2'000});
}

}  // namespace
}  // namespace engine
