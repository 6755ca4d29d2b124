// The reader of the write-ahead log against logs that real etcd made.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <random>

#include "guard/testing/harness.h"
#include "guard/wal.h"

namespace guard::testing {
namespace {

namespace fs = std::filesystem;
using State = WalSeen::State;

class RealWal : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    node.start();
    ASSERT_TRUE(node.wait_healthy());
  }
  WalSeen seen() const { return WalCursor(node.paths.data()).advance(); }
  std::size_t segments() const {
    std::size_t n = 0;
    for (const auto& e : fs::directory_iterator(node.paths.data() + "/member/wal"))
      if (e.path().extension() == ".wal") ++n;
    return n;
  }

  ScratchDir dir;
  Node node{dir.path(), "m1", GetParam()};
};
INSTANTIATE_TEST_SUITE_P(Etcd, RealWal, ::testing::ValuesIn(etcd_versions()),
                         [](const auto& p) { return test_suffix(p.param); });

TEST_P(RealWal, SaysWhatEtcdSays) {
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(node.put(fmt::format("k{}", i), "v"));
  // etcd writes now and then by itself: both are looked at until they are of one moment.
  std::string status;
  WalSeen wal;
  EXPECT_TRUE(eventually([&] {
    status = node.ctl({"endpoint", "status", "-w=fields"}).output;
    wal = seen();
    const auto says = [&](const char* name, std::uint64_t value) {
      return status.find(fmt::format("\"{}\" : {}\n", name, value)) != std::string::npos;
    };
    return wal.state == State::kSound && says("MemberID", wal.member_id.value) &&
           says("ClusterID", wal.cluster_id.value) && says("RaftTerm", wal.hard_term) &&
           says("RaftIndex", wal.end.index);
  })) << wal.why
      << " " << wal.end.index << "\n"
      << status;
}

TEST_P(RealWal, ManySegmentsAreReadInOneChain) {
  for (int i = 0; segments() < 3; ++i) {
    ASSERT_LT(i, 300);
    ASSERT_TRUE(node.put_large("AAAA", 1'200'000));
  }
  // Noted while it runs, across the cuts.
  EXPECT_TRUE(eventually([&] { return node.marker().last_index == seen().end.index; }));
  const std::uint64_t end = seen().end.index;
  node.stop_and_make_data();
  EXPECT_EQ(seen().state, State::kSound) << seen().why;
  EXPECT_GE(seen().end.index, end);
  node.start();
  ASSERT_TRUE(node.wait_healthy());
  node.stop();

  // The same without its first segment: no snapshot makes up for it.
  std::string first;
  for (const auto& e : fs::directory_iterator(node.paths.data() + "/member/wal"))
    if (e.path().extension() == ".wal" && (first.empty() || e.path() < first))
      first = e.path().string();
  fs::rename(first, first + ".away");
  EXPECT_EQ(seen().state, State::kIncomplete);
  fs::rename(first + ".away", first);
  // And with a byte of the first changed: the damage is not in the tail.
  std::string bytes = read(first);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  write(first, bytes);
  EXPECT_EQ(seen().state, State::kCorrupt);
}

TEST_P(RealWal, NoMutationCrashesOrReadsAsMore) {
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(node.put(fmt::format("k{}", i), "v"));
  node.stop();
  const std::string wal = node.newest_segment();
  const std::string whole = read(wal);
  const std::size_t end = whole.find_last_not_of('\0') + 1;
  const std::string records = whole.substr(0, end);
  const WalSeen good = seen();
  for (std::size_t n = 0; n < records.size(); n += 7) {
    write(wal, records.substr(0, n));
    const WalSeen cut = seen();
    EXPECT_LE(cut.end, good.end);
    EXPECT_LT(cut.commit, good.commit) << n;
    EXPECT_TRUE(cut.member_id == good.member_id || cut.state == State::kCorrupt) << n;
  }
  std::mt19937_64 random(3);
  for (int round = 0; round < 1000; ++round) {
    std::string bytes = records + std::string(512, '\0');
    for (std::uint64_t flips = random() % 3 + 1; flips > 0; --flips)
      bytes[random() % records.size()] ^= static_cast<char>(1U << (random() % 8));
    write(wal, bytes);
    const WalSeen bad = seen();
    EXPECT_LE(bad.end, good.end);
    EXPECT_TRUE(!bad.member_id || bad.member_id == good.member_id);
  }
}

}  // namespace
}  // namespace guard::testing
