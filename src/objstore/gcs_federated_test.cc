// Tokens of other issuers and service accounts that are stood in for, over services that are
// functions and refuse what is not asked right.
#include "objstore/gcs_federated.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>

#include "json/json.h"
#include "objstore/gcs_sources.h"
#include "objstore/objstore_testing.h"

namespace objstore {
namespace {

using base::Code;

constexpr const char* kAccount =
    "https://iam.test/v1/projects/-/serviceAccounts/b@p.iam:generateAccessToken";

// A pool that trusts another issuer, its exchange of tokens, and one service account.
class Federated : public testing::Test {
 protected:
  Network::Reply answer(const std::string& server, const http::Exchange& exchange) {
    if (server == "http://169.254.169.254") {
      if (!has(exchange, "Metadata: true")) return http::Reply{.status = 400};
      return good(subject);
    }
    if (server == "https://sts.test") return exchange_token(exchange);
    EXPECT_EQ(server + exchange.target, std::string(kAccount));
    const auto body = json::parse(exchange.body);
    if (!body || !has(exchange, "Authorization: Bearer " + own)) return refused(own);
    asked = *body;
    return good(
        fmt::format(R"({{"accessToken":"sa{}","expireTime":"2026-11-22T01:00:00Z"}})", ++given));
  }
  Network::Reply exchange_token(const http::Exchange& exchange) {
    EXPECT_EQ(exchange.method + " " + exchange.target, "POST /v1/token");
    form = exchange.body;
    if (form.find("&subject_token=" + trusted) == std::string::npos) return refused(subject);
    return good(R"({"access_token":")" + own +
                R"(","issued_token_type":"urn:ietf:params:oauth:token-type:access_token",)"
                R"("token_type":"Bearer","expires_in":3600})");
  }
  static http::Reply good(const std::string& body) {
    return {.status = 200, .headers = {}, .body = body};
  }
  // A service that says more than it should.
  static http::Reply refused(const std::string& secret) {
    return {.status = 400,
            .headers = {},
            .body = R"({"error":"invalid_grant","error_description":"no )" + secret + R"("})"};
  }
  Surroundings around() {
    return {.env = [](const std::string&) { return std::nullopt; },
            .read = [this](const std::string& path) -> base::Result<std::string> {
              const auto found = files.find(path);
              if (found == files.end()) return base::fail(Code::kNotFound, "no " + path);
              return found->second;
            }};
  }
  static json::Value external(const std::string& source) {
    auto value = json::parse(
        R"({"type":"external_account","token_url":"https://sts.test/v1/token",)"
        R"("audience":"//iam.googleapis.com/projects/1/pool","universe_domain":"googleapis.com",)"
        R"("subject_token_type":"urn:ietf:params:oauth:token-type:jwt","credential_source":)" +
        source + "}");
    EXPECT_TRUE(value) << source;
    return *value;
  }
  base::Result<std::unique_ptr<TokenSource>> open(const json::Value& value) {
    return gcs_from_json({"credentials.json", json::print(value)}, around(), network.outside());
  }
  std::string token(const json::Value& value) {
    const auto source = open(value);
    if (!source) return source.error().text();
    const auto got = (*source)->get(network.clock.now(), network.call());
    return got ? *got : got.error().text();
  }
  std::string why(const json::Value& value, Code code = Code::kInvalidArgument) {
    const auto source = open(value);
    if (source) return "it is taken";
    EXPECT_EQ(source.error().code, code) << source.error().text();
    return source.error().message;
  }

  Network network{[this](const std::string& server, const http::Exchange& exchange) {
    return answer(server, exchange);
  }};
  std::map<std::string, std::string> files{{"/token", "jwt-1\n"}};
  std::string subject = "jwt-1", trusted = "jwt-1", own = "federated";
  std::string form;
  json::Value asked;
  int given = 0;
};

