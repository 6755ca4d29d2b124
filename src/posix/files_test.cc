#include "posix/files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thread>

#include "posix/env.h"
#include "posix/lock.h"
#include "posix/net.h"
#include "posix/rotating_file.h"
#include "posix/scratch_file.h"
#include "posix/test_dir.h"
#include "posix/test_file_limit.h"
#include "posix/test_refuse.h"
#include "posix/watch.h"

namespace posix {
namespace {

using base::Code;

TEST(Files, WriteAtomicReplacesTheWholeFileWithTheModeAsked) {
  const TestDir dir;
  const auto path = dir.path("a");
  ::umask(077);
  ASSERT_TRUE(write_atomic(path, "one", 0644));
  ASSERT_TRUE(write_atomic(path, "two", 0640));
  EXPECT_EQ(*read_file(path, 3), "two");
  EXPECT_EQ(file_info(path)->mode, 0640U);
  EXPECT_EQ(*list_dir(dir.path("")), std::vector<std::string>{"a"});
}

TEST(Files, AFailedWriteLeavesTheOldFileAndNoRest) {
  const TestDir dir;
  const auto path = dir.path("a");
  ASSERT_TRUE(write_atomic(path, "old"));
  ::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small{1024, before.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &small);
  const auto status = write_atomic(path, std::string(100'000, 'x'));
  ::setrlimit(RLIMIT_FSIZE, &before);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::kResourceExhausted);
  EXPECT_EQ(*read_file(path, 100), "old");
  EXPECT_EQ(list_dir(dir.path(""))->size(), 1U);
}

TEST(Files, AFullDiskIsResourceExhausted) {
  const Fd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  ASSERT_TRUE(full.open());
  EXPECT_EQ(write_fully(full.get(), "x", "w").error().code, Code::kResourceExhausted);
}

TEST(Files, AReadOnlyFileSystemIsPermissionDenied) {
  EXPECT_EQ(write_atomic("/sys/eo-test", "x").error().code, Code::kPermissionDenied);
  EXPECT_EQ(from_errno(EROFS, "w").code, Code::kPermissionDenied);
}

TEST(Files, AbsentIsNotFoundAndNothingElseIs) {
  const TestDir dir;
  EXPECT_EQ(read_file(dir.path("none"), 10).error().code, Code::kNotFound);
  EXPECT_EQ(list_dir(dir.path("none")).error().code, Code::kNotFound);
  EXPECT_EQ(file_info(dir.path("none")).error().code, Code::kNotFound);
  ASSERT_TRUE(write_atomic(dir.path("f"), "x"));
  EXPECT_EQ(read_file(dir.path("f") + "/x", 10).error().code, Code::kFailedPrecondition);
  EXPECT_EQ(read_file(dir.path(""), 10).error().code, Code::kFailedPrecondition);
  EXPECT_EQ(exists(dir.path("f")), base::Fact<bool>(true));
  EXPECT_EQ(exists(dir.path("none")), base::Fact<bool>(false));
  EXPECT_TRUE(exists(dir.path("f") + "/x").is_unknown());
  EXPECT_EQ(from_errno(EIO, "r").code, Code::kUnavailable);
}

TEST(Files, ReadStopsAtTheLimitAndAtWhatIsNoFile) {
  const TestDir dir;
  ASSERT_TRUE(write_atomic(dir.path("f"), "12345"));
  EXPECT_EQ(read_file(dir.path("f"), 4).error().code, Code::kResourceExhausted);
  EXPECT_TRUE(read_file(dir.path("f"), 5));
  ASSERT_EQ(::mkfifo(dir.path("pipe").c_str(), 0600), 0);
  EXPECT_EQ(read_file(dir.path("pipe"), 5).error().code, Code::kFailedPrecondition);
  EXPECT_EQ(read_file("/dev/zero", 5).error().code, Code::kFailedPrecondition);
}

TEST(Files, WriteInPlaceMakesNothing) {
  const TestDir dir;
  EXPECT_EQ(write_in_place(dir.path("f"), "1").error().code, Code::kNotFound);
  ASSERT_TRUE(write_new(dir.path("f"), "12345"));
  const auto before = file_info(dir.path("f"));
  ASSERT_TRUE(write_in_place(dir.path("f"), "67"));
  EXPECT_EQ(read_file(dir.path("f"), 10).value_or(""), "67");
  ASSERT_TRUE(before);
  EXPECT_EQ(before->inode, file_info(dir.path("f"))->inode);
}

TEST(Files, WriteNewNeverReplaces) {
  const TestDir dir;
  ASSERT_TRUE(write_new(dir.path("f"), "1"));
  EXPECT_EQ(write_new(dir.path("f"), "2").error().code, Code::kAlreadyExists);
  EXPECT_EQ(*read_file(dir.path("f"), 9), "1");
  EXPECT_EQ(list_dir(dir.path(""))->size(), 1U);
}

TEST(Files, DirectoriesAreMadeMovedAndRemoved) {
  const TestDir dir;
  ASSERT_TRUE(make_dirs(dir.path("a/b/c"), 0750));
  ASSERT_TRUE(make_dirs(dir.path("a/b/c")));
  EXPECT_EQ(file_info(dir.path("a/b/c"))->mode & 0700U, 0700U);
  ASSERT_TRUE(write_atomic(dir.path("a/b/c/f"), "x"));
  EXPECT_EQ(make_dirs(dir.path("a/b/c/f")).error().code, Code::kFailedPrecondition);
  EXPECT_FALSE(make_dirs(dir.path("a/b/c/f/g")));
  ASSERT_TRUE(posix::rename(dir.path("a/b"), dir.path("moved")));
  EXPECT_EQ(*exists(dir.path("a/b")), false);
  ASSERT_EQ(::symlink(dir.path("moved").c_str(), dir.path("a/link").c_str()), 0);
  ASSERT_TRUE(remove_tree(dir.path("a")));
  EXPECT_EQ(*exists(dir.path("moved/c/f")), true);  // the link was not followed
  ASSERT_TRUE(remove_tree(dir.path("a")));
  ASSERT_TRUE(remove_file(dir.path("moved/c/f")));
  ASSERT_TRUE(remove_file(dir.path("moved/c/f")));
  EXPECT_FALSE(remove_file(dir.path("moved/c")));
  EXPECT_GT(*free_bytes(dir.path("")), 0U);
}

TEST(RotatingFile, KeepsTheNewestFiles) {
  const TestDir dir;
  RotatingFile log(dir.path("log"), {.max_bytes = 10, .keep = 2});
  for (const auto* line : {"aaaa", "bbbb", "cccc", "dddd", "eeee", "ffff", "gggg\n"})
    ASSERT_TRUE(log.append(line));
  EXPECT_EQ(*read_file(dir.path("log"), 99), "gggg\n");
  EXPECT_EQ(*read_file(dir.path("log.1"), 99), "eeee\nffff\n");
  EXPECT_EQ(*read_file(dir.path("log.2"), 99), "cccc\ndddd\n");
  EXPECT_EQ(*exists(dir.path("log.3")), false);
  RotatingFile again(dir.path("log"), {.max_bytes = 10, .keep = 2});
  ASSERT_TRUE(again.append("hhhh"));
  ASSERT_TRUE(again.append("iiii"));
  EXPECT_EQ(*read_file(dir.path("log.1"), 99), "gggg\nhhhh\n");
}

TEST(FileLock, OneHolderAndAProbeThatTellsThreeThings) {
  const TestDir dir;
  const auto path = dir.path("lock");
  EXPECT_TRUE(is_locked(path).is_absent());
  {
    auto lock = FileLock::try_lock(path);
    ASSERT_TRUE(lock);
    EXPECT_EQ(is_locked(path), base::Fact<bool>(true));
    EXPECT_EQ(FileLock::try_lock(path).error().code, Code::kFailedPrecondition);
  }
  EXPECT_EQ(is_locked(path), base::Fact<bool>(false));
  EXPECT_TRUE(is_locked(path + "/x").is_unknown());
  EXPECT_TRUE(FileLock::try_lock(path));
}

TEST(Ports, AListenerMakesAPortBusy) {
  const PortRange range{23400, 23499};
  const auto two = pick_free_ports(range, 2, {});
  ASSERT_TRUE(two) << two.error().message;
  EXPECT_NE((*two)[0], (*two)[1]);
  const auto other = pick_free_ports(range, 1, {(*two)[0]});
  EXPECT_NE((*other)[0], (*two)[0]);
  EXPECT_EQ(pick_free_ports({23400, 23401}, 3, {}).error().code, Code::kResourceExhausted);
}

TEST(Env, ProgramsAreFoundInAbsoluteFoldersOnly) {
  const TestDir dir;
  ASSERT_TRUE(write_atomic(dir.path("tool"), "#!/bin/sh\n", 0755));
  ASSERT_TRUE(write_atomic(dir.path("plain"), "", 0644));
  const auto path = "/nonexistent:.:" + dir.path("");
  EXPECT_TRUE(find_program("tool", path));
  EXPECT_EQ(find_program("plain", path).error().code, Code::kNotFound);
  EXPECT_EQ(find_program("tool", ".").error().code, Code::kNotFound);
  EXPECT_EQ(*absolute_path("/a/../b/./c/"), "/b/c");
  EXPECT_FALSE(get_env("EO_NO_SUCH_VARIABLE"));
}

// Waits past events of its own making.
bool changes(DirWatch& watch) {
  const auto event = watch.wait(base::Duration(5000), {});
  return event && *event == DirWatch::Event::kChanged;
}

void settle(DirWatch& watch) {
  while (*watch.wait(base::Duration(0), {}) == DirWatch::Event::kChanged) {
  }
}

TEST(DirWatch, SeesChangesWakesAndStops) {
  const TestDir dir;
  auto watch = DirWatch::open(dir.path(""));
  ASSERT_TRUE(watch);
  EXPECT_EQ(*watch->wait(base::Duration(1), {}), DirWatch::Event::kTimeout);
  ASSERT_TRUE(write_atomic(dir.path("f"), "x"));
  EXPECT_TRUE(changes(*watch));
  settle(*watch);
  ASSERT_TRUE(remove_file(dir.path("f")));
  EXPECT_TRUE(changes(*watch));
  settle(*watch);
  std::jthread waker([&] { watch->wake(); });
  EXPECT_EQ(*watch->wait(base::Duration(5000), {}), DirWatch::Event::kWoken);
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(*watch->wait(base::Duration(5000), stop.get_token()), DirWatch::Event::kStopped);
}

TEST(DirWatch, FollowsADirectoryThatIsReplacedOrComesLater) {
  const TestDir dir;
  const auto path = dir.path("d");
  auto watch = DirWatch::open(path);
  ASSERT_TRUE(watch);
  EXPECT_EQ(*watch->wait(base::Duration(1), {}), DirWatch::Event::kTimeout);
  ASSERT_TRUE(make_dirs(path));
  EXPECT_TRUE(changes(*watch));
  settle(*watch);
  ASSERT_TRUE(posix::rename(path, dir.path("old")));
  EXPECT_TRUE(changes(*watch));
  ASSERT_TRUE(make_dirs(path));
  EXPECT_TRUE(changes(*watch));
  settle(*watch);
  ASSERT_TRUE(write_atomic(path + "/f", "x"));
  EXPECT_TRUE(changes(*watch));
  settle(*watch);
  ASSERT_TRUE(write_atomic(dir.path("old/f"), "x"));
  EXPECT_EQ(*watch->wait(base::Duration(1), {}), DirWatch::Event::kTimeout);
}

// As on FAT, and on many file systems of a network.
TEST(Files, WhatIsNewIsMadeWithoutHardLinksToo) {
  const TestDir dir;
  const auto path = dir.path("f");
  bool possible = true;
  base::Status first, second, neither;
  std::jthread([&] {
    possible = test_refuse(test_links(), EPERM);
    first = write_new(path, "one");
    second = write_new(path, "two");
    possible = possible && test_refuse({__NR_renameat2}, EINVAL);
    neither = write_new(dir.path("g"), "three");
  }).join();
  ASSERT_TRUE(possible);
  ASSERT_TRUE(first) << first.error().text();
  EXPECT_EQ(second.error().code, base::Code::kAlreadyExists);
  EXPECT_EQ(neither.error().code, base::Code::kUnimplemented);
  EXPECT_EQ(*read_file(path, 10), "one");
  EXPECT_EQ(list_dir(dir.path(""))->size(), 1U);
}

TEST(ScratchFile, IsReadAtAnyPlaceAndLeavesNothing) {
  const TestDir dir;
  auto file = ScratchFile::create(dir.path(""));
  ASSERT_TRUE(file) << file.error().text();
  ASSERT_TRUE(file->append("hello "));
  ASSERT_TRUE(file->append("world"));
  EXPECT_EQ(file->size(), 11U);
  std::string out(5, ' ');
  ASSERT_TRUE(file->read(4, std::span(out.data(), out.size())));
  EXPECT_EQ(out, "o wor");
  EXPECT_FALSE(file->read(8, std::span(out.data(), out.size())));
  EXPECT_TRUE(list_dir(dir.path(""))->empty());
  EXPECT_EQ(ScratchFile::create(dir.path("none")).error().code, base::Code::kNotFound);
}

TEST(ScratchFile, AFullDiskLeavesNoHalfOfWhatWasAppended) {
  const TestDir dir;
  auto file = ScratchFile::create(dir.path(""));
  ASSERT_TRUE(file) << file.error().text();
  ASSERT_TRUE(file->append(std::string(60, 'a')));
  {
    const TestFileLimit full(100);
    EXPECT_EQ(file->append(std::string(80, 'b')).error().code, base::Code::kResourceExhausted);
  }
  EXPECT_EQ(file->size(), 60U);
  EXPECT_EQ(file_info(file->path())->size, 60U);
  ASSERT_TRUE(file->append("ccc"));
  std::string out(63, ' ');
  ASSERT_TRUE(file->read(0, std::span(out.data(), out.size())));
  EXPECT_EQ(out, std::string(60, 'a') + "ccc");
}

}  // namespace
}  // namespace posix
