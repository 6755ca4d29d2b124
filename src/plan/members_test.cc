#include "plan/members.h"

#include <gtest/gtest.h>

#include <string>

namespace plan {
namespace {

std::string token(int n) {
  return "c-20261123T1200" + std::to_string(1'000 + n);
}

TEST(Members, TheNewestTokensThatWereGivenUpAreRemembered) {
  Record record;
  for (int n = 0; n < 200; ++n) {
    record.token = token(n);
    give_up_token(record);
    EXPECT_TRUE(record.token.empty());
    EXPECT_TRUE(record.old_tokens.contains(token(n))) << n;
  }
  EXPECT_EQ(record.old_tokens.size(), kOldTokens);
  EXPECT_TRUE(record.old_tokens.contains(token(200 - static_cast<int>(kOldTokens))));
  EXPECT_FALSE(record.old_tokens.contains(token(0)));
}

TEST(Members, WhatIsGivenUpNowIsRememberedHoweverItSorts) {
  Record record;
  for (int n = 0; n < 100; ++n) record.old_tokens.insert(token(n));
  record.token = "a";
  give_up_token(record);
  EXPECT_TRUE(record.old_tokens.contains("a"));
  EXPECT_EQ(record.old_tokens.size(), kOldTokens);
}

}  // namespace
}  // namespace plan
