// The parts of the driver that need no process.
#include <gtest/gtest.h>

#include <set>

#include "drivers/host/certificates.h"
#include "drivers/host/members.h"
#include "drivers/host/metrics_page.h"
#include "drivers/host/port_book.h"
#include "drivers/host/shared.h"
#include "drivers/host/survivor.h"
#include "drivers/host/ticket.h"
#include "etcd/identity.h"
#include "pki/cert.h"
#include "posix/files.h"
#include "posix/logger.h"
#include "posix/process.h"
#include "posix/wakeup.h"

namespace host {
namespace {

class SetClock final : public base::Clock {
 public:
  base::Instant at = base::Instant(std::chrono::hours(24 * 365 * 50));
  [[nodiscard]] base::Instant now() const override { return at; }
  [[nodiscard]] base::Tick tick() const override { return {}; }
};

plan::MemberRecord member(const std::string& name, int port, plan::Phase phase,
                          plan::Permit permit) {
  plan::MemberRecord m;
  m.name = name;
  m.addresses = {"https://127.0.0.1:" + std::to_string(port),
                 "https://127.0.0.1:" + std::to_string(port + 1),
                 "http://127.0.0.1:" + std::to_string(port + 2)};
  m.volume = "vol-" + name;
  m.incarnation = "inc";
  m.phase = phase;
  m.permit = permit;
  m.version = {3, 5, 12, ""};
  return m;
}

plan::Record record(std::vector<plan::MemberRecord> members) {
  plan::Record r;
  r.key = {"default", "c"};
  r.incarnation = "inc";
  r.token = "token";
  for (auto& m : members) r.members[m.name] = m;
  return r;
}

TEST(PortBook, OffersStayAndAreNobodyElses) {
  PortBook book({20100, 20199});
  const auto a = book.offer({"default", "a"}, 0, 2, true);
  const auto b = book.offer({"default", "b"}, 0, 2, true);
  ASSERT_TRUE(a && b);
  EXPECT_EQ(*a, *book.offer({"default", "a"}, 0, 2, true));
  std::set<posix::Port> ports;
  for (const auto* offers : {&*a, &*b})
    for (const auto& [ordinal, at] : *offers)
      for (const auto& url : {at.peer_url, at.client_url, at.metrics_url})
        EXPECT_TRUE(ports.insert(port_of(url)).second) << url;
}

TEST(PortBook, RecordedPortsAreTakenUntilTheirClusterIsForgotten) {
  PortBook book({20200, 20205});
  plan::Record r = record({member("c-0", 20200, plan::Phase::kVoter, plan::Permit::kData)});
  book.learn(r);
  const auto offer = book.offer({"default", "d"}, 0, 1, true);
  ASSERT_TRUE(offer) << offer.error().text();
  EXPECT_EQ(port_of(offer->at(0).client_url), 20203);
  plan::Record d = record({member("d-0", 20203, plan::Phase::kVoter, plan::Permit::kData)});
  d.key = {"default", "d"};
  ASSERT_TRUE(book.claim(d));
  EXPECT_EQ(book.offer({"default", "e"}, 0, 1, true).error().code, base::Code::kResourceExhausted);
  book.forget(r.key);
  EXPECT_TRUE(book.offer({"default", "e"}, 0, 1, true));
}

TEST(PortBook, AFullRangeGivesWhatOthersHoldSpareAndTheFirstRecordWins) {
  PortBook book({20210, 20215});
  const auto spare = book.offer({"default", "a"}, 0, 2, true);
  ASSERT_TRUE(spare);
  ASSERT_EQ(spare->size(), 2U);
  const auto taken_over = book.offer({"default", "b"}, 0, 2, true);
  ASSERT_TRUE(taken_over) << taken_over.error().text();
  EXPECT_EQ(*taken_over, *spare);
  plan::Record b = record({member("b-0", 20210, plan::Phase::kVoter, plan::Permit::kData)});
  b.key = {"default", "b"};
  b.members["b-0"].addresses = taken_over->at(0);
  ASSERT_TRUE(book.claim(b));
  ASSERT_TRUE(book.claim(b)) << "its own";
  plan::Record a = b;
  a.key = {"default", "a"};
  EXPECT_EQ(book.claim(a).error().code, base::Code::kAborted);
  const auto rest = book.offer(a.key, 0, 2, true);
  ASSERT_TRUE(rest) << rest.error().text();
  ASSERT_EQ(rest->size(), 1U) << "three ports are left: addresses for one member";
  EXPECT_EQ(rest->at(0), taken_over->at(1));
}

TEST(MetricsPage, TheDecidedClusterVersionOnly) {
  EXPECT_EQ(cluster_version_in("a 1\netcd_cluster_version{cluster_version=\"3.4\"} 0\n"
                               "etcd_cluster_version{cluster_version=\"3.5\"} 1\n"),
            (api::Version{3, 5, 0, ""}));
  EXPECT_EQ(cluster_version_in("etcd_cluster_version{cluster_version=\"\"} 1\n"), std::nullopt);
  EXPECT_EQ(cluster_version_in(""), std::nullopt);
}

TEST(Ticket, FoundersGetTheIdsThatEtcdWillCompute) {
  api::ClusterSpec spec;
  const auto first = member("c-0", 100, plan::Phase::kForming, plan::Permit::kBootstrap);
  const auto second = member("c-1", 200, plan::Phase::kForming, plan::Permit::kBootstrap);
  const plan::Record r = record({first, second});
  const auto t = make_ticket({spec, r, first, {}, {"/e", "", "/u"}, {}, {}});
  ASSERT_TRUE(t) << t.error().text();
  EXPECT_EQ(t->permit, guard::Permit::kBootstrap);
  EXPECT_EQ(t->initial_cluster, "c-0=https://127.0.0.1:100,c-1=https://127.0.0.1:200");
  EXPECT_EQ(t->peer_address, "127.0.0.1:100");
  EXPECT_EQ(t->member_id, etcd::member_id({"https://127.0.0.1:100"}, "token"));
  EXPECT_EQ(t->cluster_id, etcd::cluster_id({etcd::member_id({"https://127.0.0.1:100"}, "token"),
                                             etcd::member_id({"https://127.0.0.1:200"}, "token")}));
}

TEST(Ticket, AJoiningMemberGetsTheLiveListWithOurNames) {
  api::ClusterSpec spec;
  auto joins = member("c-3", 300, plan::Phase::kLearner, plan::Permit::kJoin);
  joins.id = {9};
  plan::Record r = record({member("c-0", 100, plan::Phase::kVoter, plan::Permit::kData), joins});
  r.cluster_id = {5};
  TicketInput in{spec, r, joins, {}, {"/e", "", "/u"}, {}, {}};
  in.live = {
      {"c-0", "https://127.0.0.1:100"}, {"", "https://127.0.0.1:300"}, {"", "https://10.0.0.1:1"}};
  const auto t = make_ticket(in);
  ASSERT_TRUE(t);
  EXPECT_EQ(t->initial_cluster,
            "c-0=https://127.0.0.1:100,c-3=https://127.0.0.1:300,"
            "unnamed-10.0.0.1:1=https://10.0.0.1:1");
  EXPECT_EQ(t->member_id, base::MemberId{9});
  EXPECT_EQ(t->cluster_id, base::ClusterId{5});
}

TEST(Ticket, ARestoreIsAClusterOfItsOwnUnderTheNewToken) {
  api::ClusterSpec spec;
  const auto alone = member("c-3", 300, plan::Phase::kForming, plan::Permit::kRestore);
  plan::Record r = record({member("c-0", 100, plan::Phase::kSurvivor, plan::Permit::kData), alone});
  r.recovery.emplace();
  r.recovery->operation = "op-1";
  const auto t = make_ticket({spec, r, alone, {}, {"/e", "", "/u"}, {}, "/snap"});
  ASSERT_TRUE(t);
  EXPECT_EQ(t->initial_cluster, "c-3=https://127.0.0.1:300");
  EXPECT_EQ(t->restore_operation, "op-1");
  EXPECT_EQ(t->restore_snapshot, "/snap");
  EXPECT_EQ(t->restore_token, "token");
  EXPECT_EQ(t->member_id, etcd::member_id({"https://127.0.0.1:300"}, "token"));
}

TEST(Members, AVerdictIsOfTheBytesThatItWasGivenOn) {
  const Layout layout(::testing::TempDir() + "host-verdict-" + std::to_string(posix::own_pid()));
  const MemberFiles files = layout.member({"default", "c"}, "c-0");
  const std::string wal = files.data + "/member/wal";
  const auto of = member("c-0", 100, plan::Phase::kVoter, plan::Permit::kData);
  ASSERT_TRUE(make_member_dirs(files));
  ASSERT_TRUE(posix::make_dirs(wal));
  guard::Marker marker;
  marker.member_name = of.name;
  marker.volume_id = of.volume;
  marker.started = true;
  ASSERT_TRUE(posix::write_atomic(files.marker, guard::encode(marker)));
  guard::Verdict verdict;
  verdict.klass = guard::Class::kDataLost;
  ASSERT_TRUE(posix::write_atomic(files.verdict, guard::encode(verdict)));
  const auto look = [&] { return look_at_member(files, of, "boot"); };
  ASSERT_TRUE(look().ended);
  EXPECT_EQ(look().ended->end, plan::End::kDataLost);
  EXPECT_EQ(look().data, base::Fact<plan::Data>(plan::Data::kBlank));

  // A copy keeps the times of what it copies; when it came cannot be copied. The clock of the file
  // system is coarse: the first copies may count as of the same moment.
  int copies = 0;
  while (look().ended && copies < 10'000)
    ASSERT_TRUE(posix::write_new(wal + "/" + std::to_string(copies++) + ".wal", ""));
  EXPECT_FALSE(look().ended) << "what came back is looked at anew";
  EXPECT_EQ(look().data, base::Fact<plan::Data>(plan::Data::kOwn));
  ASSERT_TRUE(posix::write_atomic(files.verdict, guard::encode(verdict)));
  EXPECT_TRUE(look().ended) << "until the guard has judged it";
  EXPECT_EQ(look().data, base::Fact<plan::Data>(plan::Data::kOlder));

  // A file system that is mounted there brings its own, older times.
  const auto info = posix::file_info(files.volume);
  ASSERT_TRUE(info);
  for (const auto& [volume, stands] :
       {std::pair{guard::place_text({info->device, info->inode}), true},
        std::pair{guard::place_text({info->device + 1, info->inode}), false},
        std::pair{guard::place_text({info->device, info->inode + 1}), false},
        std::pair{std::string(guard::kNoPlace), false}}) {
    verdict.volume = volume;
    ASSERT_TRUE(posix::write_atomic(files.verdict, guard::encode(verdict)));
    EXPECT_EQ(look().ended.has_value(), stands) << volume;
  }
  ASSERT_TRUE(posix::remove_tree(layout.root()));
}

class SteppedClock final : public base::Clock {
 public:
  base::Instant at = base::Instant(std::chrono::hours(24 * 365 * 50));
  base::Tick since{};
  [[nodiscard]] base::Instant now() const override { return at; }
  [[nodiscard]] base::Tick tick() const override { return since; }
};

TEST(Fetcher, AFailedFetchIsTriedAgainAlsoWhenTheClockGoesBack) {
  SteppedClock clock;
  const auto log = posix::make_null_logger();
  PlatformOptions options;
  options.etcd_dir = "/dev/null/nowhere";  // nothing can be put there, so that nothing is fetched
  Fetcher fetcher(options, clock, *log);
  const api::Version version{9, 9, 9, ""};
  const auto ended = [&](unsigned times) {
    const auto until = posix::deadline_in(std::chrono::seconds(20));
    while (fetcher.ended() != times && posix::deadline_in({}) < until)
      (void)posix::poll_until({}, posix::deadline_in(base::Duration(5)), {});
    return fetcher.ended() == times;
  };
  ASSERT_TRUE(fetcher.want(version));
  ASSERT_TRUE(ended(1));
  EXPECT_FALSE(fetcher.want(version)) << "it rests first";
  clock.at -= std::chrono::hours(24);
  clock.since += std::chrono::minutes(2);
  EXPECT_TRUE(fetcher.want(version));
  EXPECT_TRUE(ended(2));
}

TEST(Survivor, LimitsGrowWithTheData) {
  using std::chrono::seconds;
  EXPECT_EQ(limit_for(seconds(30), 0), seconds(30));
  // 8 GiB, the most that etcd advises, at 20 MB/s.
  EXPECT_GT(limit_for(seconds(30), std::uint64_t{8} << 30), seconds(420));
  EXPECT_LT(limit_for(seconds(30), std::uint64_t{8} << 30), seconds(500));
}

TEST(Survivor, DamageIsTheDatasNotTheMachines) {
  EXPECT_EQ(damage_in("a\npanic: invalid database\nb"), "panic: invalid database");
  EXPECT_EQ(damage_in("listen tcp 127.0.0.1:1: bind: address already in use\n"), "");
  EXPECT_EQ(damage_in("write: no space left on device"), "");
  EXPECT_EQ(damage_in(""), "");
}

TEST(Survivor, WhatASnapshotOfARunningProcessLacks) {
  const RunningSnapshot of{"c-0", "inc", 7};
  const auto again = decode_running_snapshot(encode(of));
  ASSERT_TRUE(again) << again.error().text();
  EXPECT_EQ(*again, of);
  for (const char* text : {"", "c-0 inc", "c-0 inc x", "c-0 inc -1", "c-0 inc 7 8"})
    EXPECT_FALSE(decode_running_snapshot(text)) << text;
  EXPECT_EQ(what_lacks(of, 7), "");
  EXPECT_EQ(what_lacks(of, 6), "");
  EXPECT_EQ(what_lacks(of, 9), "the entries 8 to 9 of its log");
  EXPECT_EQ(what_lacks(of, base::fail(base::Code::kDataLoss, "damaged")),
            "what its log held after entry 7, which cannot be read");
}

class CertificatesTest : public ::testing::Test {
 protected:
  CertificatesTest()
      : layout_(::testing::TempDir() + "host-certs-" + std::to_string(posix::own_pid())),
        files_(layout_.member({"default", "c"}, "c-0")),
        certificates_(layout_.cluster({"default", "c"}), clock_) {
    tls_.validity = std::chrono::hours(3);
  }
  ~CertificatesTest() override { (void)posix::remove_tree(layout_.root()); }
  std::string text(const std::string& file) { return posix::read_file(file, 1 << 20).value_or(""); }
  SetClock clock_;
  Layout layout_;
  MemberFiles files_;
  Certificates certificates_;
  api::Tls tls_;
};

TEST_F(CertificatesTest, ALeafFileHoldsAPairThatMatchesAndOnlyWeCanRead) {
  ASSERT_TRUE(certificates_.prepare_member(tls_, "c-0", files_, "i1"));
  for (const auto& file : {leaf_files(files_).server, leaf_files(files_).peer}) {
    EXPECT_EQ(pki::key_matches(text(file), text(file)), true) << file;
    EXPECT_EQ(posix::file_info(file)->mode, 0600U);
    EXPECT_EQ(pki::covers_host(text(file), "127.0.0.1"), true);
  }
  const auto server = text(leaf_files(files_).server);
  EXPECT_TRUE(pki::verify(server, text(leaf_files(files_).client_ca), clock_.now()));
  EXPECT_FALSE(pki::verify(server, text(leaf_files(files_).peer_ca), clock_.now()));
}

TEST_F(CertificatesTest, PreparingAgainKeepsThemRenewingDoesNot) {
  ASSERT_TRUE(certificates_.prepare_member(tls_, "c-0", files_, "i1"));
  const auto server = text(leaf_files(files_).server);
  const auto dates = certificates_.member_dates(files_);
  ASSERT_TRUE(dates.known());
  EXPECT_LT(dates->renew_at, dates->expires);
  ASSERT_TRUE(certificates_.prepare_member(tls_, "c-0", files_, "i1"));
  EXPECT_EQ(text(leaf_files(files_).server), server);
  clock_.at += std::chrono::hours(2);
  ASSERT_TRUE(certificates_.renew_member(tls_, "c-0", files_, "i1"));
  EXPECT_GT(certificates_.member_dates(files_)->expires, dates->expires);
}

TEST_F(CertificatesTest, AnotherIncarnationTrustsNoOldPeer) {
  ASSERT_TRUE(certificates_.prepare_member(tls_, "c-0", files_, "i1"));
  const auto old = text(leaf_files(files_).peer);
  ASSERT_TRUE(certificates_.prepare_member(tls_, "c-0", files_, "i2"));
  EXPECT_FALSE(pki::verify(old, text(leaf_files(files_).peer_ca), clock_.now()));
  EXPECT_TRUE(
      pki::verify(text(leaf_files(files_).peer), text(leaf_files(files_).peer_ca), clock_.now()));
}

TEST_F(CertificatesTest, UsersGetTheirsOnlyWhenPublished) {
  ASSERT_TRUE(certificates_.prepare_member(tls_, "c-0", files_, "i1"));
  EXPECT_FALSE(certificates_.published());
  const auto users = pki_files(layout_.cluster({"default", "c"}));
  EXPECT_EQ(posix::exists(users.user_cert), base::Fact<bool>(false));
  ASSERT_TRUE(certificates_.publish(tls_));
  EXPECT_TRUE(certificates_.published());
  EXPECT_EQ(pki::key_matches(text(users.user_key), text(users.user_cert)), true);
  EXPECT_EQ(pki::parse_certificate(text(users.user_cert))->common_name, "client");
}

}  // namespace
}  // namespace host
