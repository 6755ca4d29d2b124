#include "api/names.h"

#include <gtest/gtest.h>

namespace api {
namespace {

TEST(Names, Clusters) {
  for (const char* name : {"a", "production-etcd", "a1", "a-b-c", "client", "peer"})
    EXPECT_FALSE(check_cluster_name(name).has_value()) << name;
  EXPECT_FALSE(check_cluster_name(std::string(45, 'a')).has_value());
  for (const char* name : {"", "-a", "a-", "1a", "A", "a_b", "a.b", "a/b", "..", "a b", "\xc3\xa4",
                           "x-client", "x-peer"})
    EXPECT_TRUE(check_cluster_name(name).has_value()) << name;
  EXPECT_TRUE(check_cluster_name(std::string(46, 'a')).has_value());
}

TEST(Names, Others) {
  EXPECT_FALSE(check_namespace("1-a").has_value());
  EXPECT_TRUE(check_namespace("a.b").has_value());
  EXPECT_FALSE(check_object_name("aws-secret.v1").has_value());
  EXPECT_TRUE(check_object_name("a..b").has_value());
  EXPECT_TRUE(check_object_name("").has_value());
  EXPECT_TRUE(check_object_name(std::string(254, 'a')).has_value());
  EXPECT_FALSE(check_label_key("operator.etcd.io/protect").has_value());
  EXPECT_TRUE(check_label_key("a/b/c").has_value());
  EXPECT_TRUE(check_label_key("/a").has_value());
  EXPECT_TRUE(check_label_key("a/").has_value());
  EXPECT_FALSE(check_label_value("").has_value());
  EXPECT_TRUE(check_label_value("-a").has_value());
  EXPECT_FALSE(check_dns_name("*.A.example").has_value());
  EXPECT_TRUE(check_dns_name("a.*.example").has_value());
}

TEST(Names, Addresses) {
  for (const char* ip : {"127.0.0.1", "0.0.0.0", "255.255.255.255", "::", "::1", "fe80::1",
                         "1:2:3:4:5:6:7:8", "1::8", "1:2:3:4:5:6:7::"})
    EXPECT_FALSE(check_ip(ip).has_value()) << ip;
  for (const char* ip :
       {"", "1.2.3", "1.2.3.256", "01.2.3.4", "1.2.3.4.5", ":", ":::", "1::2::3", "12345::", "g::1",
        "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", ":1:2:3:4:5:6:7", "localhost"})
    EXPECT_TRUE(check_ip(ip).has_value()) << ip;
}

}  // namespace
}  // namespace api
