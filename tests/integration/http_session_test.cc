// http::Session against a TLS server that is not ours (openssl s_server): roots, client
// certificates, names.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <optional>

#include "http/session.h"
#include "pki/issue.h"
#include "posix/clock.h"
#include "posix/env.h"
#include "posix/files.h"
#include "posix/net.h"
#include "posix/process.h"
#include "posix/test_dir.h"
#include "posix/wakeup.h"

namespace http {
namespace {

using base::Code;
using base::Duration;

class TlsTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto now = posix::SystemClock().now();
    const Duration life{3'600'000};
    ca_ = *pki::make_ca({.common_name = "ca", .now = now, .life = life});
    other_ca_ = *pki::make_ca({.common_name = "other", .now = now, .life = life});
    const auto server = *pki::issue(ca_, {.common_name = "s",
                                          .dns = {"kubernetes"},
                                          .ips = {"127.0.0.1"},
                                          .now = now,
                                          .life = life});
    const auto client = *pki::issue(ca_, {.common_name = "c", .now = now, .life = life});
    client_ = {.cert = client.cert, .key = client.key};
    write("ca.pem", ca_.cert);
    write("cert.pem", server.cert);
    write("key.pem", server.key);
    const auto openssl = posix::find_program("openssl", *posix::get_env("PATH"));
    ASSERT_TRUE(openssl);
    // Programs that run side by side begin at different places of the range.
    const auto first = static_cast<posix::Port>(29600 + ::getpid() % 18 * 5);
    port_ = posix::pick_free_ports({.first = first, .last = 29699}, 1, {})->at(0);
    const auto started = posix::spawn_detached(
        {.launch = {.argv = {*openssl, "s_server", "-accept", fmt::format("127.0.0.1:{}", port_),
                             "-cert", dir_.path("cert.pem"), "-key", dir_.path("key.pem"),
                             "-CAfile", dir_.path("ca.pem"), "-Verify", "1", "-verify_return_error",
                             "-www"}},
         .log_file = dir_.path("log")});
    ASSERT_TRUE(started) << started.error().text();
    process_ = *started;
    const auto until = posix::deadline_in(Duration(30'000));
    while (!posix::connect_loopback(port_, Duration(1'000), {}) &&
           posix::deadline_in(Duration(0)) < until)
      static_cast<void>(posix::poll_until({}, posix::deadline_in(Duration(20)), {}));
  }
  void TearDown() override {
    if (process_) static_cast<void>(posix::send_signal(*process_, SIGKILL));
  }
  void write(const std::string& name, const std::string& bytes) {
    ASSERT_TRUE(posix::write_atomic(dir_.path(name), bytes));
  }
  std::expected<Reply, Broken> get(SessionOptions options, const Identity& identity) const {
    if (options.base_url.empty()) options.base_url = fmt::format("https://127.0.0.1:{}", port_);
    return (*Session::open(std::move(options)))->perform({.identity = identity}, {});
  }

  posix::TestDir dir_;
  pki::Pair ca_, other_ca_;
  Identity client_;
  posix::Port port_ = 0;
  std::optional<posix::ProcessId> process_;
};

TEST_F(TlsTest, AClientCertificateUnderOurOwnRoots) {
  const auto reply = get({.base_url = "", .ca = ca_.cert}, client_);
  ASSERT_TRUE(reply) << reply.error().error.text();
  EXPECT_EQ(reply->status, 200);
  EXPECT_NE(reply->body.find("s_server"), std::string::npos);
}

TEST_F(TlsTest, WithoutACertificateThereIsNoAnswer) {
  const auto reply = get({.base_url = "", .ca = ca_.cert}, {});
  ASSERT_FALSE(reply);
  EXPECT_TRUE(reply.error().error.code == Code::kUnavailable ||
              reply.error().error.code == Code::kFailedPrecondition);
}

TEST_F(TlsTest, OnlyTheGivenRootsAreBelieved) {
  for (const auto& roots : {other_ca_.cert, std::string()}) {
    const auto reply = get({.base_url = "", .ca = roots}, client_);
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().error.code, Code::kFailedPrecondition) << reply.error().error.text();
    EXPECT_FALSE(reply.error().sent);
  }
  EXPECT_TRUE(get({.base_url = "", .verify = false}, client_));
}

TEST_F(TlsTest, TheNameIsChecked) {
  const auto local = fmt::format("https://localhost:{}", port_);
  EXPECT_EQ(get({.base_url = local, .ca = ca_.cert}, client_).error().error.code,
            Code::kFailedPrecondition);
  const auto named = get({.base_url = local, .ca = ca_.cert, .server_name = "kubernetes"}, client_);
  EXPECT_TRUE(named) << named.error().error.text();
  EXPECT_FALSE(get({.base_url = "", .ca = ca_.cert, .server_name = "else"}, client_));
}

}  // namespace
}  // namespace http
