// How often members are asked for hashes; what is done about alarms: tests/scenarios/alarms.txt.
#include <gtest/gtest.h>

#include "plan/concern.h"

namespace plan {
namespace {

using namespace std::chrono_literals;

// A cluster of two that disagree, and of which no hash was had yet.
struct Disagreeing {
  Intent intent;
  Record record;
  Observation seen;
  base::Instant now{base::Duration(1'000'000'000)};

  Disagreeing() {
    record.formation = Formation::kLatched;
    record.cluster_id = base::ClusterId{1};
    Membership list{record.cluster_id, {}};
    for (const unsigned i : {0U, 1U}) {
      MemberRecord m;
      m.name = i == 0 ? "c-0" : "c-1";
      m.id = base::MemberId{0xa0U + i};
      m.phase = Phase::kVoter;
      m.may_start = true;
      record.members[m.name] = m;
      list.members.push_back({m.id, m.name, "https://" + m.name, true, false});
    }
    seen.membership = list;
    seen.alarms = std::vector<Alarm>{{base::MemberId{}, AlarmKind::kCorrupt}};
  }
  // The wait that the present look ends in.
  base::Duration wait() {
    const View view = look(intent, record, seen, now);
    Context context{intent, seen, view, now, record, {}};
    const Answer answer = alarms(context);
    EXPECT_EQ(answer.kind, Answer::Kind::kWait);
    EXPECT_TRUE(answer.want_hashes);
    record = context.record;
    return answer.look_again;
  }
};

TEST(Alarms, HashesThatDoNotComeAreAskedForEverLessOften) {
  Disagreeing cluster;
  EXPECT_EQ(cluster.wait(), 250ms);
  cluster.now += 8s;
  EXPECT_EQ(cluster.wait(), 2s);
  cluster.now += 20min;
  EXPECT_EQ(cluster.wait(), 10s);
}

TEST(Alarms, AlsoBesideAnotherOperation) {
  Disagreeing cluster;
  Operation join;
  join.id = "op1";
  join.kind = OperationKind::kScaleUp;
  join.started_at = cluster.now - 20min;
  join.deadline = cluster.now + 20min;
  cluster.record.operation = join;
  EXPECT_EQ(cluster.wait(), 10s);
  EXPECT_EQ(cluster.record.operation->kind, OperationKind::kScaleUp);
}

}  // namespace
}  // namespace plan
