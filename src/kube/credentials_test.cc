#include "kube/credentials.h"

#include <gtest/gtest.h>

#include "json/json.h"
#include "kube/kube_testing.h"

namespace kube {
namespace {

using base::Code;

constexpr std::string_view kV1 = "client.authentication.k8s.io/v1";

struct Outside {
  HandClock clock;
  base::Result<std::string> token = "t1\n";
  base::Result<std::string> said = "";
  int reads = 0, runs = 0;

  Sources sources() {
    return {.read =
                [this](const std::string&) {
                  ++reads;
                  return token;
                },
            .run =
                [this](const ExecPlugin&, const std::string&, const std::stop_token&) {
                  ++runs;
                  return said;
                }};
  }
};

std::string authorization(Credentials& credentials) {
  const auto got = credentials.get({});
  return got ? got->authorization : got.error().text();
}

TEST(Credentials, ATokenFileIsReadAgain) {
  Outside outside;
  Credentials credentials({.token_file = "/t"}, outside.sources(), outside.clock);
  EXPECT_EQ(authorization(credentials), "Bearer t1");
  outside.token = "t2";
  EXPECT_EQ(authorization(credentials), "Bearer t1");
  EXPECT_EQ(outside.reads, 1);
  outside.clock.pass(base::Duration(60'000));
  EXPECT_EQ(authorization(credentials), "Bearer t2");
  // Unreadable for a while, or half written: the old one goes on.
  for (const auto& now : {base::Result<std::string>(base::fail(Code::kUnavailable, "io")),
                          base::Result<std::string>("")}) {
    outside.token = now;
    outside.clock.pass(base::Duration(60'000));
    EXPECT_EQ(authorization(credentials), "Bearer t2");
  }
  outside.token = "t3";
  const auto old = *credentials.get({});
  credentials.refused(old);
  EXPECT_EQ(authorization(credentials), "Bearer t3");
  // Another thread was slower to notice.
  const int reads = outside.reads;
  credentials.refused(old);
  EXPECT_EQ(authorization(credentials), "Bearer t3");
  EXPECT_EQ(outside.reads, reads);
}

TEST(Credentials, ATokenThatIsNoneIsRefused) {
  Outside outside;
  Credentials credentials({.token_file = "/t"}, outside.sources(), outside.clock);
  for (const auto* text : {"", "\n", "a\r\nX-Other: header", "a b"}) {
    outside.token = text;
    EXPECT_EQ(credentials.get({}).error().code, Code::kFailedPrecondition);
  }
  outside.token = base::fail(Code::kNotFound, "gone");
  EXPECT_EQ(credentials.get({}).error().code, Code::kNotFound);
}

std::string answer(const std::string& status) {
  return R"({"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","status":)" +
         status + "}";
}

TEST(Credentials, APluginIsAskedAgainWhenItsWordExpires) {
  Outside outside;
  Access access{.identity = {"own cert", "own key"}};
  access.exec = ExecPlugin{.api_version = std::string(kV1), .command = "/p"};
  Credentials credentials(access, outside.sources(), outside.clock);
  const auto later = base::to_rfc3339(outside.clock.now() + base::Duration(60'000));
  outside.said = answer(R"({"token":"p1","expirationTimestamp":")" + later + "\"}");
  EXPECT_EQ(authorization(credentials), "Bearer p1");
  outside.said = answer(R"({"clientCertificateData":"c","clientKeyData":"k"})");
  EXPECT_EQ(authorization(credentials), "Bearer p1");
  EXPECT_EQ(outside.runs, 1);
  outside.clock.pass(base::Duration(50'000));
  const auto certificate = credentials.get({});
  EXPECT_EQ(certificate->authorization, "");
  EXPECT_EQ(certificate->identity.cert, "c");
  // Without an expiry it holds until it is refused.
  outside.clock.pass(base::Duration(86'400'000));
  EXPECT_TRUE(credentials.get({}));
  EXPECT_EQ(outside.runs, 2);
  credentials.refused(*certificate);
  outside.said = base::fail(Code::kUnavailable, "no network");
  EXPECT_EQ(credentials.get({}).error().code, Code::kUnavailable);
  EXPECT_EQ(outside.runs, 3);
}

TEST(Credentials, PluginsThatSayNonsense) {
  const std::string v1(kV1);
  const auto good = parse_exec_credential(
      answer(R"({"token":"t","expirationTimestamp":"2030-01-02T03:04:05Z"})"), v1);
  ASSERT_TRUE(good);
  EXPECT_EQ(base::to_rfc3339(*good->expires), "2030-01-02T03:04:05.000Z");
  for (const auto& text :
       {std::string("secret"), std::string("[]"), std::string("{}"), answer("{}"),
        answer(R"({"token":"secret\nX: y"})"), answer(R"({"clientKeyData":"secret"})"),
        answer(R"({"token":"secret","expirationTimestamp":"soon"})"),
        answer("{\"token\":\"secret" + std::string(70'000, 'x') + "\"}")}) {
    const auto bad = parse_exec_credential(text, v1);
    ASSERT_FALSE(bad) << text;
    EXPECT_EQ(bad.error().message.find("secret"), std::string::npos);
  }
  EXPECT_FALSE(parse_exec_credential(answer(R"({"token":"t"})"), v1 + "beta1"));
}

TEST(Credentials, APluginIsToldAboutTheCluster) {
  const Access access{.server = "https://h", .ca = "CA", .verify = false};
  ExecPlugin plugin{.api_version = std::string(kV1), .command = "p"};
  EXPECT_EQ(exec_info(access, plugin),
            R"({"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential",)"
            R"("spec":{"interactive":false}})");
  plugin.wants_cluster = true;
  EXPECT_EQ(json::print(*json::parse(exec_info(access, plugin))->at("spec.cluster")),
            R"({"server":"https://h","certificate-authority-data":"Q0E=",)"
            R"("insecure-skip-tls-verify":true})");
}

TEST(Credentials, WhatStandsInTheFile) {
  Outside outside;
  Credentials basic({.user = "u", .password = "p"}, outside.sources(), outside.clock);
  EXPECT_EQ(authorization(basic), "Basic dTpw");
  Credentials token({.token = "t"}, outside.sources(), outside.clock);
  EXPECT_EQ(authorization(token), "Bearer t");
  Credentials wrong({.source = "context x", .token = "a\nb"}, outside.sources(), outside.clock);
  EXPECT_EQ(authorization(wrong), "context x: its token is malformed (InvalidArgument)");
  Credentials none({}, outside.sources(), outside.clock);
  EXPECT_EQ(authorization(none), "");
}

}  // namespace
}  // namespace kube
