// One member, met in every state its directory can be in: a test for each row of the table of start
// situations that one member can show, with real etcd.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/socket.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "guard/disk.h"
#include "guard/testing/harness.h"

namespace guard::testing {
namespace {

namespace fs = std::filesystem;

class StartRow : public ::testing::TestWithParam<std::string> {
 protected:
  // A member that has served: stopped, with some keys, its ticket turned to data.
  void make_data(int keys = 5) {
    node.start();
    ASSERT_TRUE(node.wait_healthy());
    for (int i = 0; i < keys; ++i) ASSERT_TRUE(node.put(fmt::format("k{}", i), "v"));
    node.stop_and_make_data();
    before = node.state().starts;
  }
  // Starts a guard that must refuse by its look alone.
  void expect_refused(Class klass) {
    node.start();
    EXPECT_EQ(node.wait_end(), exit_code_of(klass)) << node.verdict().signature;
    EXPECT_EQ(node.verdict().klass, klass) << node.verdict().signature;
    EXPECT_EQ(node.state().starts, 0U) << "etcd was exec'ed";
  }
  // Starts a guard that learns it from etcd.
  void expect_ended(Class klass, std::string_view words) {
    node.start();
    EXPECT_EQ(node.wait_end(), exit_code_of(klass)) << node.verdict().signature;
    EXPECT_EQ(node.verdict().klass, klass) << node.verdict().signature;
    EXPECT_NE(node.verdict().signature.find(words), std::string::npos) << node.verdict().signature;
  }
  void copy_data(const std::string& to) const {
    fs::copy(node.paths.data(), to, fs::copy_options::recursive);
  }
  // Where the records of the newest segment end and its zeros begin.
  [[nodiscard]] static std::size_t end_of_records(const std::string& bytes) {
    return bytes.find_last_not_of('\0') + 1;
  }
  [[nodiscard]] std::string db() const { return node.paths.data() + "/member/snap/db"; }

  ScratchDir dir;
  Node node{dir.path(), "m1", GetParam()};
  std::uint32_t before = 0;
};
INSTANTIATE_TEST_SUITE_P(Etcd, StartRow, ::testing::ValuesIn(etcd_versions()),
                         [](const auto& p) { return test_suffix(p.param); });

class Listener {
 public:
  explicit Listener(int port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_port = htons(static_cast<std::uint16_t>(port));
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ok = ::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&a), sizeof a) == 0 &&
         ::listen(fd_.get(), 1) == 0;
  }
  bool ok = false;

 private:
  Fd fd_;
};

TEST_P(StartRow, NewAndEmpty) {
  node.start();
  ASSERT_TRUE(node.wait_healthy());
  EXPECT_TRUE(node.marker().started);
  EXPECT_EQ(node.marker().volume_id, node.ticket.volume_id);
}

TEST_P(StartRow, NewAndEmptyNoPeerReachable) {
  Node peer(dir.path(), "m2", GetParam());
  node.ticket.initial_cluster += ",m2=" + peer.peer_url();
  peer.ticket.initial_cluster = node.ticket.initial_cluster;
  node.start();
  ASSERT_TRUE(eventually([&] { return fs::exists(node.paths.data() + "/member/wal"); }));
  EXPECT_TRUE(eventually([&] { return node.state().phase == Phase::kRunning; }));
  peer.start();
  EXPECT_TRUE(node.wait_healthy());
  EXPECT_TRUE(peer.wait_healthy());
}

TEST_P(StartRow, DataWipedAfterStart) {
  node.start();
  ASSERT_TRUE(node.wait_healthy());
  fs::remove_all(node.paths.data());
  node.kill_etcd();
  EXPECT_EQ(node.wait_end(), 10);
  EXPECT_EQ(node.verdict().klass, Class::kDataLost) << node.verdict().signature;
  EXPECT_EQ(node.state().starts, 1U);
}

TEST_P(StartRow, TicketTurnedToDataWhileRunningThenWiped) {
  node.start();
  ASSERT_TRUE(node.wait_healthy());
  node.ticket.permit = Permit::kData;
  node.write_ticket();
  fs::remove_all(node.paths.data());
  node.kill_etcd();
  EXPECT_EQ(node.wait_end(), 10);
  EXPECT_EQ(node.verdict().klass, Class::kDataLost);
  EXPECT_EQ(node.state().starts, 1U);
}

TEST_P(StartRow, TheWholeVolumeGone) {
  make_data();
  fs::remove_all(node.paths.volume());
  expect_refused(Class::kNoVolume);
  EXPECT_FALSE(fs::exists(node.paths.volume()));
}

