// The processes of the fake etcd: starts, elections, membership, and how data is lost.
#include "sim/world/etcd.h"

#include <gtest/gtest.h>

#include "etcd/identity.h"
#include "guard/signatures.h"
#include "sim/world/etcd_fixture.h"
#include "sim/world/etcd_offline.h"

namespace sim {
namespace {

constexpr base::Duration kCall{10'000};

guard::Class class_of(const Process& p) {
  guard::LogScanner log;
  log.feed(p.end->log + "\n", 0);
  bool condemns = false;
  return guard::judge({p.end->code, p.end->signal}, log, 1, condemns).klass;
}

void seconds(Lab& lab, double n) {
  lab.advance(base::Duration(static_cast<std::int64_t>(n * 1000)));
}

TEST(Etcd, FoundersFormWithTheIdsOfTheFormula) {
  for (int n = 1; n <= 5; ++n) {
    Lab lab;
    lab.form(n);
    ASSERT_GE(lab.leader(), 0);
    std::vector<base::MemberId> ids;
    for (int i = 0; i < n; ++i) {
      EXPECT_TRUE(lab.at(i).ready);
      EXPECT_EQ(lab.id(i), etcd::member_id({Lab::peer_url(i)}, "test"));
      ids.push_back(lab.id(i));
      EXPECT_EQ(lab.at(i).dir.tip, lab.at(0).dir.tip);
      EXPECT_EQ(lab.at(i).state().cluster_minor, 6);
    }
    EXPECT_EQ(lab.at(0).dir.cluster, etcd::cluster_id(ids));
    EXPECT_FALSE(lab.etcd().next_event());
  }
}

TEST(Etcd, TheClientPortOpensWithAQuorum) {
  Lab lab;
  lab.launch(Lab::args(0, 3), {});
  seconds(lab, 10);
  EXPECT_EQ(lab.at(0).phase, Process::Phase::kRunning);
  EXPECT_FALSE(lab.at(0).ready);
  EXPECT_FALSE(lab.api(0)->status(kCall));
  lab.launch(Lab::args(1, 3), {});
  seconds(lab, 10);
  EXPECT_TRUE(lab.at(0).ready);
  EXPECT_TRUE(lab.api(0)->status(kCall));
  const auto* third =
      lab.at(0).state().membership->find(etcd::member_id({Lab::peer_url(2)}, "test"));
  EXPECT_TRUE(third->client_urls.empty());
}

TEST(Etcd, AnAcknowledgedWriteIsOnAQuorumAndSurvivesTheLeader) {
  Lab lab;
  lab.form(3);
  const int old = lab.leader();
  ASSERT_TRUE(lab.api(old)->put("a", "1", kCall));
  lab.kill(old);
  seconds(lab, 5);
  const int now = lab.leader();
  ASSERT_GE(now, 0);
  EXPECT_NE(now, old);
  EXPECT_EQ(lab.api(now)->range("a", "", false, 0, kCall)->kvs[0].value, "1");
}

TEST(Etcd, AWipedVoterPanicsUnderItsOldLeaderAndJoinsBlankUnderANewOne) {
  Lab lab;
  lab.form(3);
  const int leader = lab.leader(), wiped = (leader + 1) % 3;
  ASSERT_TRUE(lab.api(leader)->put("a", "1", kCall));
  lab.kill(wiped);
  Args again = Lab::args(wiped, 3);
  again.existing = true;
  lab.launch(again, {});
  seconds(lab, 3);
  ASSERT_EQ(lab.at(wiped).phase, Process::Phase::kEnded);
  EXPECT_EQ(lab.at(wiped).end->code, 2);
  EXPECT_NE(lab.at(wiped).end->log.find("is out of range [lastIndex(0)]"), std::string::npos);
  EXPECT_EQ(class_of(lab.at(wiped)), guard::Class::kDataLost);
  const int other = (leader + 2) % 3;
  ASSERT_TRUE(lab.api(leader)->move_leader(lab.id(other), kCall));
  lab.launch(again, {});
  seconds(lab, 3);
  EXPECT_TRUE(lab.at(wiped).ready);
}

// The proof of loss of the behaviour matrix.
TEST(Etcd, AWipedVoterElectsALeaderWithoutTheAcknowledgedWrites) {
  for (const std::string version : {"3.5.33", "3.6.16"}) {
    Lab lab;
    lab.form(3, version);
    const int leader = lab.leader(), lag = (leader + 1) % 3, third = (leader + 2) % 3;
    Dir old = lab.kill(lag);
    ASSERT_TRUE(lab.api(leader)->put("a", "1", kCall));
    ASSERT_TRUE(lab.api(leader)->put("b", "1", kCall));  // with it goes how far it was committed
    seconds(lab, 1);
    lab.kill(third);
    Dir full = lab.kill(leader);
    lab.launch(Lab::args(lag, 3, version), std::move(old));
    seconds(lab, 1);
    Args blank = Lab::args(third, 3, version);
    blank.existing = true;
    lab.launch(blank, {});
    seconds(lab, 10);
    ASSERT_TRUE(lab.at(lag).ready);
    EXPECT_EQ(lab.api(lag)->range("a", "", false, 0, kCall)->count, 0);
    lab.launch(Lab::args(leader, 3, version), std::move(full));
    seconds(lab, 10);
    if (version == "3.5.33") {
      EXPECT_EQ(lab.at(leader).phase, Process::Phase::kRunning);
      EXPECT_FALSE(lab.at(leader).ready);
      continue;
    }
    for (const int i : {lag, third}) {
      ASSERT_EQ(lab.at(i).phase, Process::Phase::kEnded);
      EXPECT_EQ(lab.at(i).end->log, "panic: need non-empty snapshot");
    }
  }
}

TEST(Etcd, TwoWipedFoundersFormATwinOfTheSameClusterId) {
  Lab lab;
  lab.form(3);
  ASSERT_TRUE(lab.api(0)->put("old", "1", kCall));
  std::vector<Dir> dirs;
  for (int i = 0; i < 3; ++i) dirs.push_back(lab.kill(i));
  lab.launch(Lab::args(1, 3), {});
  lab.launch(Lab::args(2, 3), {});
  seconds(lab, 10);
  ASSERT_TRUE(lab.at(1).ready);
  EXPECT_EQ(lab.at(1).dir.cluster, dirs[0].cluster);
  EXPECT_EQ(lab.api(1)->range("old", "", false, 0, kCall)->count, 0);
  // The third is taken in with what it has: all answer, and their contents differ.
  for (int i = 0; i < 9; ++i) ASSERT_TRUE(lab.api(1)->put("new", std::to_string(i), kCall));
  lab.launch(Lab::args(0, 3), std::move(dirs[0]));
  seconds(lab, 10);
  ASSERT_TRUE(lab.at(0).ready);
  EXPECT_EQ(lab.at(0).dir.tip->index, lab.at(1).dir.tip->index);
  EXPECT_NE(lab.api(0)->hash_kv(0, kCall)->hash, lab.api(1)->hash_kv(0, kCall)->hash);
  EXPECT_EQ(lab.api(0)->range("old", "", false, 0, kCall)->count, 1);
}

TEST(Etcd, AFounderThatRanIsNotBootstrappedAgain) {
  Lab lab;
  lab.form(3);
  lab.kill(2);
  lab.launch(Lab::args(2, 3), {});
  seconds(lab, 3);
  ASSERT_EQ(lab.at(2).phase, Process::Phase::kEnded);
  EXPECT_EQ(lab.at(2).end->code, 1);
  EXPECT_NE(lab.at(2).end->log.find("has already been bootstrapped"), std::string::npos);
  EXPECT_EQ(class_of(lab.at(2)), guard::Class::kDataLost);
}

TEST(Etcd, ALearnerJoinsIsPromotedAndVotes) {
  Lab lab;
  lab.form(3);
  const auto api = lab.api(lab.leader());
  const auto added = api->member_add(Lab::peer_url(3), true, kCall);
  ASSERT_TRUE(added);
  EXPECT_TRUE(added->learner);
  EXPECT_EQ(api->member_promote(added->id, kCall).error().error.message,
            "etcdserver: can only promote a learner member which is in sync with leader");
  Args joiner = Lab::args(3, 4);
  joiner.existing = true;
  lab.launch(joiner, {});
  seconds(lab, 3);
  ASSERT_TRUE(lab.at(3).ready);
  EXPECT_EQ(lab.id(3), added->id);
  EXPECT_TRUE(lab.at(3).is_learner());
  EXPECT_FALSE(lab.api(3)->quorum_read(kCall));
  ASSERT_TRUE(api->member_promote(added->id, kCall));
  EXPECT_EQ(lab.at(3).state().membership->voters(), 4U);
}

TEST(Etcd, TheGuardOfAddsWaitsFiveSecondsAndDependsOnTheVersion) {
  Lab lab;
  lab.form(3);
  const int leader = lab.leader(), down = (leader + 1) % 3;
  const auto add = [&](Lab& in) {
    const auto r = in.api(in.leader())->member_add(Lab::peer_url(9), true, kCall);
    return r ? std::string() : r.error().error.message;
  };
  Dir dir = lab.kill(down);
  EXPECT_EQ(add(lab), "etcdserver: unhealthy cluster");
  lab.launch(Lab::args(down, 3), std::move(dir));
  seconds(lab, 2);
  EXPECT_EQ(add(lab), "etcdserver: unhealthy cluster");
  seconds(lab, 6);
  EXPECT_EQ(add(lab), "");
  for (const std::string version : {"3.5.12", "3.5.33"}) {
    Lab five;
    five.form(5, version);
    five.kill((five.leader() + 1) % 5);
    EXPECT_EQ(add(five), version == "3.5.12" ? "etcdserver: unhealthy cluster" : "");
  }
}

TEST(Etcd, ARemovedMemberEnds) {
  Lab lab;
  lab.form(3);
  const int leader = lab.leader(), gone = (leader + 1) % 3;
  Dir dir = lab.kill(gone);
  const auto id = dir.member;
  ASSERT_TRUE(lab.api(leader)->member_remove(id, kCall));
  lab.launch(Lab::args(gone, 3), std::move(dir));
  seconds(lab, 5);
  ASSERT_EQ(lab.at(gone).phase, Process::Phase::kEnded);
  EXPECT_EQ(class_of(lab.at(gone)), guard::Class::kRemoved);
  // And one that removes the leader: the other goes on.
  ASSERT_TRUE(lab.api(leader)->member_remove(lab.id(leader), kCall));
  seconds(lab, 10);
  EXPECT_EQ(lab.at(leader).phase, Process::Phase::kEnded);
  EXPECT_EQ(lab.leader(), (leader + 2) % 3);
}

TEST(Etcd, WithoutAQuorumNothingIsAcknowledgedAndARestartedSurvivorStaysShut) {
  Lab lab;
  lab.form(3);
  lab.kill(1);
  lab.kill(2);
  const auto at_once = lab.api(0)->put("a", "1", kCall);
  EXPECT_EQ(at_once.error().outcome, etcd::Outcome::kMayHaveHappened);
  seconds(lab, 5);
  EXPECT_EQ(lab.api(0)->put("a", "2", kCall).error().error.message, "etcdserver: no leader");
  EXPECT_TRUE(lab.api(0)->range("a", "", true, 0, kCall));
  EXPECT_FALSE(lab.api(0)->status(kCall)->leader);
  Dir dir = lab.kill(0);
  lab.launch(Lab::args(0, 3), std::move(dir));
  seconds(lab, 30);
  EXPECT_EQ(lab.at(0).phase, Process::Phase::kRunning);
  EXPECT_FALSE(lab.api(0)->status(kCall));
}

TEST(Etcd, AnIsolatedLeadersWriteIsDroppedWhenItComesBack) {
  Lab lab;
  lab.form(3);
  const int old = lab.leader();
  for (int i = 0; i < 3; ++i)
    if (i != old) lab.etcd().cut(old, i, lab.now());
  const auto lost = lab.api(old)->put("lost", "1", base::Duration(500));
  EXPECT_EQ(lost.error().outcome, etcd::Outcome::kMayHaveHappened);
  seconds(lab, 10);
  const int now = lab.leader() == old ? -1 : lab.leader();
  ASSERT_GE(now, 0);
  ASSERT_TRUE(lab.api(now)->put("kept", "1", kCall));
  for (int i = 0; i < 3; ++i) lab.etcd().heal(old, i, lab.now());
  seconds(lab, 1);
  EXPECT_EQ(lab.api(old)->range("lost", "", false, 0, kCall)->count, 0);
  EXPECT_EQ(lab.api(old)->range("kept", "", false, 0, kCall)->count, 1);
}

TEST(Etcd, ForceNewClusterKeepsTheIdsAndDropsTheOthers) {
  Lab lab;
  lab.form(3);
  ASSERT_TRUE(lab.api(0)->put("a", "1", kCall));
  const auto cluster = lab.at(0).dir.cluster;
  const auto id = lab.id(0);
  lab.kill(1);
  lab.kill(2);
  Dir dir = lab.kill(0);
  const bool last_is_known = index_of(dir.commit) == index_of(dir.tip);
  EXPECT_FALSE(last_is_known);  // the position on disk lags behind the last entry
  EXPECT_EQ(export_of(dir, false)->state->revision, 1);
  EXPECT_EQ(export_of(dir, true)->state->revision, 2);
  Args alone = Lab::args(0, 3);
  alone.force_new = true;
  lab.launch(alone, std::move(dir));
  seconds(lab, 5);
  EXPECT_TRUE(lab.at(0).ready);
  EXPECT_EQ(lab.id(0), id);
  EXPECT_EQ(lab.at(0).dir.cluster, cluster);
  EXPECT_EQ(lab.at(0).state().membership->members.size(), 1U);
}

TEST(Etcd, ARestoreHasNewIdsAndTheKeys) {
  Lab lab;
  lab.form(1);
  ASSERT_TRUE(lab.api(0)->put("a", "1", kCall));
  const auto snapshot = snapshot_of(lab.at(0));
  const auto cluster = lab.at(0).dir.cluster;
  lab.kill(0);
  Args args = Lab::args(0, 1);
  args.token = "another";
  lab.launch(args, restore(snapshot, "m0", args.initial, args.token, 1000));
  seconds(lab, 5);
  ASSERT_TRUE(lab.at(0).ready);
  EXPECT_NE(lab.at(0).dir.cluster, cluster);
  const auto all = lab.api(0)->range("a", "", false, 0, kCall);
  EXPECT_EQ(all->kvs[0].value, "1");
  EXPECT_EQ(all->revision, 1002);
  EXPECT_EQ(lab.api(0)->range("a", "", false, 2, kCall).error().message,
            "etcdserver: mvcc: required revision has been compacted");
}

TEST(Etcd, TheClusterVersionRisesWhenAllAreNewAndStopsOlderOnes) {
  Lab lab;
  lab.form(3, "3.5.33");
  EXPECT_EQ(lab.at(0).state().cluster_minor, 5);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(lab.at(0).state().cluster_minor, 5);
    Dir dir = lab.kill(i);
    lab.launch(Lab::args(i, 3, "3.6.16"), std::move(dir));
    seconds(lab, 10);
    ASSERT_TRUE(lab.at(i).ready);
  }
  EXPECT_EQ(lab.at(0).state().cluster_minor, 6);
  EXPECT_EQ(lab.api(0)->status(kCall)->storage_version, "3.6.0");
  Dir dir = lab.kill(0);
  lab.launch(Lab::args(0, 3, "3.5.33"), dir);
  seconds(lab, 3);
  EXPECT_EQ(class_of(lab.at(0)), guard::Class::kConfig);
  EXPECT_NE(lab.at(0).end->log.find("invalid downgrade"), std::string::npos);
  // And 3.7 cannot read what 3.6 wrote beside 3.5 (ADR 0010).
  lab.launch(Lab::args(0, 3, "3.7.3"), dir);
  seconds(lab, 3);
  EXPECT_NE(lab.at(0).end->log.find("unmarshal should never fail"), std::string::npos);
  dir.snapshot = index_of(dir.tip);
  lab.launch(Lab::args(0, 3, "3.7.3"), dir);
  seconds(lab, 3);
  EXPECT_TRUE(lab.at(0).ready) << lab.at(0).end->log;
}

struct BadStart {
  const char* name;
  guard::Class klass;
  int code;
  std::function<void(Args&, Dir&)> spoil;
};

class StartTest : public testing::TestWithParam<BadStart> {};

// Member 2 of three is started again, spoiled; the words are those by which the guard knows it.
TEST_P(StartTest, EndsInEtcdsWords) {
  Lab lab;
  lab.form(3);
  Dir dir = lab.kill(2);
  Args args = Lab::args(2, 3);
  GetParam().spoil(args, dir);
  lab.launch(args, std::move(dir));
  seconds(lab, 3);
  ASSERT_EQ(lab.at(2).phase, Process::Phase::kEnded);
  EXPECT_EQ(lab.at(2).end->code, GetParam().code) << lab.at(2).end->log;
  EXPECT_EQ(class_of(lab.at(2)), GetParam().klass) << lab.at(2).end->log;
}

INSTANTIATE_TEST_SUITE_P(
    Rows, StartTest,
    testing::Values(
        BadStart{"Flag", guard::Class::kConfig, 2,
                 [](Args& a, Dir&) { a.flags = {"--enable-v2=true"}; }},
        BadStart{"ReadOnly", guard::Class::kNode, 1,
                 [](Args& a, Dir&) { a.disk = Disk::kReadOnly; }},
        BadStart{"Full", guard::Class::kNode, 1, [](Args& a, Dir&) { a.disk = Disk::kFull; }},
        BadStart{"Crc", guard::Class::kDataCorrupt, 1,
                 [](Args&, Dir& d) { d.damage = Damage::kCrc; }},
        BadStart{"EmptyWal", guard::Class::kDataCorrupt, 2,
                 [](Args&, Dir& d) { d.damage = Damage::kEmptyFile; }},
        BadStart{"BadDb", guard::Class::kDataCorrupt, 2,
                 [](Args&, Dir& d) { d.damage = Damage::kBadDb; }},
        BadStart{"NoDb", guard::Class::kDataLost, 2,
                 [](Args&, Dir& d) {
                   d.damage = Damage::kNoDb;
                   d.snapshot = 3;
                 }},
        BadStart{"Older", guard::Class::kDataLost, 2, [](Args&, Dir& d) { d = rolled_back(d, 4); }},
        BadStart{"PortTaken", guard::Class::kRetry, 1,
                 [](Args& a, Dir&) { a.peer_url = Lab::peer_url(1); }},
        BadStart{"NoPeer", guard::Class::kRetry, 1,
                 [](Args& a, Dir& d) {
                   d = {};
                   a.existing = true;
                   a.initial = {{"m2", Lab::peer_url(2)}};
                 }},
        BadStart{"Count", guard::Class::kRetry, 1,
                 [](Args& a, Dir& d) {
                   d = {};
                   a.existing = true;
                   a.initial.emplace_back("m9", Lab::peer_url(9));
                 }},
        BadStart{"OwnUrl", guard::Class::kRetry, 1,
                 [](Args& a, Dir& d) {
                   d = {};
                   a.existing = true;
                   a.initial[2].second = a.peer_url = Lab::peer_url(9);
                 }},
        BadStart{"Name", guard::Class::kConfig, 1,
                 [](Args& a, Dir& d) {
                   d = {};
                   a.name = "stranger";
                 }},
        BadStart{"Corrupt", guard::Class::kDataCorrupt, 1,
                 [](Args& a, Dir& d) {
                   d.wrong_bytes = 7;
                   a.initial_check = true;
                 }}),
    [](const auto& info) { return info.param.name; });

TEST(Etcd, AForeignDirectoryNeverJoinsAndNeverEnds) {
  Lab lab;
  lab.form(3);
  Lab other;
  other.launch(
      [] {
        Args a = Lab::args(2, 3);
        a.token = "other";
        return a;
      }(),
      {});
  seconds(other, 3);
  lab.kill(2);
  lab.launch(Lab::args(2, 3), other.kill(2));
  seconds(lab, 60);
  EXPECT_EQ(lab.at(2).phase, Process::Phase::kRunning);
  EXPECT_FALSE(lab.at(2).ready);
}

TEST(Etcd, AnExpiredPeerCertificateCutsOffOnlyNewConnections) {
  Lab lab;
  const auto tls = [](double until) {
    TlsSides t;
    t.peer = {true, {1, at_seconds(-10), at_seconds(until), "m"}, {1}};
    return t;
  };
  for (int i = 0; i < 3; ++i) {
    Args a = Lab::args(i, 3);
    a.tls = tls(i == 2 ? 60 : 1000);
    lab.launch(a, {});
  }
  seconds(lab, 100);
  EXPECT_TRUE(lab.etcd().linked(lab.at(0), lab.at(2)));
  for (int i = 0; i < 2; ++i) {
    Args a = Lab::args(i, 3);
    a.tls = tls(1000);
    lab.launch(a, lab.kill(i));
    seconds(lab, 5);
  }
  EXPECT_FALSE(lab.etcd().linked(lab.at(0), lab.at(2)));
  lab.etcd().set_leaf(lab.at(2).pid, true, {1, at_seconds(0), at_seconds(1000), "m"}, lab.now());
  EXPECT_TRUE(lab.etcd().linked(lab.at(0), lab.at(2)));
  // A CA that was added to the file is not read before a restart.
  lab.etcd().set_leaf(lab.at(2).pid, true, {2, at_seconds(0), at_seconds(1000), "m"}, lab.now());
  EXPECT_TRUE(lab.etcd().linked(lab.at(0), lab.at(2)));
  Args a = Lab::args(2, 3);
  a.tls = tls(1000);
  a.tls.peer.leaf.ca = 2;
  lab.launch(a, lab.kill(2));
  seconds(lab, 5);
  EXPECT_FALSE(lab.etcd().linked(lab.at(0), lab.at(2)));
}

TEST(Etcd, TheSameSeedGivesTheSameWorld) {
  const auto run = [](std::uint64_t seed) {
    Lab lab({}, seed);
    lab.form(5);
    lab.kill(lab.leader());
    seconds(lab, 5);
    return std::pair(lab.leader(), lab.at(lab.leader()).dir.tip->id);
  };
  EXPECT_EQ(run(7), run(7));
}

TEST(Etcd, InTheModelsTimeEverythingIsDueAtOnceAndHappensWhenAsked) {
  Etcd e(Timing::instant());
  const auto now = at_seconds(0);
  for (int i = 0; i < 3; ++i) e.start(Lab::args(i, 3), {}, now);
  EXPECT_EQ(e.next_event(), now);
  EXPECT_TRUE(e.settle(now));
  EXPECT_FALSE(e.next_event());
  EXPECT_FALSE(e.settle(now));
  for (const auto& p : e.processes()) EXPECT_TRUE(p.ready);
  Etcd copy = e;
  const Process* leader = copy.leader_of(copy.processes()[0].dir.cluster);
  copy.stop(leader->pid, Etcd::Stop::kKill, now);
  EXPECT_EQ(copy.candidates().size(), 2U);
  EXPECT_TRUE(e.candidates().empty());
}

}  // namespace
}  // namespace sim