TEST_F(Federated, ATokenOfAFileIsGivenForOneOfGoogles) {
  const auto source = open(external(R"({"file":"/token"})"));
  ASSERT_TRUE(source) << source.error().text();
  EXPECT_EQ((*source)->get(network.clock.now(), network.call()), "federated");
  EXPECT_EQ(form,
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange"
            "&requested_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token"
            "&audience=%2F%2Fiam.googleapis.com%2Fprojects%2F1%2Fpool"
            "&scope=https%3A%2F%2Fwww.googleapis.com%2Fauth%2Fdevstorage.read_write"
            "&subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Ajwt"
            "&subject_token=jwt-1");
  // It is kept, and the file is read anew when it ends.
  EXPECT_EQ((*source)->get(network.clock.now(), network.call()), "federated");
  EXPECT_EQ(network.lines.size(), 1U);
  files["/token"] = trusted = "jwt-2";
  own = "second";
  network.clock.pass(std::chrono::minutes(56));
  EXPECT_EQ((*source)->get(network.clock.now(), network.call()), "second");
}

TEST_F(Federated, ATokenInJsonAndOneOfAnAddress) {
  files["/json"] = R"({"a":1,"id.token":"jwt-1"})";
  const std::string format = R"("format":{"type":"json","subject_token_field_name":"id.token"})";
  EXPECT_EQ(token(external(R"({"file":"/json",)" + format + "}")), "federated");
  const std::string url = R"("url":"http://169.254.169.254/metadata?resource=r",)"
                          R"("headers":{"Metadata":"true"})";
  EXPECT_EQ(token(external("{" + url + "}")), "federated");
  EXPECT_EQ(network.lines[1], "GET http://169.254.169.254/metadata?resource=r");
  subject = files["/json"];
  EXPECT_EQ(token(external("{" + url + "," + format + "}")), "federated");
  subject = "{}";
  EXPECT_NE(token(external("{" + url + "," + format + "}")).find("has no text in id.token"),
            std::string::npos);
}

TEST_F(Federated, AServiceAccountIsStoodInFor) {
  auto value = external(R"({"file":"/token"})");
  value["service_account_impersonation_url"] = kAccount;
  const auto source = open(value);
  ASSERT_TRUE(source) << source.error().text();
  EXPECT_EQ((*source)->get(network.clock.now(), network.call()), "sa1");
  EXPECT_NE(form.find("auth%2Fcloud-platform&"), std::string::npos) << form;
  EXPECT_EQ(json::print(asked),
            R"({"scope":["https://www.googleapis.com/auth/devstorage.read_write"],)"
            R"("lifetime":"3600s"})");
  network.clock.pass(std::chrono::minutes(50));
  EXPECT_EQ((*source)->get(network.clock.now(), network.call()), "sa1");
  value["service_account_impersonation"]["token_lifetime_seconds"] = 7200;
  EXPECT_EQ(token(value), "sa2");
  EXPECT_EQ(json::get_string(asked, "lifetime"), "7200s");
  value["service_account_impersonation"]["token_lifetime_seconds"] = 60;
  EXPECT_EQ(why(value),
            "credentials.json: service_account_impersonation.token_lifetime_seconds is not 600 to "
            "43200");
}

TEST_F(Federated, APersonStandsInForAServiceAccount) {
  auto value = json::parse(
      R"({"type":"impersonated_service_account","delegates":["projects/-/serviceAccounts/d"]})");
  ASSERT_TRUE(value);
  (*value)["service_account_impersonation_url"] = kAccount;
  EXPECT_EQ(why(*value), "credentials.json: source_credentials is missing or no object");
  (*value)["source_credentials"] = external(R"({"file":"/token"})");
  EXPECT_EQ(token(*value), "sa1");
  EXPECT_NE(form.find("auth%2Fcloud-platform&"), std::string::npos) << form;
  EXPECT_EQ(json::get_string(asked, "delegates.0"), "projects/-/serviceAccounts/d");
  (*value)["source_credentials"] = *value;
  EXPECT_NE(why(*value, Code::kUnimplemented).find("source_credentials: the type"),
            std::string::npos);
}

