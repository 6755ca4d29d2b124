#include "guard/wal.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include "guard/testing/log_builder.h"

namespace guard {
namespace {

using State = WalSeen::State;
using Step = WalDecoder::Step;
using testing::bytes_of;
using testing::LogBuilder;
using testing::number;
using testing::StringSource;

std::string sample() {
  LogBuilder b;
  b.head();
  b.snapshot(0, 0);
  for (std::uint64_t i = 1; i <= 20; ++i) {
    b.entry(2, i, std::string(i * 7, 'e'));
    b.state(2, i);
  }
  return b.out;
}

Step read_all(WalDecoder& decoder, std::string_view bytes, WalSeen& seen) {
  StringSource source(bytes);
  Step step = Step::kRecord;
  while (step == Step::kRecord) step = decoder.step(source, seen);
  return step;
}

Step read_all(std::string_view bytes, WalSeen& seen) {
  WalDecoder decoder;
  return read_all(decoder, bytes, seen);
}

TEST(Wal, ReadsIdsAndEnd) {
  WalSeen seen;
  EXPECT_EQ(read_all(sample() + std::string(4096, '\0'), seen), Step::kEnd);
  EXPECT_EQ(seen.member_id.value, 0xaU);
  EXPECT_EQ(seen.cluster_id.value, 0xcU);
  EXPECT_EQ(seen.end, (LogEnd{2, 20}));
  EXPECT_EQ(seen.hard_term, 2U);
  EXPECT_EQ(seen.commit, 20U);
}

TEST(Wal, ANewLeadersEntryCutsTheTail) {
  LogBuilder b;
  b.head();
  for (std::uint64_t i = 1; i <= 10; ++i) b.entry(2, i);
  b.entry(3, 6);
  WalSeen seen;
  EXPECT_EQ(read_all(b.out, seen), Step::kEnd);
  EXPECT_EQ(seen.end, (LogEnd{3, 6}));
  EXPECT_GT(seen.end, (LogEnd{2, 10}));
}

TEST(Wal, AReceivedSnapshotIsTheEnd) {
  LogBuilder b;
  b.head();
  b.entry(2, 1);
  b.snapshot(5, 1000);
  WalSeen seen;
  EXPECT_EQ(read_all(b.out, seen), Step::kEnd);
  EXPECT_EQ(seen.end, (LogEnd{5, 1000}));
}

TEST(Wal, TheCheckSumRunsOnFromSegmentToSegment) {
  LogBuilder b;
  b.head();
  b.entry(2, 1);
  const std::string first = b.out;
  b.out.clear();
  b.head();
  b.entry(2, 2);
  WalSeen seen;
  WalDecoder decoder;
  EXPECT_EQ(read_all(decoder, first, seen), Step::kEnd);
  decoder.next_segment();
  EXPECT_EQ(read_all(decoder, b.out, seen), Step::kEnd);
  EXPECT_EQ(seen.end, (LogEnd{2, 2}));

  LogBuilder other;
  other.head();
  other.entry(2, 1, "something else");
  WalDecoder broken;
  EXPECT_EQ(read_all(broken, other.out, seen), Step::kEnd);
  broken.next_segment();
  EXPECT_EQ(read_all(broken, b.out, seen), Step::kCorrupt);
}

TEST(Wal, ConflictingIdsAndNoIdAreDamage) {
  LogBuilder b;
  b.head();
  b.head(0xb);
  WalSeen seen;
  EXPECT_EQ(read_all(b.out, seen), Step::kCorrupt);
  LogBuilder none;
  none.record(1, number(1, 0));
  WalSeen seen2;
  EXPECT_EQ(read_all(none.out, seen2), Step::kCorrupt);
}

TEST(Wal, ATornSectorIsTornAndAFlippedByteIsDamage) {
  LogBuilder b;
  b.head();
  b.entry(2, 1);
  const std::size_t before = b.out.size();
  b.entry(2, 2, std::string(3000, 'x'));
  std::string torn = b.out;
  std::fill(torn.begin() + 1024, torn.end(), '\0');
  WalSeen seen;
  EXPECT_EQ(read_all(torn, seen), Step::kTorn);
  EXPECT_EQ(seen.end, (LogEnd{2, 1}));
  std::string flipped = b.out;
  flipped[before + 1500] = 'y';
  EXPECT_EQ(read_all(flipped, seen), Step::kCorrupt);
}

TEST(Wal, AGrowingLogIsReadOnFromWhereItStopped) {
  const std::string whole = sample();
  WalSeen seen;
  WalDecoder decoder;
  for (std::size_t n = 0; n <= whole.size(); n += 13) {
    const LogEnd before = seen.end;
    decoder.forget_window();
    read_all(decoder, whole.substr(0, n) + std::string(whole.size() - n, '\0'), seen);
    EXPECT_GE(seen.end, before);
  }
  decoder.forget_window();
  EXPECT_EQ(read_all(decoder, whole, seen), Step::kEnd);
  EXPECT_EQ(seen.end, (LogEnd{2, 20}));
}

TEST(Wal, NoTruncationReadsAsMore) {
  const std::string whole = sample();
  for (std::size_t n = 0; n < whole.size(); ++n) {
    WalSeen seen;
    const Step step = read_all(std::string_view(whole).substr(0, n), seen);
    EXPECT_TRUE(step == Step::kEnd || step == Step::kTorn) << n;
    EXPECT_LE(seen.end, (LogEnd{2, 20}));
    EXPECT_LT(seen.commit, 20U) << n;
  }
}

TEST(Wal, NoFlippedBitReadsAsMoreOrAsAnothersLog) {
  const std::string whole = sample();
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::string bytes = whole;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
    WalSeen seen;
    read_all(bytes, seen);
    EXPECT_LE(seen.end, (LogEnd{2, 20})) << bit;
    EXPECT_TRUE(!seen.member_id || seen.member_id.value == 0xa) << bit;
  }
}

TEST(Wal, RandomBytesNeverCrash) {
  std::mt19937_64 random(7);
  const std::string whole = sample();
  for (int round = 0; round < 3000; ++round) {
    std::string bytes = round % 3 == 0 ? std::string(random() % 2000, '\0') : whole;
    if (round % 3 == 0)
      for (char& c : bytes) c = static_cast<char>(random());
    for (int edit = 0; edit < 5 && !bytes.empty(); ++edit)
      bytes[random() % bytes.size()] = static_cast<char>(random());
    WalSeen seen;
    read_all(bytes, seen);
  }
}

TEST(Wal, AHugeLengthAllocatesNothing) {
  std::string bytes(16, '\xff');
  bytes[7] = '\0';
  WalSeen seen;
  EXPECT_EQ(read_all(bytes, seen), Step::kTorn);
}

// A data directory whose log begins at index 100: what was before is in a snapshot, or lost.
class Purged : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::remove_all(data);
    std::filesystem::create_directories(data + "/member/wal");
    LogBuilder b;
    b.head();
    b.snapshot(2, 100);
    b.entry(2, 101);
    std::ofstream(data + "/member/wal/" + segment_name({3, 100}), std::ios::binary) << b.out;
  }
  void TearDown() override { std::filesystem::remove_all(data); }
  WalSeen seen() const { return WalCursor(data).advance(); }

  const std::string data = ::testing::TempDir() + "guard-wal-test-purged";
  const std::string snap = data + "/member/snap";
};

