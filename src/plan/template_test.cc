#include "plan/template.h"

#include <gtest/gtest.h>

namespace plan {
namespace {

using api::TlsMode;

TEST(Template, ComesBackAsItWasWritten) {
  for (const Template& each : {Template{"1f2e", TlsMode::kRequired, 0},
                               {"1f2e", TlsMode::kMigrating, 0},
                               {"1f2e", TlsMode::kDisabled, 12},
                               {"", TlsMode::kRequired, 3}})
    EXPECT_EQ(parse_template(to_text(each)), each) << to_text(each);
  EXPECT_EQ(to_text({"1f2e", TlsMode::kRequired, 0}), "1f2e");
}

TEST(Template, TheAddressFollowsWhatTheMemberTakes) {
  MemberRecord member;
  member.addresses.client_url = "https://127.0.0.1:2379";
  give_template(member, "t+plain");
  EXPECT_EQ(member.addresses.client_url, "http://127.0.0.1:2379");
  give_template(member, "t+both");
  EXPECT_EQ(member.addresses.client_url, "http://127.0.0.1:2379");
  give_template(member, "u");
  EXPECT_EQ(member.addresses.client_url, "https://127.0.0.1:2379");
}

}  // namespace
}  // namespace plan
