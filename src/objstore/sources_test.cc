// Credentials from every place, over services that are functions and refuse what is not asked
// right.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "json/json.h"
#include "objstore/aws_sources.h"
#include "objstore/azure_sources.h"
#include "objstore/gcs_sources.h"
#include "objstore/objstore_testing.h"
#include "objstore/open.h"
#include "posix/test_dir.h"

namespace objstore {
namespace {

using base::Code;

struct Machine {
  std::map<std::string, std::string> env, files;
  [[nodiscard]] Surroundings around() const {
    return {.env = [this](const std::string& name) -> std::optional<std::string> {
              const auto found = env.find(name);
              if (found == env.end()) return std::nullopt;
              return found->second;
            },
            .read = [this](const std::string& path) -> base::Result<std::string> {
              const auto found = files.find(path);
              if (found == files.end()) return base::fail(Code::kNotFound, "no " + path);
              return found->second;
            }};
  }
};

http::Reply good(const std::string& body) {
  return {.status = 200, .headers = {}, .body = body};
}
std::string sts_xml(const std::string& action, const std::string& id) {
  return fmt::format(
      "<{0}Response><{0}Result><Credentials><AccessKeyId>{1}</AccessKeyId><SecretAccessKey>S"
      "</SecretAccessKey><SessionToken>T</SessionToken><Expiration>2026-11-22T01:00:00Z"
      "</Expiration></Credentials></{0}Result></{0}Response>",
      action, id);
}
std::string keys_json(const std::string& id, const std::string& end) {
  return fmt::format(R"({{"Code":"Success","AccessKeyId":"{}","SecretAccessKey":"S","Token":"T",)"
                     R"("Expiration":"{}"}})",
                     id, end);
}
std::string id_of(const base::Result<AwsSetup>& setup, Network& network) {
  if (!setup) return setup.error().text();
  const auto keys = setup->credentials->get(network.clock.now(), network.call());
  if (!keys) return keys.error().text();
  return *keys ? (*keys)->id + "/" + (*keys)->session_token : "none";
}
Network nobody() {
  return Network([](const auto&, const auto&) -> Network::Reply { return cut(false); });
}

TEST(Ini, IsReadAsAwsWritesIt) {
  const auto ini = parse_ini(
      "# c\n[default]\naws_access_key_id = A\r\n; c\n[profile two]\nREGION=r\ns3 =\n"
      "  addressing_style = path\n  endpoint_url = http://h\nend = 1\n");
  ASSERT_TRUE(ini) << ini.error().text();
  EXPECT_EQ(ini->at("default").at("aws_access_key_id"), "A");
  EXPECT_EQ(ini->at("profile two").at("region"), "r");
  EXPECT_EQ(ini->at("profile two").at("s3.addressing_style"), "path");
  EXPECT_EQ(ini->at("profile two").at("end"), "1");
  for (const auto* bad : {"a = b", "[a\n", "[a]\nSECRET"}) {
    const auto refused = parse_ini(bad);
    ASSERT_FALSE(refused) << bad;
    EXPECT_EQ(refused.error().message.find("SECRET"), std::string::npos);
  }
}

TEST(Url, IsTakenApart) {
  const auto request = request_of("https://h:1/a/b?c=d%20e&f", "it");
  ASSERT_TRUE(request);
  EXPECT_EQ(request->server, "https://h:1");
  EXPECT_EQ(request->target(), "/a/b?c=d%20e&f=");
  EXPECT_EQ(request_of("https://h/a@b:c", "it")->target(), "/a@b:c");
  for (const auto* bad :
       {"", "h", "ftp://h", "http://", "http:///a", "http://u@h", "http://u@h/a", "http://h#a"})
    EXPECT_FALSE(request_of(bad, "it")) << bad;
}

TEST(AwsFiles, TheSecretOfCoreOs) {
  auto network = nobody();
  const Machine machine;
  const auto setup = aws_from_files(
      {.credentials = "[default]\naws_access_key_id = A\naws_secret_access_key = S\n",
       .config = "[default]\nregion = eu-west-1\nendpoint_url = https://minio:9000\n"
                 "s3 =\n  addressing_style = path\n"},
      machine.around(), network.outside());
  EXPECT_EQ(id_of(setup, network), "A/");
  EXPECT_EQ(setup->region, "eu-west-1");
  EXPECT_EQ(setup->endpoint, "https://minio:9000");
  EXPECT_TRUE(setup->path_style);
  for (const auto& credentials : {std::string(), std::string("[other]\naws_access_key_id = A\n"),
                                  std::string("[default]\naws_access_key_id = A\n")}) {
    const auto none =
        aws_from_files({.credentials = credentials}, machine.around(), network.outside());
    ASSERT_FALSE(none) << credentials;
    EXPECT_EQ(none.error().code, Code::kInvalidArgument);
    EXPECT_NE(none.error().message.find("profile default"), std::string::npos);
  }
}

TEST(AwsAmbient, TheEnvironmentComesFirst) {
  auto network = nobody();
  Machine machine{.env = {{"AWS_ACCESS_KEY_ID", "E"},
                          {"AWS_SECRET_ACCESS_KEY", "S"},
                          {"AWS_SESSION_TOKEN", "T"},
                          {"AWS_REGION", "us-west-2"},
                          {"AWS_ENDPOINT_URL_S3", "http://h:1"},
                          {"HOME", "/h"}},
                  .files = {{"/h/.aws/credentials",
                             "[default]\naws_access_key_id=F\naws_secret_access_key=S\n"}}};
  const auto setup = aws_ambient(machine.around(), network.outside());
  EXPECT_EQ(id_of(setup, network), "E/T");
  EXPECT_EQ(setup->region, "us-west-2");
  EXPECT_EQ(setup->endpoint, "http://h:1");
  machine.env.erase("AWS_ACCESS_KEY_ID");
  EXPECT_EQ(id_of(aws_ambient(machine.around(), network.outside()), network), "F/");
  machine.env["AWS_EC2_METADATA_DISABLED"] = "true";
  machine.files.clear();
  EXPECT_EQ(aws_ambient(machine.around(), network.outside()).error().code, Code::kPermissionDenied);
}

TEST(AwsAmbient, WebIdentityRereadsItsTokenAndRenewsInTime) {
  int asked = 0;
  std::string seen;
  Network network([&](const std::string& server, const http::Exchange& exchange) -> Network::Reply {
    EXPECT_EQ(server, "https://sts.eu-west-1.amazonaws.com");
    EXPECT_EQ(exchange.method, "POST");
    for (const auto& header : exchange.headers) EXPECT_FALSE(header.starts_with("Authorization"));
    seen = exchange.body;
    if (++asked == 1) return http::Reply{.status = 500};
    return good(sts_xml("AssumeRoleWithWebIdentity", "W" + std::to_string(asked)));
  });
  Machine machine{.env = {{"AWS_ROLE_ARN", "arn:aws:iam::1:role/r"},
                          {"AWS_WEB_IDENTITY_TOKEN_FILE", "/token"},
                          {"AWS_REGION", "eu-west-1"}},
                  .files = {{"/token", "jwt-1\n"}}};
  const auto setup = aws_ambient(machine.around(), network.outside());
  EXPECT_EQ(id_of(setup, network), "W2/T");
  EXPECT_NE(seen.find("WebIdentityToken=jwt-1"), std::string::npos) << seen;
  EXPECT_NE(seen.find("RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr"), std::string::npos) << seen;
  EXPECT_EQ(id_of(setup, network), "W2/T");
  machine.files["/token"] = "jwt-2";
  network.clock.pass(std::chrono::minutes(56));
  EXPECT_EQ(id_of(setup, network), "W3/T");
  EXPECT_NE(seen.find("WebIdentityToken=jwt-2"), std::string::npos) << seen;
}

TEST(AwsAmbient, ARefusedRoleSaysWhichAndNothingSecret) {
  Network network([](const auto&, const auto&) {
    return http::Reply{.status = 400,
                       .headers = {},
                       .body =
                           "<ErrorResponse><Error><Code>InvalidIdentityToken</Code><Message>bad"
                           "</Message></Error></ErrorResponse>"};
  });
  const Machine machine{
      .env = {{"AWS_ROLE_ARN", "arn:r"}, {"AWS_WEB_IDENTITY_TOKEN_FILE", "/token"}},
      .files = {{"/token", "SECRETJWT"}}};
  const auto setup = aws_ambient(machine.around(), network.outside());
  const auto keys = setup->credentials->get(network.clock.now(), network.call());
  ASSERT_FALSE(keys);
  EXPECT_EQ(keys.error().code, Code::kPermissionDenied);
  EXPECT_NE(keys.error().message.find("arn:r"), std::string::npos);
  EXPECT_NE(keys.error().message.find("InvalidIdentityToken"), std::string::npos);
  EXPECT_EQ(keys.error().message.find("SECRET"), std::string::npos);
}

TEST(AwsProfiles, ARoleIsTakenWithAnotherProfile) {
  Network network([&](const auto&, const http::Exchange& exchange) -> Network::Reply {
    bool is_signed = false;
    for (const auto& header : exchange.headers)
      is_signed =
          is_signed ||
          (header.starts_with("Authorization: AWS4-HMAC-SHA256 Credential=BASE/20261122/") &&
           header.find("/sts/aws4_request") != std::string::npos);
    EXPECT_TRUE(is_signed);
    EXPECT_NE(exchange.body.find("Action=AssumeRole&ExternalId=x"), std::string::npos);
    return good(sts_xml("AssumeRole", "R"));
  });
  Machine machine{
      .env = {{"HOME", "/h"}, {"AWS_PROFILE", "p"}},
      .files = {
          {"/h/.aws/config",
           "[profile p]\nrole_arn=arn:r\nsource_profile=base\nexternal_id=x\nregion=r-1\n"},
          {"/h/.aws/credentials", "[base]\naws_access_key_id=BASE\naws_secret_access_key=S\n"}}};
  EXPECT_EQ(id_of(aws_ambient(machine.around(), network.outside()), network), "R/T");
  machine.files["/h/.aws/config"] =
      "[profile p]\nrole_arn=arn:r\nsource_profile=q\n[profile q]\nrole_arn=a\nsource_profile=p\n";
  EXPECT_EQ(aws_ambient(machine.around(), network.outside()).error().code, Code::kInvalidArgument);
}

TEST(AwsAmbient, AContainersCredentials) {
  Network network([&](const std::string& server, const http::Exchange& exchange) -> Network::Reply {
    if (!has(exchange, "Authorization: pod-token")) return http::Reply{.status = 401};
    EXPECT_EQ(server + exchange.target, "http://169.254.170.23/v1/credentials");
    return good(keys_json("C", "2026-11-22T06:00:00Z"));
  });
  Machine machine{
      .env = {{"AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials"},
              {"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/t"}},
      .files = {{"/t", "pod-token"}}};
  EXPECT_EQ(id_of(aws_ambient(machine.around(), network.outside()), network), "C/T");
  machine.files["/t"] = "two\nlines";
  EXPECT_NE(id_of(aws_ambient(machine.around(), network.outside()), network).find("/t has more"),
            std::string::npos);
  machine.env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = "http://evil.example/v1";
  EXPECT_EQ(aws_ambient(machine.around(), network.outside()).error().code, Code::kInvalidArgument);
}

TEST(AwsAmbient, AnInstancesRoleByTokensOfASession) {
  Network network([&](const std::string& server, const http::Exchange& exchange) -> Network::Reply {
    EXPECT_EQ(server, "http://127.0.0.1:1338");
    if (exchange.target == "/latest/api/token")
      return exchange.method == "PUT" && has(exchange, "X-aws-ec2-metadata-token-ttl-seconds: 300")
                 ? good("session")
                 : http::Reply{.status = 400};
    if (!has(exchange, "X-aws-ec2-metadata-token: session")) return http::Reply{.status = 401};
    if (exchange.target == "/latest/meta-data/iam/security-credentials/") return good("role-1\n");
    if (exchange.target == "/latest/meta-data/iam/security-credentials/role-1")
      return good(keys_json("I", "2026-11-22T06:00:00Z"));
    return http::Reply{.status = 404};
  });
  const Machine machine{.env = {{"AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1338/"}},
                        .files = {}};
  EXPECT_EQ(id_of(aws_ambient(machine.around(), network.outside()), network), "I/T");
  auto none = nobody();
  const auto nowhere = id_of(aws_ambient(machine.around(), none.outside()), none);
  EXPECT_NE(nowhere.find("check the Secret"), std::string::npos) << nowhere;
}

TEST(AwsWords, DamagedAnswersAreRefused) {
  for (const auto* bad : {"", "<a/>", "<a><b><Credentials/></b></a>", "{}"})
    EXPECT_EQ(aws::parse_sts(bad).error().code, Code::kDataLoss) << bad;
  for (const auto* bad : {"", "{}", "[]", R"({"AccessKeyId":"a","SecretAccessKey":"b"})"})
    EXPECT_EQ(aws::parse_keys_json(bad).error().code, Code::kDataLoss) << bad;
  EXPECT_EQ(aws::parse_keys_json(R"({"Code":"AssumeRoleUnauthorizedAccess"})").error().code,
            Code::kPermissionDenied);
}

TEST(GcsSources, AnAuthorizedUserAndTheMetadataServer) {
  Network network([&](const std::string& server, const http::Exchange& exchange) -> Network::Reply {
    if (server == "http://meta:80") {
      if (!has(exchange, "Metadata-Flavor: Google")) return http::Reply{.status = 403};
      return http::Reply{.status = 200,
                         .headers = {{"metadata-flavor", "Google"}},
                         .body = R"({"access_token":"m","expires_in":3599})"};
    }
    EXPECT_EQ(exchange.body,
              "grant_type=refresh_token&client_id=i&client_secret=s&refresh_token=r%2F1");
    return good(R"({"access_token":"u","expires_in":3599,"token_type":"Bearer"})");
  });
  const auto user = gcs_from_json(
      {"credentials.json",
       R"({"type":"authorized_user","client_id":"i","client_secret":"s","refresh_token":"r/1",)"
       R"("token_uri":"https://t/token"})"},
      Machine().around(), network.outside());
  ASSERT_TRUE(user) << user.error().text();
  EXPECT_EQ((*user)->get(network.clock.now(), network.call()), "u");
  const Machine machine{.env = {{"GCE_METADATA_HOST", "meta:80"}}, .files = {}};
  const auto ambient = gcs_ambient(machine.around(), network.outside());
  EXPECT_EQ((*ambient)->get(network.clock.now(), network.call()), "m");
}

TEST(GcsSources, WhatIsNoKeyIsRefusedWithoutShowingIt) {
  auto network = nobody();
  for (const auto& [text, code] : std::map<std::string, Code>{
           {"SECRET", Code::kInvalidArgument},
           {R"({"type":"gdch_service_account"})", Code::kUnimplemented},
           {R"({"type":"service_account"})", Code::kNotFound},
           {R"({"type":"service_account","client_email":"e","private_key":"SECRET"})",
            Code::kInvalidArgument}}) {
    const auto source =
        gcs_from_json({"credentials.json", text}, Machine().around(), network.outside());
    ASSERT_FALSE(source) << text;
    EXPECT_EQ(source.error().code, code) << source.error().text();
    EXPECT_EQ(source.error().message.find("SECRET"), std::string::npos);
  }
}

TEST(AzureSources, FilesStringsAndIdentities) {
  const auto files = azure_from_files("acct\n", "a2V5\n", "AzureChinaCloud");
  ASSERT_TRUE(files);
  EXPECT_EQ(files->options.account, "acct");
  EXPECT_EQ(files->options.suffix, "core.chinacloudapi.cn");
  EXPECT_FALSE(azure_from_files("", "a2V5", ""));
  EXPECT_FALSE(azure_from_files("acct", "", ""));
  EXPECT_FALSE(azure_from_files("acct", "a2V5", "Moon"));
  const auto parsed = parse_connection_string(
      "DefaultEndpointsProtocol=https;AccountName=acct;AccountKey=a2V5==;EndpointSuffix=e");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->options.account, "acct");
  EXPECT_EQ(std::get<AzureKey>(parsed->proof).key, "a2V5==");
  const auto sas = parse_connection_string(
      "BlobEndpoint=https://acct.blob.core.windows.net/;SharedAccessSignature=sv=1&sig=x");
  ASSERT_TRUE(sas);
  EXPECT_EQ(sas->options.account, "acct");
  EXPECT_EQ(std::get<AzureSas>(sas->proof).query, "sv=1&sig=x");
  EXPECT_FALSE(parse_connection_string("AccountName=acct"));
}

TEST(AzureSources, WorkloadIdentityAndManagedIdentity) {
  Network network([&](const std::string& server, const http::Exchange& exchange) -> Network::Reply {
    if (server == "https://login.test") {
      EXPECT_EQ(exchange.target, "/tenant/oauth2/v2.0/token");
      EXPECT_NE(exchange.body.find("client_assertion=jwt"), std::string::npos);
      return good(R"({"access_token":"w","expires_in":3599})");
    }
    EXPECT_EQ(server, "http://169.254.169.254");
    if (!has(exchange, "Metadata: true")) return http::Reply{.status = 400};
    return good(R"({"access_token":"m","expires_on":"1795392000"})");
  });
  Machine machine{.env = {{"AZURE_STORAGE_ACCOUNT", "acct"},
                          {"AZURE_FEDERATED_TOKEN_FILE", "/jwt"},
                          {"AZURE_AUTHORITY_HOST", "https://login.test/"},
                          {"AZURE_TENANT_ID", "tenant"},
                          {"AZURE_CLIENT_ID", "client"}},
                  .files = {{"/jwt", "jwt\n"}}};
  const auto token = [&] {
    const auto connection = azure_ambient(machine.around(), network.outside());
    return std::get<std::shared_ptr<TokenSource>>(connection->proof)
        ->get(network.clock.now(), network.call());
  };
  EXPECT_EQ(token(), "w");
  machine.env.erase("AZURE_FEDERATED_TOKEN_FILE");
  EXPECT_EQ(token(), "m");
  machine.env.erase("AZURE_STORAGE_ACCOUNT");
  EXPECT_EQ(azure_ambient(machine.around(), network.outside()).error().code,
            Code::kPermissionDenied);
}

TEST(OpenStore, TakesTheFormsOfSecrets) {
  std::vector<std::string> authorizations;
  Network network([&](const auto&, const http::Exchange& exchange) -> Network::Reply {
    for (const auto& header : exchange.headers)
      if (header.starts_with("Authorization: "))
        authorizations.push_back(header.substr(15, header.find_first_of("/:", 15) - 15));
    return http::Reply{.status = 404, .headers = {}, .body = "x"};
  });
  const Machine machine{
      .env = {},
      .files = {{"/s3/credentials", "[default]\naws_access_key_id=A\naws_secret_access_key=S\n"},
                {"/oss/accessKeyID", "O"},
                {"/oss/accessKeySecret", "S"},
                {"/abs/storage-account", "acct"},
                {"/abs/storage-key", "a2V5"},
                {"/gcs/access-token", "G\n"}}};
  const auto stat = [&](const Where& where) {
    const auto store = open_store(where, machine.around(), network.outside());
    ASSERT_TRUE(store) << store.error().text();
    EXPECT_FALSE((*store)->stat("a", network.call()));
  };
  stat({.url = "s3://bucket/p", .secret = "/s3"});
  stat({.url = "oss://bucket/p", .secret = "/oss"});
  stat({.url = "azblob://container/p", .secret = "/abs"});
  stat({.url = "gs://bucket/p", .secret = "/gcs"});
  for (const auto* expected : {"AWS4-HMAC-SHA256 Credential=A", "AWS4-HMAC-SHA256 Credential=O",
                               "SharedKey acct", "Bearer G"})
    EXPECT_TRUE(std::ranges::count(authorizations, expected) > 0) << expected;
  EXPECT_EQ(network.lines[0], "HEAD https://bucket.s3.us-east-1.amazonaws.com/p/a");
  for (const auto* secret : {"/s3", "/gcs"})
    EXPECT_EQ(open_store({.url = "azblob://container", .secret = secret}, machine.around(),
                         network.outside())
                  .error()
                  .code,
              Code::kInvalidArgument);
  const auto wrong =
      open_store({.url = "gs://bucket", .secret = "/s3"}, machine.around(), network.outside());
  EXPECT_NE(wrong.error().message.find("credentials.json"), std::string::npos);
  EXPECT_FALSE(open_store({.url = "ftp://x"}, machine.around(), network.outside()));
  const posix::TestDir dir;
  EXPECT_TRUE(open_store({.url = "file://" + dir.path("a")}, machine.around(), network.outside()));
  EXPECT_TRUE(open_store({.url = dir.path("b")}, machine.around(), network.outside()));
}

}  // namespace
}  // namespace objstore
