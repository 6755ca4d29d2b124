#include "plan/quorum.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "plan/view.h"

namespace plan {
namespace {

// A cluster of `voters`, of which `healthy` answer, and one learner that answers.
struct Cluster {
  Record record;
  Observation seen;

  Cluster(std::size_t voters, std::size_t healthy) {
    Membership list;
    list.cluster_id = record.cluster_id = base::ClusterId{0xc1};
    for (std::size_t i = 0; i <= voters; ++i) {
      const base::MemberId id{0xa0 + i};
      list.members.push_back(
          {id, fmt::format("c-{}", i), fmt::format("https://h{}:2380", i), true, i == voters});
      if (i >= healthy && i != voters) continue;
      EtcdStatus status;
      status.cluster_id = list.cluster_id;
      status.leader = base::MemberId{0xa0};
      status.raft_term = 2;
      seen.statuses[id] = status;
    }
    seen.membership = list;
  }
};

std::string row(std::size_t voters, std::size_t healthy) {
  const Cluster c(voters, healthy);
  const View view = look(Intent{}, c.record, c.seen, base::Instant{});
  const auto word = [](bool may) { return may ? "yes" : "-"; };
  const Seat* well = healthy > 0 ? view.by_id(base::MemberId{0xa0}) : nullptr;
  const Seat* ill = healthy < voters ? view.by_id(base::MemberId{0xa0 + voters - 1}) : nullptr;
  const Seat& learner = *view.by_id(base::MemberId{0xa0 + voters});
  const auto ask = [&](const Seat* seat, bool (View::*may)(const Seat&) const) {
    return seat == nullptr ? "none" : word((view.*may)(*seat));
  };
  return fmt::format("{:6} {:7} {:6} {:9} {:>9} {:>8} {:>11} {:>10} {:>4} {:>7}\n", voters, healthy,
                     quorum_of(voters), tolerated(voters), ask(well, &View::may_stop),
                     ask(ill, &View::may_stop), ask(well, &View::may_remove),
                     ask(ill, &View::may_remove), word(view.may_add()),
                     word(view.may_promote(learner)));
}

// What may be done to one member, with so many voters of which so many are healthy.
TEST(Quorum, Table) {
  std::string out =
      "voters healthy quorum tolerated stop well stop ill remove well remove ill  add promote\n";
  for (std::size_t voters = 1; voters <= 5; ++voters) {
    for (std::size_t healthy = voters + 1; healthy-- > 0;) out += row(voters, healthy);
  }
  EXPECT_EQ(
      R"(voters healthy quorum tolerated stop well stop ill remove well remove ill  add promote
     1       1      1         0         -     none           -       none  yes     yes
     1       0      1         0      none        -        none          -    -       -
     2       2      2         0         -     none         yes       none  yes     yes
     2       1      2         0         -        -           -          -    -       -
     2       0      2         0      none        -        none          -    -       -
     3       3      2         1       yes     none         yes       none  yes     yes
     3       2      2         1         -      yes           -        yes    -     yes
     3       1      2         1         -        -           -          -    -       -
     3       0      2         1      none        -        none          -    -       -
     4       4      3         1       yes     none         yes       none  yes     yes
     4       3      3         1         -      yes         yes        yes  yes     yes
     4       2      3         1         -        -           -          -    -       -
     4       1      3         1         -        -           -          -    -       -
     4       0      3         1      none        -        none          -    -       -
     5       5      3         2       yes     none         yes       none  yes     yes
     5       4      3         2       yes      yes         yes        yes  yes     yes
     5       3      3         2         -      yes           -        yes    -     yes
     5       2      3         2         -        -           -          -    -       -
     5       1      3         2         -        -           -          -    -       -
     5       0      3         2      none        -        none          -    -       -
)",
      out);
}

TEST(Quorum, HoldsForEverySize) {
  for (std::size_t n = 1; n <= 9; ++n) {
    EXPECT_GT(2 * quorum_of(n), n);        // two quorums always meet
    EXPECT_LE(2 * (quorum_of(n) - 1), n);  // and no smaller number would do
    EXPECT_EQ(n, quorum_of(n) + tolerated(n));
  }
}

// Without a linearizable read nothing is known to be safe.
TEST(Quorum, NothingIsSafeWithoutAList) {
  Cluster c(3, 3);
  c.record.members["c-0"].name = "c-0";
  c.record.members["c-0"].id = base::MemberId{0xa0};
  c.seen.membership = base::Fact<Membership>::unknown("request timed out");
  const View view = look(Intent{}, c.record, c.seen, base::Instant{});
  const Seat& seat = *view.by_name("c-0");
  EXPECT_FALSE(view.may_stop(seat));
  EXPECT_FALSE(view.may_remove(seat));
  EXPECT_FALSE(view.may_promote(seat));
  EXPECT_FALSE(view.may_add());
}

// An answer of another cluster, or of one that follows another leader, is not health.
TEST(Quorum, CountsOnlyWhoFollowsTheLeaderOfThisCluster) {
  Cluster c(3, 3);
  EtcdStatus other = *c.seen.statuses[base::MemberId{0xa1}];
  other.cluster_id = base::ClusterId{0xbad};
  c.seen.statuses[base::MemberId{0xa1}] = other;
  other = *c.seen.statuses[base::MemberId{0xa2}];
  other.leader = base::MemberId{0xa2};
  other.raft_term = 1;
  c.seen.statuses[base::MemberId{0xa2}] = other;
  const View view = look(Intent{}, c.record, c.seen, base::Instant{});
  EXPECT_EQ(3U, view.voters);
  EXPECT_EQ(1U, view.healthy_voters);
}

}  // namespace
}  // namespace plan
