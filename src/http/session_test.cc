#include "http/session.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "http/toy_server.h"

namespace http {
namespace {

using base::Code;

std::string whole(int status, const std::string& body, const std::string& headers = "") {
  return fmt::format("HTTP/1.1 {} X\r\n{}Content-Length: {}\r\n\r\n{}", status, headers,
                     body.size(), body);
}

std::unique_ptr<Session> session(const std::string& url) {
  auto made = Session::open({.base_url = url, .user_agent = "toy/1"});
  EXPECT_TRUE(made);
  return made ? std::move(*made) : nullptr;
}

TEST(Session, SendsAndReceivesOverAKeptConnection) {
  Toy toy([](const Got& got) {
    return got.body == "a body" ? whole(409, "no", "Retry-After: 3\r\nX-A: b\r\n")
                                : whole(200, "yes");
  });
  const auto s = session(toy.url() + "/prefix/");
  const auto first = s->perform({.target = "/a?b=%20"}, {});
  ASSERT_TRUE(first);
  EXPECT_EQ(first->status, 200);
  EXPECT_EQ(first->body, "yes");
  const auto second = s->perform(
      {.method = "PATCH", .target = "/c", .headers = {"Content-Type: x/y"}, .body = "a body\n"},
      {});
  ASSERT_TRUE(second);
  EXPECT_EQ(second->status, 409);
  EXPECT_EQ(second->body, "no");
  EXPECT_EQ(second->headers.at("retry-after"), "3");
  EXPECT_TRUE(s->perform({.method = "DELETE", .target = "/d"}, {}));
  const auto got = toy.got();
  ASSERT_EQ(got.size(), 3U);
  EXPECT_EQ(got[0].line, "GET /prefix/a?b=%20 HTTP/1.1");
  EXPECT_EQ(got[1].line, "PATCH /prefix/c HTTP/1.1");
  EXPECT_EQ(got[1].body, "a body");
  EXPECT_TRUE(std::ranges::count(got[1].headers, "Content-Type: x/y") == 1);
  EXPECT_TRUE(std::ranges::count(got[0].headers, "User-Agent: toy/1") == 1);
  EXPECT_EQ(got[2].line, "DELETE /prefix/d HTTP/1.1");
  for (const auto& g : got) EXPECT_EQ(g.connection, got[0].connection);
}

TEST(Session, StreamsGoodAnswersAndKeepsBadOnes) {
  std::atomic<int> status = 200;
  Toy toy([&](const Got&) {
    return fmt::format("HTTP/1.1 {} X\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
                       status.load());
  });
  const auto s = session(toy.url());
  std::string seen;
  const auto sink = [&](std::string_view part) {
    seen += part;
    return base::Status();
  };
  EXPECT_EQ(s->perform({.sink = sink}, {})->body, "");
  EXPECT_EQ(seen, "abc");
  status = 410;
  EXPECT_EQ(s->perform({.sink = sink}, {})->body, "abc");
  EXPECT_EQ(seen, "abc");
}

TEST(Session, AnAnswerToHeadHasNoBody) {
  Toy toy([](const Got&) { return std::string("HTTP/1.1 200 X\r\nContent-Length: 7\r\n\r\n"); });
  const auto s = session(toy.url());
  for (int i = 0; i < 2; ++i) {
    const auto head = s->perform({.method = "HEAD"}, {});
    ASSERT_TRUE(head);
    EXPECT_EQ(head->headers.at("content-length"), "7");
  }
  EXPECT_EQ(toy.got().at(1).line, "HEAD / HTTP/1.1");
}

TEST(Session, ASinkMayEndIt) {
  Toy toy([](const Got&) { return whole(200, "abc"); });
  const auto ended = session(toy.url())->perform(
      {.sink = [](std::string_view) { return base::fail(Code::kAborted, "enough"); }}, {});
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().error, (base::Error{Code::kAborted, "enough"}));
}

TEST(Session, AStreamThatBeginsWrongGivesNothing) {
  Toy toy([](const Got&) { return whole(206, "abc", "Content-Range: bytes 3-5/6\r\n"); });
  bool given = false;
  const auto ended = session(toy.url())->perform(
      {.sink =
           [&](std::string_view) {
             given = true;
             return base::Status();
           },
       .before_sink =
           [](const Reply& reply) {
             return base::fail(Code::kDataLoss,
                               std::to_string(reply.status) + reply.headers.at("content-range"));
           }},
      {});
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().error, (base::Error{Code::kDataLoss, "206bytes 3-5/6"}));
  EXPECT_FALSE(given);
}

