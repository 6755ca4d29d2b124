#include "guard/signatures.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "guard/logfile.h"
#include "guard/supervisor.h"

namespace guard {
namespace {

Verdict judged(std::string_view log, Exit exit, bool* condemns = nullptr, std::int64_t later = 0) {
  LogScanner scanner;
  scanner.feed(log, 1000);
  bool c = false;
  Verdict v = judge(exit, scanner, 1000 + later, c);
  if (condemns != nullptr) *condemns = c;
  return v;
}

TEST(Signatures, ALostTailCondemnsTheData) {
  bool condemns = false;
  const auto v = judged(
      "{\"level\":\"info\",\"msg\":\"starting\"}\n"
      "panic: tocommit(312) is out of range [lastIndex(0)]. Was the raft log corrupted?\n\n"
      "goroutine 1 [running]:\n",
      {.code = 2}, &condemns);
  EXPECT_EQ(v.klass, Class::kDataLost);
  EXPECT_TRUE(condemns);
  EXPECT_NE(v.signature.find("tocommit(312)"), std::string::npos);
}

TEST(Signatures, UsersKeysInWarningsAreNotSignatures) {
  const auto v = judged(
      "{\"level\":\"warn\",\"msg\":\"apply request took too long\",\"request\":\"put:<key:"
      "\\\"tocommit(1) is out of range [lastIndex(0)] \\\\\\\"msg\\\\\\\":\\\\\\\"data-dir used "
      "by this member must be removed\\\">\"}\n",
      {.signal = 9});
  EXPECT_EQ(v.klass, Class::kRetry);
  EXPECT_EQ(v.signature, "etcd was killed by signal 9");
}

TEST(Signatures, ARemovedMemberExitsWithZero) {
  bool condemns = false;
  const auto v = judged(
      "{\"level\":\"warn\",\"ts\":\"x\",\"msg\":\"server error\",\"error\":\"the member has been "
      "permanently removed from the cluster\"}\n",
      {.code = 0}, &condemns);
  EXPECT_EQ(v.klass, Class::kRemoved);
  EXPECT_TRUE(condemns);
}

TEST(Signatures, TheHeaviestOfSeveralCounts) {
  const auto v = judged(
      "{\"level\":\"fatal\",\"msg\":\"x\",\"error\":\"listen tcp: bind: address already in use\"}\n"
      "{\"level\":\"fatal\",\"msg\":\"walpb: crc mismatch\"}\n",
      {.code = 1});
  EXPECT_EQ(v.klass, Class::kDataCorrupt);
}

TEST(Signatures, WhatHealedLongAgoExplainsNothing) {
  const std::string_view log =
      "{\"level\":\"error\",\"msg\":\"x\",\"error\":\"no space left on device\"}\n";
  EXPECT_EQ(judged(log, {.code = 1}).klass, Class::kNode);
  EXPECT_EQ(judged(log, {.code = 1}, nullptr, LogScanner::kMemoryMs + 1).klass, Class::kRetry);
}

TEST(Signatures, TextComesInPiecesAndLongLines) {
  LogScanner scanner;
  const std::string line = "panic: " + std::string(3000, 'x') + " cannot use none as id\n";
  for (const char c : line) scanner.feed(std::string_view(&c, 1), 5);
  ASSERT_NE(scanner.found(5).signature, nullptr);
  EXPECT_NE(scanner.found(5).line.find("cannot use none as id"), std::string::npos);
  scanner.feed(std::string(100'000, 'y'), 6);  // never a newline: bounded
  scanner.feed("\n", 6);
  EXPECT_EQ(scanner.found(6).signature->klass, Class::kDataCorrupt);
}

TEST(Signatures, AnUnknownFatalLineIsTheReasonGiven) {
  const auto v = judged("{\"level\":\"fatal\",\"msg\":\"listener failed\"}\n", {.code = 1});
  EXPECT_EQ(v.klass, Class::kRetry);
  EXPECT_NE(v.signature.find("listener failed"), std::string::npos);
  EXPECT_EQ(judged("", {.code = 3}).signature, "etcd exited with 3");
}

TEST(Signatures, APersonReadsTheMessageAndItsError) {
  EXPECT_EQ(
      judged(
          "{\"level\":\"panic\",\"ts\":\"x\",\"caller\":\"raft.go:480\",\"msg\":\"failed to create "
          "WAL\",\"error\":\"write \\\"a\\\": no space left on device\",\"stacktrace\":\"go\"}\n",
          {.code = 2})
          .signature,
      "failed to create WAL: write \"a\": no space left on device");
  EXPECT_EQ(judged("{\"level\":\"fatal\",\"msg\":\"invalid downgrade\"}\n", {.code = 1}).signature,
            "invalid downgrade");
  EXPECT_EQ(judged("{\"level\":\"fatal\",\"other\":\"x\"}\n", {.code = 1}).signature,
            "{\"level\":\"fatal\",\"other\":\"x\"}");
}

TEST(Argv, NewIsSaidOnlyAtAFirstStart) {
  Ticket t;
  t.etcd = "/etcd";
  t.member_name = "m1";
  t.initial_cluster = "m1=http://a:1";
  t.token = "tok";
  t.args = {"--x=y"};
  const Paths paths{"/m"};
  const auto has = [](const std::vector<std::string>& argv, const char* arg) {
    return std::ranges::find(argv, arg) != argv.end();
  };
  EXPECT_TRUE(has(etcd_argv(t, paths, Start::kBlankNew), "--initial-cluster-state=new"));
  for (const Start s : {Start::kBlankExisting, Start::kOwn, Start::kRestore})
    EXPECT_TRUE(has(etcd_argv(t, paths, s), "--initial-cluster-state=existing"));
  EXPECT_TRUE(has(etcd_argv(t, paths, Start::kOwn), "--data-dir=/m/volume/data"));
  EXPECT_EQ(etcd_argv(t, paths, Start::kOwn).back(), "--x=y");
}

TEST(Argv, RestoreBumpsWhereTheVersionCan) {
  Ticket t;
  t.etcdutl = "/etcdutl";
  t.member_name = "m1";
  t.initial_cluster = "m2=http://b:1,m1=http://a:1,m1=http://a:2";
  t.version = "3.5.12";
  std::string why;
  const auto count = [&](const char* version) {
    t.version = version;
    return restore_argv(t, {"/m"}, why).size();
  };
  const std::size_t bumped = count("3.5.12");
  EXPECT_EQ(count("3.6.16"), bumped);
  EXPECT_EQ(count("3.5.9"), bumped - 2);
  const auto argv = restore_argv(t, {"/m"}, why);
  EXPECT_NE(std::ranges::find(argv, "--initial-advertise-peer-urls=http://a:1,http://a:2"),
            argv.end());
  t.member_name = "m3";
  EXPECT_TRUE(restore_argv(t, {"/m"}, why).empty());
  EXPECT_NE(why.find("m3"), std::string::npos);
}

TEST(RotatedLogs, AreBoundedAndKeepTheNewest) {
  namespace fs = std::filesystem;
  std::string dir = (fs::temp_directory_path() / "guard-log-XXXXXX").string();
  ASSERT_NE(::mkdtemp(dir.data()), nullptr);
  {
    RotatedLog log(dir + "/x.log", 1000, 2);
    for (int i = 0; i < 500; ++i) log.write("line " + std::to_string(i) + "\n");
  }
  std::uintmax_t total = 0;
  std::size_t files = 0;
  for (const auto& e : fs::directory_iterator(dir)) {
    total += e.file_size();
    ++files;
  }
  EXPECT_EQ(files, 3U);
  EXPECT_LE(total, 3000U);
  std::ifstream in(dir + "/x.log");
  const std::string text((std::istreambuf_iterator<char>(in)), {});
  EXPECT_NE(text.find("line 499\n"), std::string::npos);
  fs::remove_all(dir);
}

}  // namespace
}  // namespace guard