TEST_F(Purged, ASnapshotHoldsWhatWasBefore) {
  std::filesystem::create_directory(snap);
  std::ofstream(snap + "/0000000000000002-0000000000000064.snap") << "x";
  EXPECT_EQ(seen().state, State::kSound) << seen().why;
  EXPECT_EQ(seen().end, (LogEnd{2, 101}));
}

TEST_F(Purged, WithoutASnapshotItIsIncomplete) {
  EXPECT_EQ(seen().state, State::kIncomplete);
  std::filesystem::create_directory(snap);
  EXPECT_EQ(seen().state, State::kIncomplete);
}

// kIncomplete is proof of a loss: it must not come of a look that failed.
TEST_F(Purged, SnapshotsThatCannotBeListedAreNotAbsent) {
  std::ofstream(snap) << "not a directory";
  EXPECT_EQ(seen().state, State::kUnreadable) << seen().why;
  std::filesystem::remove(snap);
  std::filesystem::create_symlink(snap, snap);  // an error that root gets as well
  EXPECT_EQ(seen().state, State::kUnreadable) << seen().why;
}

TEST_F(Purged, ALogThatIsNoDirectoryIsNotAbsent) {
  std::filesystem::remove_all(data + "/member/wal");
  EXPECT_EQ(seen().state, State::kNone);
  std::ofstream(data + "/member/wal") << "not a directory";
  EXPECT_EQ(seen().state, State::kUnreadable) << seen().why;
}

// A log whose form has changed would leave its fuzzer without a way in. EO_WRITE_SEEDS writes it.
TEST(Wal, TheFuzzersSeedIsThisLog) {
  const std::string path = "fuzz/wal_corpus/raw";
  const std::string whole = std::string(1, '\0') + sample();  // the fuzzer's first byte: as it is
  if (std::getenv("EO_WRITE_SEEDS") != nullptr) std::ofstream(path, std::ios::binary) << whole;
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  EXPECT_EQ(text.str(), whole) << path;
}

TEST(Wal, NamesOfSegmentsAndSnapshots) {
  EXPECT_EQ(parse_segment_name("0000000000000002-000000000000001f.wal"), (SegmentName{2, 31}));
  EXPECT_EQ(segment_name({2, 31}), "0000000000000002-000000000000001f.wal");
  EXPECT_EQ(parse_snapshot_name("0000000000000003-0000000000000064.snap"), (LogEnd{3, 100}));
  for (const char* name : {"", "0.tmp", "0000000000000002-000000000000001f.wal.broken",
                           "000000000000000g-000000000000001f.wal", "db"})
    EXPECT_FALSE(parse_segment_name(name)) << name;
}

}  // namespace
}  // namespace guard