TEST_F(Federated, ARefusalNamesWhoAndNothingSecret) {
  files["/token"] = subject = "SECRETJWT";
  auto value = external(R"({"file":"/token"})");
  const auto unknown = token(value);
  EXPECT_NE(unknown.find("the token exchange (https://sts.test)"), std::string::npos) << unknown;
  EXPECT_NE(unknown.find("invalid_grant"), std::string::npos) << unknown;
  EXPECT_EQ(unknown.find("SECRET"), std::string::npos) << unknown;
  trusted = subject;
  own = "SECRETTOKEN\r\nx: y";
  EXPECT_EQ(token(value).find("SECRET"), std::string::npos);
  own = "SECRETTOKEN";
  value["service_account_impersonation_url"] =
      "https://iam.test/v1/projects/-/serviceAccounts/x:generateAccessToken";
  files.erase("/token");
  EXPECT_NE(token(value).find("credential_source.file: no /token"), std::string::npos);
}

TEST_F(Federated, EachFieldIsNamedThatIsWrong) {
  const auto wrong = [&](const std::string& field, const json::Value& with) {
    auto value = external(R"({"file":"/token"})");
    value[field] = with;
    return why(value);
  };
  EXPECT_EQ(wrong("token_url", "http://sts.test/v1/token"),
            "credentials.json: token_url is http and not of this machine: it must be https");
  EXPECT_EQ(wrong("token_url", 7), "credentials.json: token_url is a number, not a string");
  EXPECT_EQ(wrong("audience", ""), "credentials.json: audience is empty");
  EXPECT_EQ(wrong("subject_token_type", nullptr),
            "credentials.json: subject_token_type is missing");
  EXPECT_EQ(wrong("service_account_impersonation_url", "https://iam.test/v1/x"),
            "credentials.json: service_account_impersonation_url does not end with "
            ":generateAccessToken");
  EXPECT_EQ(wrong("service_account_impersonation_url", "http://iam.test/a:generateAccessToken"),
            "credentials.json: service_account_impersonation_url is http and not of this machine: "
            "it must be https");
  for (const auto& [source, why_not] : std::map<std::string, std::string>{
           {"7", "is missing or no object"},
           {"{}", "must have one of file and url"},
           {R"({"file":"/token","url":"https://u"})", "must have one of file and url"},
           {R"({"url":"http://u"})", "credential_source.url is http and not of this machine"},
           {R"({"url":"http://127.0.0.1.u"})", "credential_source.url is http and not of this"},
           {R"({"url":"https://u","headers":{"a":"b\r\nc"}})", "headers a is not a line"},
           {R"({"file":"/token","format":{"type":"xml"}})", "format.type \"xml\" is not text"},
           {R"({"file":"/token","format":{"type":"json"}})",
            "subject_token_field_name is missing"}})
    EXPECT_NE(why(external(source)).find(why_not), std::string::npos)
        << source << ": " << why(external(source));
  for (const auto* source : {R"({"executable":{"command":"/bin/true"}})",
                             R"({"environment_id":"aws1","url":"http://169.254.169.254/"})",
                             R"({"certificate":{"use_default_certificate_config":true}})"})
    EXPECT_NE(why(external(source), Code::kUnimplemented).find("; give file or url"),
              std::string::npos)
        << source;
}

TEST(GcsWords, DamagedAnswersAreRefused) {
  const auto now = *base::parse_rfc3339("2026-11-22T00:00:00Z");
  for (const auto* bad : {"", "[]", "{}", R"({"accessToken":"t"})",
                          R"({"accessToken":"t","expireTime":"2026-11-21T00:00:00Z"})",
                          R"({"accessToken":"a b","expireTime":"2026-11-23T00:00:00Z"})"})
    EXPECT_EQ(gcs::parse_impersonated(bad, now).error().code, Code::kDataLoss) << bad;
}

}  // namespace
}  // namespace objstore
