#include "plan/status.h"

namespace plan {

void describe(const Intent& intent, const Observation& seen, const std::vector<Answer>& answers,
              base::Instant now, Plan& plan) {
  const View view = look(intent, plan.record, seen, now);
  api::ClusterStatus& out = plan.status;
  out.observed_generation = intent.cluster.generation;
  out.desired_size = intent.cluster.spec.size;
  out.current_size = static_cast<int>(view.voters);
  out.ready_size = static_cast<int>(view.healthy_voters);
  out.cluster_id = plan.record.cluster_id;
  if (!answers.empty())
    api::set_condition(out,
                       {api::ConditionType::kProgressing,
                        api::Truth::kTrue,
                        std::string(name_of(answers.front().reason)),
                        answers.front().message,
                        {}},
                       now);
}

}  // namespace plan