TEST_P(StartRow, AVolumeWithoutAMarker) {
  make_data();
  fs::remove(node.paths.marker());
  expect_refused(Class::kNoVolume);
}

TEST_P(StartRow, ATornMarker) {
  make_data();
  const std::string marker = read(node.paths.marker());
  write(node.paths.marker(), marker.substr(0, marker.size() / 2));
  expect_refused(Class::kNoVolume);
  node.ticket.permit = Permit::kBootstrap;
  expect_refused(Class::kNoVolume);
}

TEST_P(StartRow, TheVolumeOfAnotherMember) {
  make_data();
  node.ticket.volume_id = "another";
  expect_refused(Class::kForeign);
}

TEST_P(StartRow, AClonedNamespace) {
  make_data();
  node.ticket.cluster_ns = "clone";
  expect_refused(Class::kForeign);
}

TEST_P(StartRow, OwnRestart) {
  node.start();
  ASSERT_TRUE(node.wait_healthy());
  ASSERT_TRUE(node.put("k", "v"));
  for (std::uint32_t round = 2; round <= 3; ++round) {
    node.kill_etcd();
    ASSERT_TRUE(eventually([&] {
      const State s = node.state();
      return s.starts == round && s.phase == Phase::kRunning;
    }));
    ASSERT_TRUE(node.wait_healthy());
  }
  EXPECT_EQ(node.get("k"), "v");
  EXPECT_EQ(node.verdict().klass, Class::kRetry);
  EXPECT_EQ(node.verdict().signal, SIGKILL);
}

TEST_P(StartRow, RestartWithAWrongClusterListAndToken) {
  make_data();
  node.ticket.initial_cluster = "x=http://127.0.0.1:1";
  node.ticket.token = "wrong";
  node.start();
  ASSERT_TRUE(node.wait_healthy());
  EXPECT_EQ(node.get("k0"), "v");
}

TEST_P(StartRow, PortTakenAtTheFirstStart) {
  {
    const Listener other(node.client_port);
    ASSERT_TRUE(other.ok);
    node.start();
    ASSERT_TRUE(node.wait_verdict(Class::kRetry));
    EXPECT_NE(node.verdict().signature.find("address already in use"), std::string::npos);
    EXPECT_TRUE(eventually([&] { return !node.marker().started; }));
  }
  EXPECT_TRUE(node.wait_healthy());
  EXPECT_TRUE(node.marker().started);
}

TEST_P(StartRow, PortTakenAtARestart) {
  make_data();
  {
    const Listener other(node.peer_port);
    ASSERT_TRUE(other.ok);
    node.start();
    ASSERT_TRUE(node.wait_verdict(Class::kRetry));
  }
  EXPECT_TRUE(node.wait_healthy());
  EXPECT_EQ(node.get("k0"), "v");
}

TEST_P(StartRow, NameNotInList) {
  node.ticket.initial_cluster = "other=" + node.peer_url();
  expect_ended(Class::kConfig, "couldn't find local name");
  EXPECT_FALSE(node.marker().started);
}

TEST_P(StartRow, AFlagItDoesNotKnow) {
  node.ticket.args.emplace_back("--no-such-flag=1");
  expect_ended(Class::kConfig, "flag provided but not defined");
}

TEST_P(StartRow, FlagsThatExcludeEachOther) {
  node.ticket.args.emplace_back("--election-timeout=1000");
  node.ticket.args.emplace_back("--heartbeat-interval=900");
  expect_ended(Class::kConfig, "should be at least as 5 times");
}

TEST_P(StartRow, AFlagThatIsNotTheTickets) {
  node.ticket.args.emplace_back("--force-new-cluster");
  expect_refused(Class::kConfig);
}

TEST_P(StartRow, ItsVariablesInTheEnvironment) {
  ::setenv("ETCD_NAME", "nobody", 1);
  ::setenv("ETCD_INITIAL_CLUSTER_STATE", "existing", 1);
  node.start();
  ::unsetenv("ETCD_NAME");
  ::unsetenv("ETCD_INITIAL_CLUSTER_STATE");
  EXPECT_TRUE(node.wait_healthy());
}

TEST_P(StartRow, TheProgramIsMissing) {
  node.ticket.etcd = dir.path() + "/no-etcd";
  node.start();
  ASSERT_TRUE(node.wait_verdict(Class::kNode));
  EXPECT_NE(node.verdict().signature.find("No such file"), std::string::npos);
  EXPECT_EQ(node.stop(), 0);
  EXPECT_EQ(node.verdict().klass, Class::kStopped);
}