// The server goes on for ever; only the stop ends it.
TEST(Session, AStreamEndsWhenAskedTo) {
  Toy toy([](const Got&) {
    return std::string("HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  });
  const auto s = session(toy.url());
  std::stop_source source;
  const auto ended = s->perform({.deadline = base::Duration(600'000),
                                 .sink =
                                     [&](std::string_view) {
                                       source.request_stop();
                                       return base::Status();
                                     }},
                                source.get_token());
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().error.code, Code::kCancelled);
  EXPECT_TRUE(ended.error().sent);
}

TEST(Session, SilenceAndDeadlinesEndIt) {
  Toy toy([](const Got&) { return std::string("HTTP/1.1 200 X\r\nContent-Length: 3\r\n\r\nab"); });
  const auto s = session(toy.url());
  const auto silent = s->perform({.silence = base::Duration(50)}, {});
  ASSERT_FALSE(silent);
  EXPECT_EQ(silent.error().error.code, Code::kDeadlineExceeded);
  const auto late = s->perform({.deadline = base::Duration(2'000)}, {});
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().error.code, Code::kDeadlineExceeded);
  EXPECT_TRUE(late.error().sent);
}

TEST(Session, SaysWhetherItWasSent) {
  Toy toy([](const Got&) { return std::string(); });  // reads it, then closes
  const auto cut = session(toy.url())->perform({.method = "POST", .body = "x\n"}, {});
  ASSERT_FALSE(cut);
  EXPECT_EQ(cut.error().error.code, Code::kUnavailable);
  EXPECT_TRUE(cut.error().sent);
  const auto port = posix::TcpListener::listen("127.0.0.1", 0)->port();  // closed again
  const auto nobody = session(fmt::format("http://127.0.0.1:{}", port))
                          ->perform({.method = "POST", .body = "x\n"}, {});
  ASSERT_FALSE(nobody);
  EXPECT_EQ(nobody.error().error.code, Code::kUnavailable);
  EXPECT_FALSE(nobody.error().sent);
}

// A kept connection that the server closes on the next request: libcurl would send a body again.
TEST(Session, AWriteIsNotSentTwice) {
  Toy toy([](const Got& got) { return got.body.empty() ? whole(200, "") : std::string(); });
  const auto s = session(toy.url());
  EXPECT_TRUE(s->perform({}, {}));
  const auto cut = s->perform({.method = "POST", .body = "x\n"}, {});
  ASSERT_FALSE(cut);
  EXPECT_TRUE(cut.error().sent);
  size_t writes = 0;
  for (const auto& got : toy.got()) writes += got.body == "x" ? 1 : 0;
  EXPECT_EQ(writes, 1U);
}

TEST(Session, LimitsWhatIsTaken) {
  Toy toy([](const Got& got) {
    return got.line.starts_with("GET /h")
               ? whole(200, "", "X: " + std::string(70'000, 'x') + "\r\n")
               : whole(200, std::string(2000, 'x'));
  });
  const auto s = session(toy.url());
  EXPECT_EQ(s->perform({.max_bytes = 1000}, {}).error().error.code, Code::kResourceExhausted);
  EXPECT_EQ(s->perform({.target = "/h"}, {}).error().error.code, Code::kResourceExhausted);
  EXPECT_EQ(s->perform({.max_bytes = 2000}, {})->body.size(), 2000U);
}

TEST(Session, RefusesUrlsOfNoServer) {
  for (const auto* url : {"", "ftp://a", "https://", "https://a:0", "https://a:b", "a:80",
                          "https://u:secret@a", "http://a?b"}) {
    const auto made = Session::open({.base_url = url});
    ASSERT_FALSE(made) << url;
    EXPECT_EQ(made.error().code, Code::kInvalidArgument);
    EXPECT_EQ(made.error().message.find("secret"), std::string::npos);
  }
}

TEST(Session, ThreadsUseItAtOnce) {
  Toy toy([](const Got&) { return whole(200, "yes"); });
  const auto s = session(toy.url());
  std::atomic<int> good = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i)
      threads.emplace_back([&] {
        for (int n = 0; n < 20; ++n) good += s->perform({}, {}).value_or(Reply{}).status == 200;
      });
  }
  EXPECT_EQ(good, 80);
}

}  // namespace
}  // namespace http
