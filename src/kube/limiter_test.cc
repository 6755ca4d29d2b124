#include "kube/limiter.h"

#include <gtest/gtest.h>

#include "kube/kube_testing.h"

namespace kube {
namespace {

using std::chrono::milliseconds;

const base::Tick kStart{base::Duration(5'000)};

size_t grants(Bucket& bucket, Priority priority, base::Tick now) {
  size_t n = 0;
  while (n < 1000 && !bucket.take(priority, now)) ++n;
  return n;
}

TEST(Bucket, ABurstThenTheRate) {
  Bucket bucket({.per_second = 10, .burst = 20});
  EXPECT_EQ(grants(bucket, Priority::kNormal, kStart), 20U);
  EXPECT_EQ(bucket.take(Priority::kNormal, kStart), milliseconds(100));
  EXPECT_EQ(bucket.take(Priority::kNormal, kStart + milliseconds(50)), milliseconds(50));
  EXPECT_FALSE(bucket.take(Priority::kNormal, kStart + milliseconds(100)));
  EXPECT_EQ(grants(bucket, Priority::kNormal, kStart + std::chrono::hours(1)), 20U);
}

TEST(Bucket, LowRequestsLeaveAQuarter) {
  Bucket bucket({.per_second = 10, .burst = 20});
  EXPECT_EQ(grants(bucket, Priority::kLow, kStart), 15U);
  EXPECT_EQ(grants(bucket, Priority::kNormal, kStart), 5U);
  EXPECT_EQ(bucket.take(Priority::kLow, kStart), milliseconds(600));
}

TEST(Bucket, UrgentOnesAlwaysGoAndOthersPayForThem) {
  Bucket bucket({.per_second = 10, .burst = 20});
  EXPECT_EQ(grants(bucket, Priority::kNormal, kStart), 20U);
  for (int i = 0; i < 1000; ++i) ASSERT_FALSE(bucket.take(Priority::kUrgent, kStart));
  EXPECT_EQ(bucket.take(Priority::kNormal, kStart), milliseconds(2100));  // a debt of one burst
}

TEST(Bucket, APauseHoldsAllButTheUrgent) {
  Bucket bucket({.per_second = 10, .burst = 20});
  bucket.pause(kStart + milliseconds(700));
  bucket.pause(kStart + milliseconds(300));  // the longer one counts
  EXPECT_EQ(bucket.take(Priority::kNormal, kStart), milliseconds(700));
  EXPECT_FALSE(bucket.take(Priority::kUrgent, kStart));
  EXPECT_FALSE(bucket.take(Priority::kNormal, kStart + milliseconds(700)));
}

TEST(Limiter, DoesNotWaitPastADeadline) {
  HandClock clock;
  Limiter limiter(clock, {.per_second = 1, .burst = 1});
  const auto until = clock.tick() + milliseconds(900);
  EXPECT_TRUE(limiter.wait(Priority::kNormal, until, {}));
  EXPECT_EQ(limiter.wait(Priority::kNormal, until, {}).error().code, base::Code::kUnavailable);
  clock.pass(milliseconds(1000));
  EXPECT_TRUE(limiter.wait(Priority::kNormal, until, {}));
  std::stop_source source;
  source.request_stop();
  EXPECT_EQ(limiter.wait(Priority::kNormal, until, source.get_token()).error().code,
            base::Code::kCancelled);
}

}  // namespace
}  // namespace kube