TEST_P(StartRow, DataOfAnotherCluster) {
  Node other(dir.path(), "m9", GetParam());
  other.start();
  ASSERT_TRUE(other.wait_healthy());
  other.stop();
  make_data();
  fs::remove_all(node.paths.data());
  fs::copy(other.paths.data(), node.paths.data(), fs::copy_options::recursive);
  expect_refused(Class::kForeign);
}

TEST_P(StartRow, OlderCopyOfTheData) {
  make_data();
  copy_data(dir.path() + "/copy");
  node.start();
  ASSERT_TRUE(node.wait_healthy());
  ASSERT_TRUE(node.put("later", "v"));
  node.stop();
  fs::remove_all(node.paths.data());
  fs::rename(dir.path() + "/copy", node.paths.data());
  expect_refused(Class::kDataLost);
}

TEST_P(StartRow, OlderThanAnAudit) {
  make_data();
  node.ticket.audited_index = node.marker().last_index + 1;
  expect_refused(Class::kDataLost);
  node.ticket.audited_index = node.marker().last_index;
  node.start();
  EXPECT_TRUE(node.wait_healthy());
}

TEST_P(StartRow, WalCutAtASector) {
  make_data(20);
  const std::string wal = node.newest_segment();
  const std::size_t end = end_of_records(read(wal));
  fs::resize_file(wal, (end - 600) / 512 * 512);
  expect_refused(Class::kDataLost);
}

TEST_P(StartRow, WalCutMidRecord) {
  make_data(20);
  const std::string wal = node.newest_segment();
  const std::size_t end = end_of_records(read(wal));
  for (const std::size_t cut : {5U, 100U}) {  // in the last state record, in an entry
    fs::resize_file(wal, end - cut);
    expect_refused(Class::kDataLost);
  }
}

TEST_P(StartRow, WalBytesFlipped) {
  make_data(20);
  const std::string wal = node.newest_segment();
  const std::string good = read(wal);
  for (const char* key : {"k9", "k19"}) {  // in the middle, and in the last entry
    const std::size_t at = good.rfind(key);
    ASSERT_NE(at, std::string::npos);
    std::string bad = good;
    bad[at] = 'K';
    write(wal, bad);
    expect_refused(Class::kDataCorrupt);
  }
}

TEST_P(StartRow, WalFileOfZeroBytes) {
  make_data();
  fs::resize_file(node.newest_segment(), 0);
  expect_refused(Class::kDataCorrupt);
}

TEST_P(StartRow, WalDirMissing) {
  make_data();
  fs::remove_all(node.paths.data() + "/member/wal");
  expect_refused(Class::kDataLost);
}

TEST_P(StartRow, WalFilesMissing) {
  make_data();
  fs::remove(node.newest_segment());
  expect_refused(Class::kDataLost);
}

TEST_P(StartRow, MemberDirMissing) {
  make_data();
  fs::remove_all(node.paths.data() + "/member");
  expect_refused(Class::kDataLost);
}

TEST_P(StartRow, FirstWalFileGone) {
  make_data();
  fs::rename(node.newest_segment(),
             node.paths.data() + "/member/wal/0000000000000001-0000000000000003.wal");
  expect_refused(Class::kDataLost);
}

TEST_P(StartRow, DbMissingWithoutARaftSnapshot) {
  make_data();
  fs::remove(db());
  node.start();
  ASSERT_TRUE(node.wait_healthy());
  EXPECT_EQ(node.get("k4"), "v");
}

TEST_P(StartRow, DbMissingWithRaftSnapshots) {
  node.ticket.args.emplace_back("--snapshot-count=10");
  make_data(40);
  fs::remove(db());
  expect_ended(Class::kDataLost, "failed to find database snapshot file");
}

