#include <gtest/gtest.h>

#include "bin/commands.h"
#include "etcd/bolt/testing/sample.h"
#include "json/json.h"
#include "posix/files.h"
#include "posix/test_dir.h"

namespace bin {
namespace {

struct Said {
  int code = -1;
  std::string out, err;
};

Said run(const SnapshotFlags& flags) {
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  Said said;
  said.code = snapshot_status(flags);
  said.out = testing::internal::GetCapturedStdout();
  said.err = testing::internal::GetCapturedStderr();
  return said;
}

class SnapshotStatus : public testing::Test {
 protected:
  std::string write(const std::string& bytes) {
    const std::string path = dir_.path("s.db");
    EXPECT_TRUE(posix::write_atomic(path, bytes));
    return path;
  }
  static std::string sample(bool trailer = true) {
    bolt::testing::Sample s;
    s.put("a", "1");
    s.put("b", "2", 7);
    s.remove("a");
    s.grant(7, 60);
    s.mark_compacted(2);
    return s.file({.trailer = trailer});
  }
  posix::TestDir dir_;
};

TEST_F(SnapshotStatus, AGoodOneIsDescribed) {
  const std::string file = write(sample());
  const auto said = run({.file = file});
  EXPECT_EQ(said.code, kDone) << said.err;
  for (const auto* line :
       {": a good snapshot\n", "  revision  4\n", "  history   compacted at 2\n",
        "  keys      1 (3 records, 1 of them deletions)\n", "  leases    1\n",
        "  members   a (8e9e05c52164694d)\n", "cluster 3.5.0, storage not stored\n",
        "16384 bytes in pages of 4096\n", ", as at its end\n", " at revision 4\n"})
    EXPECT_NE(said.out.find(line), std::string::npos) << line << " is not in:\n" << said.out;

  const auto as_json = run({.file = file, .member_file = false, .output = Output::kJson});
  const auto value = json::parse(as_json.out);
  ASSERT_TRUE(value) << as_json.out;
  EXPECT_EQ(*json::get_int(*value, "revision"), 4);
  EXPECT_EQ(*json::get_int(*value, "compactRevision"), 2);
  EXPECT_EQ(*json::get_int(*value, "keys"), 1);
  EXPECT_EQ(*json::get_int(*value, "hashKV.revision"), 4);
  EXPECT_EQ(*json::get_string(*value, "members.0.id"), "8e9e05c52164694d");
  EXPECT_EQ(json::get_string(*value, "sha256")->size(), 64U);
  EXPECT_EQ(*json::get_bool(*value, "auth.enabled"), false);
}

TEST_F(SnapshotStatus, ABadOneIsRefusedWithTheReason) {
  std::string bytes = sample();
  bytes[5000] = static_cast<char>(bytes[5000] ^ 1);
  const auto said = run({.file = write(bytes)});
  EXPECT_EQ(said.code, kFailed);
  EXPECT_EQ(said.out, "");
  EXPECT_NE(said.err.find("s.db: not a good snapshot: its SHA-256 is "), std::string::npos)
      << said.err;
}

TEST_F(SnapshotStatus, AMembersOwnFileHasNoCheckSum) {
  const std::string file = write(sample(false));
  EXPECT_NE(run({.file = file}).err.find("no SHA-256 at its end"), std::string::npos);
  const auto said = run({.file = file, .member_file = true});
  EXPECT_EQ(said.code, kDone);
  EXPECT_NE(said.out.find("nothing proves its bytes"), std::string::npos) << said.out;
}

TEST_F(SnapshotStatus, WhatIsNotThereIsNotBad) {
  const auto said = run({.file = dir_.path("none")});
  EXPECT_EQ(said.code, kNotThere);
  EXPECT_EQ(said.err.find("not a good snapshot"), std::string::npos);
}

}  // namespace
}  // namespace bin
