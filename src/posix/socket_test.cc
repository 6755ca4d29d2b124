#include "posix/socket.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <thread>

#include "posix/files.h"
#include "posix/test_dir.h"

namespace posix {
namespace {

using base::Code;
constexpr base::Duration kLong{10'000};

TEST(Socket, AsksAndAnswers) {
  const TestDir dir;
  const auto path = dir.path("s");
  auto listener = UnixListener::listen(path);
  ASSERT_TRUE(listener) << listener.error().message;
  EXPECT_EQ(file_info(path)->mode, 0600U);
  const std::string big(1'000'000, 'x');
  std::jthread server([&] {
    auto stream = listener->accept({});
    ASSERT_TRUE(stream);
    EXPECT_EQ(*stream->peer_uid(), ::getuid());
    EXPECT_EQ(*stream->read_line(100, kLong, {}), "first");
    EXPECT_EQ(*stream->read_all(100, kLong, {}), "rest");
    EXPECT_TRUE(stream->write_all(big, kLong, {}));
  });
  auto client = UnixStream::connect(path);
  ASSERT_TRUE(client) << client.error().message;
  ASSERT_TRUE(client->write_all("first\nrest", kLong, {}));
  ASSERT_TRUE(client->end_writing());
  EXPECT_EQ(*client->read_all(2'000'000, kLong, {}), big);
}

TEST(Socket, LimitsDeadlinesAndStops) {
  const TestDir dir;
  auto listener = UnixListener::listen(dir.path("s"));
  ASSERT_TRUE(listener);
  auto client = UnixStream::connect(dir.path("s"));
  ASSERT_TRUE(client);
  auto server = listener->accept({});
  ASSERT_TRUE(server);
  ASSERT_TRUE(client->write_all("0123456789", kLong, {}));
  EXPECT_EQ(server->read_line(5, kLong, {}).error().code, Code::kResourceExhausted);
  EXPECT_EQ(server->read_all(100, base::Duration(10), {}).error().code, Code::kDeadlineExceeded);
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(server->read_all(100, kLong, stop.get_token()).error().code, Code::kCancelled);
  EXPECT_EQ(listener->accept(stop.get_token()).error().code, Code::kCancelled);
  // Nobody reads: the buffer of the kernel fills, and the deadline ends the wait.
  EXPECT_EQ(client->write_all(std::string(10'000'000, 'x'), base::Duration(10), {}).error().code,
            Code::kDeadlineExceeded);
  {
    const auto gone = std::move(*server);
  }
  EXPECT_EQ(client->write_all("x", kLong, {}).error().code, Code::kUnavailable);
}

TEST(Socket, AnEndInMidLineIsTold) {
  const TestDir dir;
  auto listener = UnixListener::listen(dir.path("s"));
  auto client = UnixStream::connect(dir.path("s"));
  ASSERT_TRUE(client);
  auto server = listener->accept({});
  ASSERT_TRUE(client->write_all("half", kLong, {}));
  ASSERT_TRUE(client->end_writing());
  EXPECT_EQ(server->read_line(100, kLong, {}).error().code, Code::kUnavailable);
}

TEST(Socket, NamesThatAreStaleForeignOrLong) {
  const TestDir dir;
  EXPECT_EQ(UnixStream::connect(dir.path("none")).error().code, Code::kNotFound);
  {
    auto first = UnixListener::listen(dir.path("s"));
    ASSERT_TRUE(first);
    auto moved = std::move(*first);
    EXPECT_TRUE(UnixStream::connect(dir.path("s")));
  }
  EXPECT_EQ(*exists(dir.path("s")), false);
  ASSERT_TRUE(write_atomic(dir.path("file"), "x"));
  EXPECT_EQ(UnixListener::listen(dir.path("file")).error().code, Code::kAlreadyExists);
  const auto deep = dir.path(std::string(100, 'd'));
  ASSERT_TRUE(make_dirs(deep));
  auto listener = UnixListener::listen(deep + "/operator.sock");
  ASSERT_TRUE(listener) << listener.error().message;
  EXPECT_TRUE(UnixStream::connect(deep + "/operator.sock"));
}

}  // namespace
}  // namespace posix
