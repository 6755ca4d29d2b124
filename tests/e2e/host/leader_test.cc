#include <fmt/format.h>

#include <algorithm>

#include "e2e/host/fixture.h"
#include "e2e/host/gap_meter.h"

namespace e2e {
namespace {

class LeaderTest : public ClusterTest {
 protected:
  // Every change of the template restarts all members, the leader last, after its office was moved.
  void roll(int change) {
    more_ = fmt::format("  etcdOptions:\n    - --max-txn-ops={}\n", 200 + change);
    const std::string leader = with_role("leader");
    const pid_t before = sandbox_.etcd_pid("c", leader);
    declare(3);
    ASSERT_TRUE(eventually(120s,
                           [&] {
                             const pid_t now = sandbox_.etcd_pid("c", leader);
                             return now != 0 && now != before && settled(3);
                           }))
        << "change " << change << ": " << say();
  }
};

// Figures, not limits: the machine may be busy with other batteries.
TEST_F(LeaderTest, PlannedMovesStallAClientWithShortDeadlinesBriefly) {
  create(3, "3.5.33");
  ASSERT_FALSE(HasFatalFailure());
  // A machine that is busy with other batteries may acknowledge nothing in the shorter one.
  const auto deadline = full_depth() ? kShortDeadline : 250ms;
  GapMeter meter(sandbox_, "c", deadline);
  const std::size_t count = writer_->count();
  ASSERT_TRUE(eventually(180s, [&] { return writer_->count() > count + 600; }));
  meter.quiet_ends();
  const int planned = full_depth() ? 12 : 4;
  for (int i = 0; i < planned; ++i) ASSERT_NO_FATAL_FAILURE(roll(i));
  const auto moves = meter.changes();
  const auto stalls = meter.stop();
  EXPECT_GE(moves, static_cast<std::size_t>(planned));
  const std::string figures =
      stalls.moves.empty()
          ? "no figure: no client wrote around a move"
          : fmt::format(
                "{} planned leader moves, 3 clients with deadlines of {} ms: stall {:.0f} ms "
                "median, {:.0f} ms worst ({:.0f} ms median without a move)",
                moves, deadline.count(), median(stalls.moves), std::ranges::max(stalls.moves),
                median(stalls.quiet));
  fmt::print("{}\n", figures);
  RecordProperty("depth", figures);
  const Written written = finish();
  EXPECT_TRUE(written.failed.empty()) << written.failed.size() << " writes failed";
}

}  // namespace
}  // namespace e2e
