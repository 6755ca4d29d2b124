#include "kube/access.h"

#include <gtest/gtest.h>

#include <map>

#include "base/base64.h"

namespace kube {
namespace {

using base::Code;
using Texts = std::map<std::string, std::string>;

ReadFile files(const Texts& texts) {
  return [texts](const std::string& path) -> base::Result<std::string> {
    const auto it = texts.find(path);
    if (it == texts.end()) return base::fail(Code::kNotFound, path + ": no such file");
    return it->second;
  };
}

const std::string kTwo = R"(
apiVersion: v1
kind: Config
current-context: dev
contexts:
- {name: dev, context: {cluster: c1, user: u1, namespace: shop}}
- {name: prod, context: {cluster: c2, user: u2}}
clusters:
- name: c1
  cluster: {server: "https://127.0.0.1:6443", certificate-authority: pki/ca.crt}
- name: c2
  cluster:
    server: https://prod
    certificate-authority-data: Q0E=
    tls-server-name: kubernetes
    proxy-url: http://proxy:3128
users:
- name: u1
  user: {client-certificate-data: Q0VSVA==, client-key: /abs/key.pem}
- name: u2
  user: {token: secret-token}
)";

base::Result<Access> read(const std::string& text, const std::string& context = "",
                          const Texts& texts = {{"/k/pki/ca.crt", "CA1"},
                                                {"/abs/key.pem", "KEY"}}) {
  const ConfigFile file{"/k/config", text};
  return read_config({&file, 1}, context, files(texts));
}

TEST(Access, TheCurrentContext) {
  const auto access = read(kTwo);
  ASSERT_TRUE(access) << access.error().text();
  EXPECT_EQ(access->server, "https://127.0.0.1:6443");
  EXPECT_EQ(access->ca, "CA1");
  EXPECT_EQ(access->ns, "shop");
  EXPECT_EQ(access->identity.cert, "CERT");
  EXPECT_EQ(access->identity.key, "KEY");
  EXPECT_EQ(access->source, "context dev of /k/config");
  EXPECT_TRUE(access->verify);
}

TEST(Access, AnotherContext) {
  const auto access = read(kTwo, "prod");
  ASSERT_TRUE(access) << access.error().text();
  EXPECT_EQ(access->server, "https://prod");
  EXPECT_EQ(access->ca, "CA");
  EXPECT_EQ(access->server_name, "kubernetes");
  EXPECT_EQ(access->proxy, "http://proxy:3128");
  EXPECT_EQ(access->token, "secret-token");
  EXPECT_EQ(access->ns, "default");
}

// As kubectl merges: the first that says something is believed.
TEST(Access, SeveralFilesAreOne) {
  const std::vector<ConfigFile> two{{"/a/config",
                                     "users: [{name: u1, user: {tokenFile: token}}]\n"
                                     "clusters: [{name: c1, cluster: {server: https://first}}]\n"},
                                    {"/k/config", kTwo}};
  const auto access = read_config(two, "", files({}));
  ASSERT_TRUE(access) << access.error().text();
  EXPECT_EQ(access->server, "https://first");
  EXPECT_EQ(access->token_file, "/a/token");
  EXPECT_TRUE(access->identity.cert.empty());
  EXPECT_EQ(access->ns, "shop");
}

std::string with_user(const std::string& user, const std::string& cluster = "server: https://h") {
  return "current-context: x\n"
         "contexts: [{name: x, context: {cluster: c, user: u}}]\n"
         "clusters: [{name: c, cluster: {" +
         cluster +
         "}}]\n"
         "users: [{name: u, user: {" +
         user + "}}]\n";
}

TEST(Access, ExecPlugins) {
  const auto access = read(with_user(
      "exec: {apiVersion: client.authentication.k8s.io/v1, command: ./bin/get, args: [a, b],"
      " env: [{name: N, value: v}], provideClusterInfo: true, interactiveMode: Never}"));
  ASSERT_TRUE(access) << access.error().text();
  ASSERT_TRUE(access->exec);
  EXPECT_EQ(access->exec->command, "/k/./bin/get");
  EXPECT_EQ(access->exec->args, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(access->exec->env.at(0), (std::pair<std::string, std::string>("N", "v")));
  EXPECT_TRUE(access->exec->wants_cluster);
  const std::string v1 = "apiVersion: client.authentication.k8s.io/v1";
  EXPECT_EQ(read(with_user("exec: {" + v1 + ", command: aws}"))->exec->command, "aws");
  for (const auto& wrong : {"exec: {" + v1 + "}", std::string("exec: {command: x}"),
                            "exec: {" + v1 + ", command: x, interactiveMode: Always}",
                            "exec: {" + v1 + ", command: x, args: [3]}"})
    EXPECT_EQ(read(with_user(wrong)).error().code, Code::kInvalidArgument) << wrong;
}

TEST(Access, WhatIsWrongIsNamedAndNoSecretShown) {
  const std::pair<std::string, std::string> cases[] = {
      {"current-context: [", "/k/config"},
      {"kind: Pod", "kind is Pod"},
      {"kind: Config", "no context is chosen"},
      {"current-context: y", "contexts has no \"y\""},
      {with_user("client-certificate-data: Q0VSVA=="), "only one is there"},
      {with_user("client-key-data: '!secret!'"), "client-key-data is not base64"},
      {with_user("client-key: gone.pem"), "client-key: /k/gone.pem"},
      {with_user("auth-provider: {name: gcp}"), "auth-provider is not supported"},
      {with_user("token: t", "insecure-skip-tls-verify: true"), "no server"},
  };
  for (const auto& [text, words] : cases) {
    const auto access = read(text);
    ASSERT_FALSE(access) << text;
    EXPECT_NE(access.error().message.find(words), std::string::npos) << access.error().text();
    EXPECT_EQ(access.error().message.find("secret"), std::string::npos);
  }
}

const Texts kPod{{"/var/run/secrets/kubernetes.io/serviceaccount/ca.crt", "PODCA"},
                 {"/var/run/secrets/kubernetes.io/serviceaccount/namespace", "ops\n"}};

TEST(Access, FromWithinACluster) {
  const auto access =
      find_access({}, {.service_host = "fd00::1", .service_port = "443"}, files(kPod));
  ASSERT_TRUE(access) << access.error().text();
  EXPECT_EQ(access->server, "https://[fd00::1]:443");
  EXPECT_EQ(access->ca, "PODCA");
  EXPECT_EQ(access->ns, "ops");
  EXPECT_EQ(access->token_file, "/var/run/secrets/kubernetes.io/serviceaccount/token");
}

TEST(Access, TheOrderOfPlaces) {
  Texts texts = kPod;
  const auto named = [](const std::string& server) {
    return with_user("token: t", "server: " + server);
  };
  texts["/option"] = named("https://option");
  texts["/env2"] = named("https://env");
  texts["/home/u/.kube/config"] = named("https://home");
  const Environment all{
      .kubeconfig = "/env1::/env2", .home = "/home/u", .service_host = "10.0.0.1"};
  const auto server = [&](const AccessOptions& options, const Environment& environment) {
    const auto access = find_access(options, environment, files(texts));
    return access ? access->server : access.error().message;
  };
  EXPECT_EQ(server({.kubeconfig = "/option"}, all), "https://option");
  EXPECT_EQ(server({}, all), "https://env");
  EXPECT_EQ(server({}, {.home = "/home/u", .service_host = "10.0.0.1"}), "https://10.0.0.1:443");
  EXPECT_EQ(server({}, {.home = "/home/u"}), "https://home");
  EXPECT_EQ(find_access({}, {}, files(texts)).error().code, Code::kNotFound);
  EXPECT_EQ(find_access({.kubeconfig = "/gone"}, all, files(texts)).error().code, Code::kNotFound);
  // A file that is named and cannot be read is not passed over.
  const auto denied = [](const std::string&) -> base::Result<std::string> {
    return base::fail(Code::kPermissionDenied, "no");
  };
  EXPECT_EQ(find_access({}, all, denied).error().code, Code::kPermissionDenied);
}

}  // namespace
}  // namespace kube
