// Metrics pages, clocks, and what an etcd of somebody else's was told.
#include <gtest/gtest.h>

#include "adm/adopt_process.h"
#include "adm/findings.h"
#include "adm/gauges.h"

namespace adm {
namespace {

using namespace std::chrono_literals;

constexpr const char* kPage =
    "# HELP etcd_disk_wal_fsync_duration_seconds The latency\n"
    "etcd_cluster_version{cluster_version=\"3.5\"} 1\n"
    "etcd_disk_wal_fsync_duration_seconds_bucket{le=\"0.001\"} 90\n"
    "etcd_disk_wal_fsync_duration_seconds_bucket{le=\"0.002\"} 100\n"
    "etcd_disk_wal_fsync_duration_seconds_bucket{le=\"+Inf\"} 100\n"
    "etcd_disk_wal_fsync_duration_seconds_count 100\n"
    "etcd_network_peer_round_trip_time_seconds_bucket{To=\"a\",le=\"0.1\"} 10\n"
    "etcd_network_peer_round_trip_time_seconds_bucket{To=\"a\",le=\"+Inf\"} 10\n"
    "etcd_network_peer_round_trip_time_seconds_bucket{To=\"b\",le=\"0.1\"} 0\n"
    "etcd_network_peer_round_trip_time_seconds_bucket{To=\"b\",le=\"0.4\"} 10\n"
    "etcd_network_peer_round_trip_time_seconds_bucket{To=\"b\",le=\"+Inf\"} 10\n"
    "etcd_server_quota_backend_bytes 2.147483648e+09\n";

TEST(Gauges, ArePickedFromAMetricsPage) {
  const auto g = read_gauges(kPage);
  ASSERT_TRUE(g.cluster_version && g.fsync_p99_s && g.rtt_p99_s && g.quota);
  EXPECT_EQ(g.cluster_version->minor, 5);
  EXPECT_NEAR(*g.fsync_p99_s, 0.0019, 1e-9);  // nine tenths into the second bucket
  EXPECT_NEAR(*g.rtt_p99_s, 0.397, 1e-9);     // of the peer that is further away
  EXPECT_EQ(*g.quota, 2147483648);
  const auto none = read_gauges("etcd_disk_wal_fsync_duration_seconds_bucket{le=\"+Inf\"} 0\nx");
  EXPECT_FALSE(none.fsync_p99_s || none.rtt_p99_s || none.quota || none.cluster_version);
}

TEST(Gauges, TellTheClockOfAMember) {
  const auto at = parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT");
  ASSERT_TRUE(at);
  EXPECT_EQ(base::to_rfc3339(*at), "1994-11-06T08:49:37.000Z");
  for (const char* wrong : {"", "06 Nov 1994", "Sun, 06 Nov 1994 08:49:37 CET",
                            "Sun, 06 Nox 1994 08:49:37 GMT", "Sun, 36 Nov 1994 08:49:37 GMT"})
    EXPECT_FALSE(parse_http_date(wrong)) << wrong;
  EXPECT_FALSE(judge_clock("a", 900ms));
  EXPECT_NE(judge_clock("a", 5s)->what.find("5s ahead of"), std::string::npos);
  EXPECT_NE(judge_clock("a", -5s)->what.find("5s behind"), std::string::npos);
}

TEST(Gauges, ASlowDiskIsANoteAndAVerySlowOneAProblem) {
  EXPECT_FALSE(judge_fsync("x", 0.002));
  EXPECT_FALSE(judge_fsync("x", 0.020)->bad);
  EXPECT_TRUE(judge_fsync("x", 0.300)->bad);
}

TEST(AdoptProcess, TheUserIsTheEffectiveOne) {
  EXPECT_EQ(uid_in("Name:\tetcd\nUid:\t5\t998\t998\t998\nGid:\t7\t7\t7\t7\n"), 998U);
  for (const char* wrong : {"", "Uid:", "Uid:\t5", "Uid:\t5\tx\t5\t5", "Uid:\t5\t4294967295\t5\t5"})
    EXPECT_EQ(uid_in(wrong), 0U) << wrong;
}

TEST(AdoptProcess, FlagsComeFromTheCommandLineAndTheEnvironment) {
  const auto flags = etcd_flags_of(
      {"/usr/bin/etcd", "--name=a", "-data-dir", "/d", "--client-cert-auth", "--cert-file", "/c"},
      {"PATH=/x", "ETCD_LISTEN_PEER_URLS=https://10.0.0.1:2380", "ETCD_=1"});
  const EtcdFlags expected{{"name", "a"},
                           {"data-dir", "/d"},
                           {"client-cert-auth", "true"},
                           {"cert-file", "/c"},
                           {"listen-peer-urls", "https://10.0.0.1:2380"}};
  EXPECT_EQ(flags, expected);
  EXPECT_EQ(unit_in("0::/system.slice/etcd.service\n"), "etcd.service");
  EXPECT_EQ(unit_in("0::/user.slice/user-0.slice/session-1.scope\n"), "");
}

TEST(AdoptProcess, WhatCannotBeLookedAfterIsSaid) {
  const auto why = [](const EtcdFlags& flags) {
    const auto settings = settings_of(flags);
    return settings ? std::string() : settings.error().message;
  };
  EXPECT_NE(why({}).find("--data-dir"), std::string::npos);
  EXPECT_NE(why({{"config-file", "/x"}}).find("--config-file"), std::string::npos);
  EXPECT_NE(why({{"wal-dir", "/x"}}).find("--wal-dir"), std::string::npos);
  EXPECT_NE(why({{"data-dir", "/d"}}).find("speak TLS"), std::string::npos);
}

}  // namespace
}  // namespace adm
