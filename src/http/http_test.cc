#include <gtest/gtest.h>

#include <stdexcept>
#include <thread>

#include "http/client.h"
#include "http/request.h"
#include "http/server.h"
#include "posix/files.h"
#include "posix/socket.h"
#include "posix/test_dir.h"

namespace http {
namespace {

using base::Code;
using posix::TestDir;

TEST(RequestLine, IsDecoded) {
  const auto line = parse_request_line("GET /a%20b/c?x=1&y=a+b%26&x=2&flag HTTP/1.1");
  ASSERT_TRUE(line);
  EXPECT_FALSE(line->head);
  EXPECT_EQ(line->request.path, "/a b/c");
  EXPECT_EQ(line->request.query,
            (std::map<std::string, std::string>{{"x", "2"}, {"y", "a b&"}, {"flag", ""}}));
  EXPECT_TRUE(parse_request_line("HEAD / HTTP/1.0")->head);
}

TEST(RequestLine, WhatIsMalformedIsRefused) {
  for (const auto* text : {"", "GET", "GET / HTTP/2", "GET / HTTP/1.1 x", "GET x HTTP/1.1",
                           "GET /%zz HTTP/1.1", "GET /%0 HTTP/1.1", "GET /%00 HTTP/1.1",
                           "GET /?a=%f HTTP/1.1", "GET http://x/ HTTP/1.1", "\x16\x03\x01"})
    EXPECT_EQ(parse_request_line(text).error().code, Code::kInvalidArgument) << text;
  EXPECT_EQ(parse_request_line("POST / HTTP/1.1").error().code, Code::kUnimplemented);
}

// What the server sends back for these bytes, over a raw connection.
std::string raw(const Server& server, const std::string& bytes) {
  auto stream = posix::Stream::connect_tcp("127.0.0.1", server.port());
  if (!stream) return stream.error().message;
  const base::Duration limit{10'000};
  static_cast<void>(stream->write_all(bytes, limit, {}));
  static_cast<void>(stream->end_writing());
  return stream->read_all(1 << 20, limit, {}).value_or("no answer");
}

std::unique_ptr<Server> serve(std::map<std::string, Handler> routes) {
  ServerOptions options;
  options.read_deadline = base::Duration(200);
  auto server = Server::start(options, std::move(routes));
  EXPECT_TRUE(server);
  return server ? std::move(*server) : nullptr;
}

Handler says(const std::string& text) {
  return [text](const Request&) { return Response{.body = text}; };
}

TEST(Server, RoutesAnswers) {
  const auto server =
      serve({{"/healthz", says("ok")},
             {"/debug/", says("debug")},
             {"/debug/x", says("exact")},
             {"/echo", [](const Request& r) {
                return Response{
                    .status = 503, .content_type = "application/json", .body = r.query.at("q")};
              }}});
  ASSERT_NE(server, nullptr);
  EXPECT_EQ(server->address(), "127.0.0.1:" + std::to_string(server->port()));
  EXPECT_EQ(raw(*server, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 2\r\n"
            "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n"
            "\r\nok");
  EXPECT_TRUE(raw(*server, "HEAD /healthz HTTP/1.1\r\n\r\n").ends_with("close\r\n\r\n"));
  EXPECT_TRUE(raw(*server, "GET /debug/a/b HTTP/1.1\r\n\r\n").ends_with("debug"));
  EXPECT_TRUE(raw(*server, "GET /debug/x HTTP/1.1\r\n\r\n").ends_with("exact"));
  EXPECT_TRUE(raw(*server, "GET /echo?q=a%2fb HTTP/1.1\n\n").ends_with("a/b"));
  EXPECT_TRUE(raw(*server, "GET /echo?q= HTTP/1.1\n\n").starts_with("HTTP/1.1 503 "));
  EXPECT_TRUE(raw(*server, "GET /echo HTTP/1.1\n\n").starts_with("HTTP/1.1 500 "));
  EXPECT_TRUE(raw(*server, "GET /none HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404 "));
  EXPECT_TRUE(raw(*server, "POST /healthz HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405 "));
}

TEST(Server, BadRequestsCostOnlyTheirConnection) {
  const auto server = serve({{"/", says("ok")}});
  ASSERT_NE(server, nullptr);
  EXPECT_TRUE(raw(*server, "nonsense\r\n\r\n").starts_with("HTTP/1.1 400 "));
  EXPECT_TRUE(raw(*server, "GET /" + std::string(9000, 'x') + " HTTP/1.1\r\n\r\n")
                  .starts_with("HTTP/1.1 431 "));
  std::string many = "GET / HTTP/1.1\r\n";
  for (int i = 0; i < 200; ++i) many += "a: b\r\n";
  EXPECT_TRUE(raw(*server, many + "\r\n").starts_with("HTTP/1.1 431 "));
  EXPECT_EQ(raw(*server, "GET / HT"), "");
  // More silent clients than threads: each is dropped at its deadline, and the next is served.
  std::vector<posix::Stream> silent;
  for (int i = 0; i < 8; ++i)
    silent.push_back(*posix::Stream::connect_tcp("127.0.0.1", server->port()));
  EXPECT_TRUE(raw(*server, "GET / HTTP/1.1\r\n\r\n").ends_with("ok"));
}

TEST(Server, StartFailsClearly) {
  const auto server = serve({});
  ServerOptions taken;
  taken.port = server->port();
  EXPECT_EQ(Server::start(taken, {}).error().code, Code::kUnavailable);
  ServerOptions name;
  name.host = "not-an-address";
  EXPECT_EQ(Server::start(name, {}).error().code, Code::kInvalidArgument);
}

constexpr const char* kHelloSha =
    "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

TEST(Client, DownloadsWholeFilesOnly) {
  const TestDir dir;
  const auto server = serve({{"/hello", says("hello")},
                             {"/secret", [](const Request&) { return Response{.status = 403}; }},
                             {"/busy", [](const Request&) { return Response{.status = 503}; }}});
  const auto url = "http://" + server->address();
  const auto file = dir.path("f");
  std::uint64_t last = 0;
  const auto good = download({.url = url + "/hello",
                              .file = file,
                              .sha256 = kHelloSha,
                              .progress = [&](std::uint64_t now, std::uint64_t) { last = now; }},
                             {});
  ASSERT_TRUE(good) << good.error().message;
  EXPECT_EQ(*posix::read_file(file, 99), "hello");
  EXPECT_EQ(posix::file_info(file)->mode, 0644U);
  EXPECT_EQ(last, 5U);
  const auto code = [&](const std::string& path, const std::string& sha, std::uint64_t max) {
    const auto status =
        download({.url = url + path, .file = file, .sha256 = sha, .max_bytes = max}, {});
    return status ? Code::kInternal : status.error().code;
  };
  EXPECT_EQ(code("/none", "", 99), Code::kNotFound);
  EXPECT_EQ(code("/secret", "", 99), Code::kPermissionDenied);
  EXPECT_EQ(code("/busy", "", 99), Code::kUnavailable);
  EXPECT_EQ(code("/hello", std::string(64, '0'), 99), Code::kDataLoss);
  EXPECT_EQ(code("/hello", "", 4), Code::kResourceExhausted);
  EXPECT_EQ(*posix::read_file(file, 99), "hello");
  EXPECT_EQ(posix::list_dir(dir.path(""))->size(), 1U);
}

TEST(Client, ConnectionsThatFailAndStops) {
  const TestDir dir;
  const auto code = [&](const std::string& url, const std::stop_token& stop) {
    const auto status = download({.url = url, .file = dir.path("f")}, stop);
    return status ? Code::kInternal : status.error().code;
  };
  std::string url;
  {
    const auto server = serve({{"/hello", says("hello")}});
    url = "http://" + server->address() + "/hello";
    std::stop_source stop;
    stop.request_stop();
    EXPECT_EQ(code(url, stop.get_token()), Code::kCancelled);
    EXPECT_EQ(code("https://" + server->address() + "/hello", {}), Code::kUnavailable);
    EXPECT_EQ(*fetch({.url = url}, {}), "hello");
  }
  EXPECT_EQ(code(url, {}), Code::kUnavailable);
  EXPECT_EQ(code("gopher://127.0.0.1/", {}), Code::kInvalidArgument);
  EXPECT_EQ(code("file://" + dir.path("none"), {}), Code::kNotFound);
  ASSERT_TRUE(posix::write_atomic(dir.path("local"), "x"));
  EXPECT_EQ(*fetch({.url = "file://" + dir.path("local")}, {}), "x");
  EXPECT_EQ(*posix::exists(dir.path("f")), false);
}

}  // namespace
}  // namespace http
