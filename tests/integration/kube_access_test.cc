// kube::connect with real files, programs and sockets; the server is a toy.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "http/toy_server.h"
#include "kube/credentials.h"
#include "kube/transport.h"
#include "posix/clock.h"
#include "posix/files.h"
#include "posix/test_dir.h"

namespace kube {
namespace {

using base::Code;

std::string whole(int status, const std::string& body) {
  return fmt::format("HTTP/1.1 {} X\r\nRetry-After: 4\r\nContent-Length: {}\r\n\r\n{}", status,
                     body.size(), body);
}

std::string header(const http::Got& got, const std::string& name) {
  for (const auto& line : got.headers)
    if (line.starts_with(name + ": ")) return line.substr(name.size() + 2);
  return "";
}

class AccessTest : public testing::Test {
 protected:
  std::string file(const std::string& name, const std::string& text, unsigned mode = 0600) {
    EXPECT_TRUE(posix::write_atomic(dir_.path(name), text, mode));
    return dir_.path(name);
  }
  // Access by a kubeconfig on disk whose user is this.
  base::Result<Access> access(const std::string& server, const std::string& user) {
    const auto path = file("config", fmt::format(R"(current-context: x
contexts: [{{name: x, context: {{cluster: c, user: u}}}}]
clusters: [{{name: c, cluster: {{server: "{}"}}}}]
users: [{{name: u, user: {{{}}}}}]
)",
                                                 server, user));
    return find_access({.kubeconfig = path}, {}, system_sources().read);
  }

  posix::TestDir dir_;
  posix::SystemClock clock_;
};

TEST_F(AccessTest, ATokenThatIsRefusedIsReadAgain) {
  http::Toy toy([](const http::Got& got) {
    return header(got, "Authorization") == "Bearer new" ? whole(200, "{}") : whole(401, "no");
  });
  file("token", "old\n");
  const auto transport = *connect(*access(toy.url(), "tokenFile: token"), clock_);
  const auto request = get(kPods, {"a", "b"});
  EXPECT_EQ(transport->send(request, {}, {})->status, 401);
  EXPECT_EQ(toy.got().size(), 2U);  // once more, then it is an answer
  file("token", "new\n");
  EXPECT_EQ(transport->send(request, {}, {})->status, 200);
  EXPECT_EQ(toy.got().back().line, "GET /api/v1/namespaces/a/pods/b HTTP/1.1");
  EXPECT_EQ(header(toy.got().back(), "Accept"), "application/json");
}

TEST_F(AccessTest, APluginIsRunWithItsArgumentsAndEnvironment) {
  http::Toy toy(
      [](const http::Got& got) { return got.body.empty() ? whole(400, "") : whole(429, "later"); });
  file("plugin",
       "#!/bin/sh\n"
       "case \"$KUBERNETES_EXEC_INFO\" in *ExecCredential*) ;; *) exit 3;; esac\n"
       "printf '{\"kind\":\"ExecCredential\",\"apiVersion\":"
       "\"client.authentication.k8s.io/v1\",\"status\":{\"token\":\"%s-%s\"}}' \"$1\" \"$NAME\"\n",
       0700);
  const std::string user =
      "exec: {apiVersion: client.authentication.k8s.io/v1, command: ./plugin, args: [arg],"
      " env: [{name: NAME, value: val}]}";
  const auto transport = *connect(*access(toy.url(), user), clock_);
  auto request = merge_patch(kPods, {"a", "b"}, json::Object{{"x", 1}});
  request.body += "\n";  // the toy reads lines
  const auto reply = transport->send(request, {}, {});
  ASSERT_TRUE(reply) << reply.error().error.text();
  EXPECT_EQ(reply->status, 429);
  EXPECT_EQ(reply->retry_after, "4");
  EXPECT_EQ(reply->body, "later");
  const auto got = toy.got().at(0);
  EXPECT_EQ(header(got, "Authorization"), "Bearer arg-val");
  EXPECT_EQ(header(got, "Content-Type"), "application/merge-patch+json");
  EXPECT_EQ(got.body, R"({"x":1})");
  EXPECT_TRUE(header(got, "User-Agent").starts_with("etcd-operator/"));
}

TEST_F(AccessTest, APluginThatFailsIsQuotedWithoutItsOutput) {
  file("plugin", "#!/bin/sh\necho secret\necho no network >&2\nexit 7\n", 0700);
  const std::string v1 = "apiVersion: client.authentication.k8s.io/v1";
  const auto transport =
      *connect(*access("http://127.0.0.1:1", "exec: {" + v1 + ", command: ./plugin}"), clock_);
  const auto reply = transport->send(get(kPods, {"a", "b"}), {}, {});
  ASSERT_FALSE(reply);
  EXPECT_FALSE(reply.error().sent);
  EXPECT_NE(reply.error().error.message.find("ended with 7: no network"), std::string::npos);
  EXPECT_EQ(reply.error().error.message.find("secret"), std::string::npos);
  const auto missing = *connect(
      *access("http://127.0.0.1:1", "exec: {" + v1 + ", command: eo-no-such, installHint: do so}"),
      clock_);
  const auto none = missing->send(get(kPods, {"a", "b"}), {}, {});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().error.code, Code::kFailedPrecondition);
  EXPECT_NE(none.error().error.message.find("do so"), std::string::npos);
}

TEST_F(AccessTest, AFaultyRequestIsNotSent) {
  http::Toy toy([](const http::Got&) { return whole(200, "{}"); });
  const auto transport = *connect(*access(toy.url(), "token: t"), clock_);
  EXPECT_FALSE(transport->send(remove(kPods, {"a", ""}), {}, {}));
  EXPECT_FALSE(transport->stream(get(kPods, {"a", ".."}), {}, {}, {}));
  EXPECT_TRUE(toy.got().empty());
}

}  // namespace
}  // namespace kube
