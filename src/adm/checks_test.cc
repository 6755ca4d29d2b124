#include "adm/checks.h"

#include <gtest/gtest.h>

namespace adm {
namespace {

Machine machine() {
  return {"etcd-1", "10.0.0.5", {"10.0.0.5", "127.0.0.1", "::1", "fd00::5"}};
}

TEST(Endpoint, AMembersUrl) {
  EXPECT_EQ(*parse_endpoint("https://etcd-1:2380"), (Endpoint{"etcd-1", 2380}));
  EXPECT_EQ(*parse_endpoint("https://etcd-1"), (Endpoint{"etcd-1", 2379}));
  EXPECT_EQ(*parse_endpoint("https://10.0.0.5:1/"), (Endpoint{"10.0.0.5", 1}));
  EXPECT_EQ(*parse_endpoint("https://[fd00::5]:2380"), (Endpoint{"fd00::5", 2380}));
  EXPECT_EQ(*parse_endpoint("https://[::1]"), (Endpoint{"::1", 2379}));
}

TEST(Endpoint, BackToAUrl) {
  EXPECT_EQ(url_of("etcd-1", 2380), "https://etcd-1:2380");
  EXPECT_EQ(url_of("fd00::5", 2380), "https://[fd00::5]:2380");
}

struct Wrong {
  const char* url;
  const char* words;
};

TEST(Endpoint, WhatIsNoUrlIsToldWhy) {
  const Wrong all[] = {{"", "not a URL that begins with https://"},
                       {"etcd-1:2380", "not a URL that begins with https://"},
                       {"http://etcd-1:2380", "without TLS"},
                       {"https://", "names no host"},
                       {"https://etcd-1:0", "not a number from 1 to 65535"},
                       {"https://etcd-1:65536", "not a number from 1 to 65535"},
                       {"https://etcd-1:x", "not a number from 1 to 65535"},
                       {"https://etcd-1:", "not a number from 1 to 65535"},
                       {"https://fd00::5:2380", "without brackets"},
                       {"https://[fd00::5", "lacks a ']'"},
                       {"https://[etcd]:1", "no IPv6 address in its brackets"},
                       {"https://[::1]2380", "after ']'"},
                       {"https://a:1/v3", "has a path"},
                       {"https://me@a:1", "user name"},
                       {"https://a b:1", "neither a name nor an address"},
                       {"https://*.a:1", "neither a name nor an address"}};
  for (const auto& [url, words] : all) {
    const auto parsed = parse_endpoint(url);
    ASSERT_FALSE(parsed) << url;
    EXPECT_EQ(parsed.error().code, base::Code::kInvalidArgument);
    EXPECT_NE(parsed.error().message.find(words), std::string::npos) << parsed.error().message;
  }
}

TEST(VersionToJoin, IsOneThatTheMembersRun) {
  const std::vector<api::Version> mixed{{3, 6, 16, ""}, {3, 5, 33, ""}}, one{{3, 5, 12, ""}};
  EXPECT_EQ(*version_to_join(mixed, ""), "3.5.33");
  EXPECT_EQ(*version_to_join(mixed, "v3.6.1"), "3.6.1");
  EXPECT_EQ(*version_to_join(one, "3.5.33"), "3.5.33");
  EXPECT_EQ(*version_to_join({}, "3.5.33"), "3.5.33");
  EXPECT_EQ(version_to_join({}, "").error().code, base::Code::kUnavailable);
  for (const char* wrong : {"3.4.99", "3.6.16", "4.5.12"}) {
    const auto refused = version_to_join(one, wrong);
    ASSERT_FALSE(refused) << wrong;
    EXPECT_EQ(refused.error().code, base::Code::kFailedPrecondition);
    EXPECT_NE(refused.error().message.find("it begins with 3.5.12"), std::string::npos);
  }
  EXPECT_FALSE(version_to_join(mixed, "3.4.30"));
}

TEST(Complete, TheMachineFillsInWhatIsNotSaid) {
  Flags f;
  ASSERT_TRUE(complete(f, machine()));
  EXPECT_EQ(f.name, "etcd-1");
  EXPECT_EQ(f.bind_address, "10.0.0.5");
  EXPECT_EQ(f.install_dir, "/opt/bin");
}

TEST(Complete, AddressesAreWrittenInOneForm) {
  Flags f;
  f.bind_address = "fd00:0:0::5";
  ASSERT_TRUE(complete(f, machine()));
  EXPECT_EQ(f.bind_address, "fd00::5");
}

TEST(Complete, AnyLoopbackAddressIsThisHosts) {
  Flags f;
  f.bind_address = "127.0.0.9";
  EXPECT_TRUE(complete(f, machine()));
}

TEST(Complete, WithoutADefaultRouteTheAddressMustBeSaid) {
  Flags f;
  auto lonely = machine();
  lonely.default_address.clear();
  const auto done = complete(f, lonely);
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message.find("give one of 10.0.0.5"), std::string::npos);
}

TEST(Complete, DataThatHoldsSomethingElseIsRefused) {
  Flags f;
  f.certs_dir = "/var/lib/etcd/pki";
  const auto done = complete(f, machine());
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message.find("holds --certs-dir"), std::string::npos);
}

}  // namespace
}  // namespace adm