TEST_P(StartRow, DbTruncated) {
  make_data();
  // Large enough that pages beyond the cut are in use.
  node.start();
  ASSERT_TRUE(node.wait_healthy());
  for (int i = 0; i < 40; ++i)
    ASSERT_TRUE(node.put(fmt::format("big{}", i), std::string(60'000, 'x')));
  node.stop();
  fs::resize_file(db(), 16384);
  node.start();
  EXPECT_EQ(node.wait_end(), 11) << node.verdict().signature;
  EXPECT_EQ(node.verdict().klass, Class::kDataCorrupt) << node.verdict().signature;
}

TEST_P(StartRow, BothMetasBad) {
  make_data();
  std::string bytes = read(db());
  for (const std::size_t page : {0U, 4096U}) bytes.replace(page + 16, 64, 64, '\x55');
  write(db(), bytes);
  expect_ended(Class::kDataCorrupt, "invalid database");
}

TEST_P(StartRow, OneMetaBad) {
  make_data();
  std::string bytes = read(db());
  bytes.replace(16, 64, 64, '\x55');
  write(db(), bytes);
  node.start();
  EXPECT_TRUE(node.wait_healthy());
}

TEST_P(StartRow, PageHeadersBad) {
  make_data();
  std::string bytes = read(db());
  for (std::size_t page = 2 * 4096; page + 16 <= bytes.size(); page += 4096)
    bytes.replace(page, 8, 8, '\x55');
  write(db(), bytes);
  node.start();
  EXPECT_EQ(node.wait_end(), 11) << node.verdict().signature;
}

TEST_P(StartRow, AnOlderProgramThanTheData) {
  if (GetParam() == "3.5.12") node.ticket.etcd = etcd_tool("3.6.16", "etcd");
  make_data();
  // The cluster version is raised some seconds after the first start.
  node.ticket.etcd = etcd_tool(GetParam() == "3.5.12" ? "3.5.12" : "3.5.33", "etcd");
  expect_ended(Class::kConfig, "is lower than determined cluster version");
}

TEST_P(StartRow, ReadOnlyDir) {
  make_data();
  const std::string volume = node.paths.volume();
  if (::mount(volume.c_str(), volume.c_str(), nullptr, MS_BIND, nullptr) != 0)
    GTEST_SKIP() << "cannot mount here: needs CAP_SYS_ADMIN";
  ASSERT_EQ(::mount(nullptr, volume.c_str(), nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY, nullptr),
            0);
  node.start();
  EXPECT_TRUE(node.wait_verdict(Class::kNode)) << node.verdict().signature;
  EXPECT_NE(node.verdict().signature.find("ead-only file system"), std::string::npos);
  EXPECT_EQ(::umount(volume.c_str()), 0);
  node.hang_up();
  EXPECT_TRUE(node.wait_healthy());
}

TEST_P(StartRow, DiskFull) {
  fs::create_directories(node.paths.volume());
  if (::mount("tmpfs", node.paths.volume().c_str(), "tmpfs", 0, "size=2m") != 0)
    GTEST_SKIP() << "cannot mount here: needs CAP_SYS_ADMIN";
  node.start();
  EXPECT_TRUE(node.wait_verdict(Class::kNode)) << node.verdict().signature << node.etcd_log();
  EXPECT_EQ(node.stop(), 0);
  EXPECT_EQ(::umount(node.paths.volume().c_str()), 0);
}

TEST_P(StartRow, DiskFullAtARestartWithItsData) {
  fs::create_directories(node.paths.volume());
  if (::mount("tmpfs", node.paths.volume().c_str(), "tmpfs", 0, "size=200m") != 0)
    GTEST_SKIP() << "cannot mount here: needs CAP_SYS_ADMIN";
  make_data();
  // What the guard noted is behind what the log holds, and cannot be caught up.
  Marker behind = node.marker();
  behind.last_index -= 1;
  behind.commit -= 1;
  write(node.paths.marker(), encode(behind));
  const std::string filler = node.paths.volume() + "/filler";
  for (std::ofstream out(filler); out.write(std::string(65536, 'x').data(), 65536).flush();) {
  }
  node.start();
  // It is tried; how long etcd then holds out is its own matter.
  EXPECT_TRUE(eventually([&] {
    return node.state().starts >= 1 &&
           read(node.paths.logs() + "/guard.log").find("the marker cannot be written") !=
               std::string::npos;
  }));
  fs::remove(filler);
  // Each nudge cuts a wait short.
  EXPECT_TRUE(eventually([&] {
    node.hang_up();
    return node.healthy();
  }));
  EXPECT_EQ(node.get("k0"), "v");
  EXPECT_EQ(node.stop(), 0);
  EXPECT_EQ(::umount(node.paths.volume().c_str()), 0);
}

TEST_P(StartRow, AnUnusableTicket) {
  make_data();
  node.start();
  ASSERT_TRUE(node.wait_healthy());
  const std::string bytes = read(node.paths.ticket());
  write(node.paths.ticket(), bytes.substr(0, bytes.size() - 3));
  node.kill_etcd();
  EXPECT_EQ(node.wait_end(), 14);
  EXPECT_NE(node.verdict().signature.find("ticket"), std::string::npos);
}

}  // namespace
}  // namespace guard::testing
