#include "plan/view.h"

#include <gtest/gtest.h>

namespace plan {
namespace {

TEST(View, ComparesPeersByHostAndPort) {
  EXPECT_TRUE(same_peer("http://127.0.0.1:2380", "https://127.0.0.1:2380/"));
  EXPECT_FALSE(same_peer("https://127.0.0.1:2380", "https://127.0.0.1:2381"));
  EXPECT_FALSE(same_peer("", ""));
}

}  // namespace
}  // namespace plan
