#include "plan/plan.h"

#include <algorithm>
#include <array>
#include <utility>

#include "plan/clock.h"
#include "plan/concern.h"
#include "plan/recovery.h"
#include "plan/status.h"
#include "plan/view.h"

namespace plan {
namespace {

using Concern = Answer (*)(Context&);

// The order of a pass. Earlier concerns win; a waiting one yields as Answer says.
// clang-format off
constexpr std::array<Concern, 24> kOrder{
    check_record,
    settle_backup,
    settle_drill,
    settle_follower,
    delete_cluster,
    stop_or_pause,
    withdraw_question,
    bootstrap,
    continue_recovery,
    start_members,
    quorum_lost,
    alarms,
    settle_membership,
    repair_member,
    promote_learner,
    rotate_authorities,
    renew_certificates,
    restore_in_place,
    scale,
    roll_out,
    maintain,
    follow_history,
    back_up,
    prove_backup,
};
// clang-format on

bool disrupts(const std::vector<Step>& steps) {
  return std::ranges::any_of(steps, [](const Step& s) { return is_disruptive(s.action); });
}

Plan think(const Intent& intent, const Record& record, const Observation& observation,
           base::Instant now) {
  Plan out;
  out.record = remember(record, intent, observation, now);
  std::vector<Answer> answers;  // what acts, waits or is told: first cause first
  bool held = false;            // an earlier concern waits
  for (const Concern concern : kOrder) {
    const View view = look(intent, out.record, observation, now);
    Context context{intent, observation, view, now, out.record, {}};
    Answer answer = concern(context);
    if (answer.kind == Answer::Kind::kNothing) continue;
    const bool acts = answer.kind == Answer::Kind::kAct;
    if (acts && held && disrupts(answer.steps) && !answer.overtakes) continue;
    out.record = std::move(context.record);
    std::ranges::move(context.events, std::back_inserter(out.events));
    if (answer.kind == Answer::Kind::kNoted && answer.message.empty()) {
      if (answer.sooner) out.requeue_after = std::min(out.requeue_after, answer.look_again);
      continue;
    }
    out.requeue_after = std::min(out.requeue_after, answer.look_again);
    out.want_hashes |= answer.want_hashes;
    held |= answer.kind == Answer::Kind::kWait;
    if (acts) out.steps = answer.steps;
    answers.push_back(std::move(answer));
    if (acts || answers.back().kind == Answer::Kind::kStop) break;
  }
  describe(intent, observation, answers, now, out);
  return out;
}

}  // namespace

Plan plan(const Intent& intent, const Record& record, const Observation& observation,
          base::Instant now) {
  const auto mended = without_the_future(observation, now);
  return think(intent, record, mended ? *mended : observation, now);
}

}  // namespace plan
