// Jobs that work with a store of backups, of one cluster: Jobs of Kubernetes, one for each kind and
// epoch. Their pods alone see the Secrets that they take; we never read those.
#pragma once

#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "api/names.h"
#include "drivers/kube/job_looks.h"
#include "drivers/kube/objects.h"
#include "drivers/kube/shared.h"
#include "drivers/kube/store_place.h"
#include "engine/driver.h"
#include "plan/action.h"
#include "plan/observation.h"
#include "render/store_jobs.h"

namespace k8s {

// For one thread at a time.
class StoreJobs {
 public:
  // Both must outlive it.
  StoreJobs(Shared& shared, Objects& objects)
      : shared_(shared), objects_(objects), names_{objects.key().name}, looks_(shared, objects) {}

  // Of the calls that follow.
  struct Scope {
    const engine::Job& job;
    const std::stop_token& stop;
    [[nodiscard]] const api::Cluster& cluster() const { return job.intent.cluster; }
  };

  // One that cannot begin is given up here, and told in Kubernetes' words.
  void see(const Scope& scope, plan::Observation& seen);
  // Done if that very job is there.
  base::Status act(const plan::StartBackup& a, const Scope& scope);  // ends a drill that runs
  base::Status act(const plan::StartDrill& a, const Scope& scope);
  base::Status act(const plan::FetchBackup& a, const Scope& scope);
  base::Status act(const plan::StartFollower& a, const Scope& scope);  // then ends older ones
  base::Status act(const plan::EndFollower& a, const Scope& scope);
  // What the first member's pod does before its guard begins.
  [[nodiscard]] base::Result<render::FetchedBackup> fetched_backup(const engine::Job& of) const;
  // Removes those that nobody needs any more.
  base::Status tidy(const Scope& scope);

 private:
  struct Kind {
    std::string name;
    std::optional<plan::JobReport> (*read)(const std::string& job, const std::string& report);
    int started = 0;  // as the record has it; 0: none
  };

  [[nodiscard]] std::vector<kube::Object> all(const std::string& kind,
                                              const api::Cluster& cluster) const;
  base::Result<kube::Object> newest(const std::string& kind, int started, const Scope& scope);
  base::Fact<plan::StoreJob> look_at(const Kind& of, const Scope& scope);
  [[nodiscard]] base::Result<StorePlace> source_of(const engine::Job& job) const;
  base::Status start(const render::StoreJob& job, const StorePlace& place, const Scope& scope);
  base::Status end_drill(const Scope& scope);
  base::Status drop(const std::string& kind, size_t keep, int before, const Scope& scope);
  static int epoch_of(const json::Value& job);  // 0: it has none
  static bool is_of(const json::Value& job, const std::string& kind, const std::string& owner);
  // It is a client of the cluster.
  static void reach_members(const Scope& scope, archive::RunJob& to, render::StoreJob& pod);
  // follower.cc
  struct Follower {
    render::StoreJob job;
    StorePlace place;
  };
  [[nodiscard]] base::Result<Follower> follower(int epoch, const Scope& scope) const;
  base::Fact<plan::Follower> look_at_follower(const Scope& scope);
  plan::Follower ask_follower(const json::Value& job, const JobSight& sight, const Scope& scope);
  base::Status end_followers(int before, const Scope& scope);
  base::Status tidy_followers(const Scope& scope);  // one is enough

  Shared& shared_;
  Objects& objects_;
  const api::ObjectNames names_;
  JobLooks looks_;
  std::map<std::string, plan::StoreJob> decided_;  // the newest that have ended, by uid
  std::map<std::string, plan::Follower> ended_;    // the newest of those, by uid
};

}  // namespace k8s
