// What became of Jobs that work with stores of backups. One that cannot begin is given up, in
// Kubernetes' words.
#pragma once

#include <map>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/fact.h"
#include "drivers/kube/job_sight.h"
#include "drivers/kube/objects.h"
#include "drivers/kube/shared.h"

namespace k8s {

// For one thread at a time.
class JobLooks {
 public:
  // Both must outlive it.
  JobLooks(Shared& shared, Objects& objects) : shared_(shared), objects_(objects) {}

  // One that has not begun, and of which the server says for a while why it cannot, never begins
  // after this, so that another can be tried.
  base::Fact<JobSight> look_at(const json::Value& job, const std::stop_token& stop);
  // Its newest pod; null: it has none. `ask`: the server itself, as what is watched may be behind.
  base::Result<kube::Object> pod_of(const json::Value& job, bool ask, const std::stop_token& stop);

 private:
  std::string warning_about(std::string_view kind, const std::string& object,
                            const std::stop_token& stop);
  std::string why_give_up(const json::Value& job, const json::Value* pod, const JobSight& sight,
                          const std::stop_token& stop);
  base::Status give_up(const json::Value& job, const std::string& why, const std::stop_token& stop);

  Shared& shared_;
  Objects& objects_;
  struct Wait {
    base::Tick since, ask_at;
  };
  std::map<std::string, Wait> waits_;  // of jobs that have not begun, by name
};

}  // namespace k8s
