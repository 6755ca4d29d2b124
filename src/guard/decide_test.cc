#include "guard/decide.h"

#include <gtest/gtest.h>

namespace guard {
namespace {

using Wal = WalSeen::State;

Ticket ticket(Permit permit) {
  Ticket t;
  t.cluster_ns = "default";
  t.cluster_name = "demo";
  t.member_name = "m1";
  t.incarnation = "inc-2";
  t.volume_id = "vol";
  t.permit = permit;
  t.cluster_id.value = 0xc;
  t.member_id.value = 0xa;
  t.peer_address = "127.0.0.1:2380";
  t.etcd = "/etcd";
  t.etcdutl = "/etcdutl";
  t.restore_operation = "op";
  t.restore_snapshot = "/snapshot";
  t.restore_token = "token";
  return t;
}

Marker own_marker(bool started) {
  const Ticket t = ticket(Permit::kData);
  Marker m;
  m.cluster_ns = t.cluster_ns;
  m.cluster_name = t.cluster_name;
  m.member_name = t.member_name;
  m.incarnation = t.incarnation;
  m.volume_id = t.volume_id;
  m.peer_address = t.peer_address;
  m.cluster_id = t.cluster_id;
  m.member_id = t.member_id;
  m.started = started;
  if (started) {
    m.last_term = 3;
    m.last_index = 100;
    m.hard_term = 3;
    m.commit = 99;
  }
  return m;
}

WalSeen wal(Wal state, std::uint64_t member = 0xa, LogEnd end = {3, 100}) {
  WalSeen w;
  w.state = state;
  if (state == Wal::kNone) return w;
  w.member_id.value = member;
  w.cluster_id.value = 0xc;
  w.end = end;
  w.hard_term = end.term;
  w.commit = end.index - 1;
  return w;
}

Seen seen(base::Fact<Marker> marker, WalSeen w) {
  const bool files = w.state != Wal::kNone;
  return {std::move(marker), std::move(w), files};
}

const auto kAbsent = base::Fact<Marker>::absent();

TEST(Decide, ABlankVolumeStartsNewOnlyAsAFounder) {
  const auto d = decide(ticket(Permit::kBootstrap), seen(kAbsent, wal(Wal::kNone)));
  EXPECT_EQ(d.start, Start::kBlankNew);
  EXPECT_TRUE(d.marker.started);
  EXPECT_EQ(d.marker.volume_id, "vol");
  EXPECT_EQ(decide(ticket(Permit::kJoin), seen(kAbsent, wal(Wal::kNone))).start,
            Start::kBlankExisting);
  EXPECT_EQ(decide(ticket(Permit::kData), seen(kAbsent, wal(Wal::kNone))).klass, Class::kNoVolume);
}

TEST(Decide, DataWithoutAMarkerIsMovedAsideUnlessItIsThisMembers) {
  const auto other = decide(ticket(Permit::kJoin), seen(kAbsent, wal(Wal::kSound, 0xb)));
  EXPECT_EQ(other.start, Start::kBlankExisting);
  EXPECT_TRUE(other.move_aside);
  for (const Permit p : {Permit::kBootstrap, Permit::kJoin, Permit::kData, Permit::kRestore})
    EXPECT_EQ(decide(ticket(p), seen(kAbsent, wal(Wal::kSound))).klass, Class::kNoVolume);
}

TEST(Decide, AVolumeThatBeganUnderTheSameTicketIsNotTheOneThatItRanOn) {
  Ticket t = ticket(Permit::kData);
  t.origin = "second";
  Marker m = own_marker(true);
  m.origin = "first";
  EXPECT_EQ(decide(t, seen(m, wal(Wal::kSound))).klass, Class::kForeign);
  m.origin = "second";
  EXPECT_EQ(decide(t, seen(m, wal(Wal::kSound))).start, Start::kOwn);
  // One of the two was written before there were origins.
  m.origin.clear();
  EXPECT_EQ(decide(t, seen(m, wal(Wal::kSound))).start, Start::kOwn);
  m.origin = "first";
  t.origin.clear();
  EXPECT_EQ(decide(t, seen(m, wal(Wal::kSound))).start, Start::kOwn);
}

TEST(Decide, LessThanWasNotedIsALoss) {
  const auto look = [](LogEnd end, std::uint64_t hard_term, std::uint64_t commit) {
    Seen s = seen(own_marker(true), wal(Wal::kSound, 0xa, end));
    s.wal.hard_term = hard_term;
    s.wal.commit = commit;
    return decide(ticket(Permit::kData), s);
  };
  EXPECT_EQ(look({3, 100}, 3, 99).start, Start::kOwn);
  EXPECT_EQ(look({3, 99}, 3, 99).klass, Class::kDataLost);
  EXPECT_EQ(look({2, 500}, 3, 99).klass, Class::kDataLost);
  EXPECT_EQ(look({3, 100}, 2, 99).klass, Class::kDataLost);
  EXPECT_EQ(look({3, 100}, 3, 98).klass, Class::kDataLost);
  // A new leader may have cut an unacknowledged tail: shorter, but of a higher term.
  EXPECT_EQ(look({4, 99}, 4, 99).start, Start::kOwn);
}

TEST(Decide, LessThanWasAuditedIsALoss) {
  Ticket t = ticket(Permit::kData);
  t.audited_index = 101;
  EXPECT_EQ(decide(t, seen(own_marker(true), wal(Wal::kSound))).klass, Class::kDataLost);
  EXPECT_EQ(decide(t, seen(own_marker(true), wal(Wal::kSound, 0xa, {3, 101}))).start, Start::kOwn);
}

TEST(Decide, AMarkerOfAnotherVolumeIsForeignWhateverThePermit) {
  const auto change = [](auto edit) {
    Marker m = own_marker(true);
    edit(m);
    for (const Permit p : {Permit::kBootstrap, Permit::kJoin, Permit::kData, Permit::kRestore})
      EXPECT_EQ(decide(ticket(p), seen(m, wal(Wal::kSound))).klass, Class::kForeign);
  };
  change([](Marker& m) { m.cluster_ns = "other"; });
  change([](Marker& m) { m.cluster_name = "other"; });
  change([](Marker& m) { m.member_name = "other"; });
  change([](Marker& m) { m.volume_id = "other"; });
  change([](Marker& m) { m.peer_address = "127.0.0.2:2380"; });
}

TEST(Decide, AnOlderIncarnationIsMovedAsideButNeverRunAsData) {
  Marker m = own_marker(true);
  m.incarnation = "inc-1";
  m.condemned = Class::kRemoved;
  const Seen s = seen(m, wal(Wal::kSound));
  EXPECT_EQ(decide(ticket(Permit::kData), s).klass, Class::kForeign);
  const auto d = decide(ticket(Permit::kBootstrap), s);
  EXPECT_EQ(d.start, Start::kBlankNew);
  EXPECT_TRUE(d.move_aside);
  EXPECT_EQ(d.marker.incarnation, "inc-2");
  EXPECT_EQ(d.marker.last_index, 0U);
  EXPECT_EQ(d.marker.condemned, Class::kNone);
}

TEST(Decide, IdsAreComparedOnlyWhereKnown) {
  Ticket t = ticket(Permit::kData);
  t.member_id = {};
  t.cluster_id = {};
  EXPECT_EQ(decide(t, seen(own_marker(true), wal(Wal::kSound))).start, Start::kOwn);
  Marker m = own_marker(true);
  m.member_id = {};
  m.cluster_id = {};
  EXPECT_EQ(decide(t, seen(m, wal(Wal::kSound, 0xb))).start, Start::kOwn);
  EXPECT_EQ(decide(ticket(Permit::kData), seen(m, wal(Wal::kSound, 0xb))).klass, Class::kForeign);
}

TEST(Decide, ARestoreRunsOncePerOperation) {
  Marker m = own_marker(true);
  m.restored = "earlier";
  const auto d = decide(ticket(Permit::kRestore), seen(m, wal(Wal::kSound)));
  EXPECT_EQ(d.start, Start::kRestore);
  EXPECT_TRUE(d.move_aside);
  EXPECT_EQ(d.marker.restored, "op");
  EXPECT_EQ(d.marker.last_index, 0U);
  m.restored = "op";
  EXPECT_EQ(decide(ticket(Permit::kRestore), seen(m, wal(Wal::kSound))).start, Start::kOwn);
  EXPECT_EQ(decide(ticket(Permit::kRestore), seen(m, wal(Wal::kNone))).klass, Class::kDataLost);
}

TEST(Decide, ARestoreThatWasBegunGoesOnFromWhereItEnded) {
  const auto t = ticket(Permit::kRestore);
  Marker m = own_marker(false);
  m.restoring = "op";
  const auto built = decide(t, seen(m, wal(Wal::kSound)));
  EXPECT_EQ(built.start, Start::kOwn) << built.why;
  EXPECT_EQ(built.marker.restored, "op");
  EXPECT_EQ(built.marker.restoring, "");
  EXPECT_TRUE(built.marker.started);
  EXPECT_EQ(decide(t, seen(m, wal(Wal::kNone))).start, Start::kRestore);
  const auto other = decide(t, seen(m, wal(Wal::kSound, 0xb)));
  EXPECT_EQ(other.start, Start::kRestore);
  EXPECT_TRUE(other.move_aside);
  m.restoring = "another";
  EXPECT_EQ(decide(t, seen(m, wal(Wal::kSound))).start, Start::kRestore);
  // Once it counts as data, what is not there is lost.
  EXPECT_EQ(decide(ticket(Permit::kData), seen(m, wal(Wal::kNone))).klass, Class::kDataLost);
}

TEST(Decide, FlagsThatWouldLeadPastTheChecksAreRefused) {
  for (const char* arg : {"--data-dir=/x", "-data-dir", "--force-new-cluster", "--wal-dir=/x",
                          "--initial-cluster-state=new", "--config-file=/x", "--name=x"}) {
    Ticket t = ticket(Permit::kBootstrap);
    t.args = {arg};
    EXPECT_EQ(decide(t, seen(kAbsent, wal(Wal::kNone))).klass, Class::kConfig) << arg;
  }
  Ticket t = ticket(Permit::kBootstrap);
  t.args = {"--initial-advertise-peer-urls=http://x", "--listen-peer-urls", "http://x"};
  EXPECT_EQ(decide(t, seen(kAbsent, wal(Wal::kNone))).start, Start::kBlankNew);
}

// Every combination of permit, marker and log: what must hold whatever else is added.
TEST(Decide, NoCombinationBringsAnIdBackWithLess) {
  std::vector<std::pair<std::string, base::Fact<Marker>>> markers{
      {"absent", kAbsent}, {"torn", base::Fact<Marker>::unknown("torn")}};
  for (const bool started : {false, true})
    for (const char* incarnation : {"inc-1", "inc-2"})
      for (const char* restored : {"", "op", "begun"})
        for (const std::uint64_t member : {0x0U, 0xaU, 0xbU})
          for (const Class condemned : {Class::kNone, Class::kDataLost, Class::kRemoved}) {
            Marker m = own_marker(started);
            m.incarnation = incarnation;
            (std::string_view(restored) == "begun" ? m.restoring : m.restored) =
                std::string_view(restored) == "begun" ? "op" : restored;
            m.member_id.value = member;
            m.condemned = condemned;
            markers.emplace_back(started ? "started" : "fresh", m);
          }
  int cases = 0;
  for (const Permit p : {Permit::kBootstrap, Permit::kJoin, Permit::kData, Permit::kRestore})
    for (const auto& [name, marker] : markers)
      for (const Wal state :
           {Wal::kNone, Wal::kSound, Wal::kTorn, Wal::kCorrupt, Wal::kIncomplete, Wal::kUnreadable})
        for (const std::uint64_t member : {0xaU, 0xbU})
          for (const LogEnd end : {LogEnd{2, 900}, LogEnd{3, 99}, LogEnd{3, 100}, LogEnd{4, 101}}) {
            ++cases;
            const Ticket t = ticket(p);
            const Seen s = seen(marker, wal(state, member, end));
            const Decision d = decide(t, s);
            const bool starts = d.start != Start::kNone;
            const Marker* m = marker.get();
            const bool same =
                m != nullptr && m->incarnation == "inc-2" && m->member_id.value != 0xb;
            ASSERT_NE(starts, d.klass != Class::kNone);
            if (!starts) {
              EXPECT_FALSE(d.move_aside);
              continue;
            }
            EXPECT_FALSE(marker.is_unknown());
            EXPECT_TRUE(d.marker.started);
            EXPECT_EQ(d.marker.volume_id, "vol");
            EXPECT_FALSE(same && m->condemned != Class::kNone);
            if (d.start == Start::kOwn) {
              EXPECT_FALSE(d.move_aside);
              EXPECT_TRUE(same);
              EXPECT_TRUE(state == Wal::kSound || state == Wal::kTorn);
              EXPECT_EQ(member, 0xaU);
              EXPECT_FALSE(m->started && end < (LogEnd{3, 100}));
              EXPECT_EQ(d.marker.member_id.value, 0xaU);
              continue;
            }
            EXPECT_NE(p, Permit::kData);
            EXPECT_NE(state, Wal::kUnreadable);
            EXPECT_EQ(d.move_aside, s.leftovers);
            EXPECT_EQ(d.start == Start::kBlankNew, p == Permit::kBootstrap);
            EXPECT_EQ(d.start == Start::kRestore, p == Permit::kRestore);
            if (p == Permit::kRestore)
              EXPECT_FALSE(same && m->restored == "op");
            else
              EXPECT_FALSE(same && m->started) << "blank again under the same id";
          }
  EXPECT_GT(cases, 10'000);
}

}  // namespace
}  // namespace guard
