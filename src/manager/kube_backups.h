// EtcdBackup objects of a Kubernetes: a Job for each backup that is due, and its words in the
// object's status. All that is remembered is there, and on the Jobs.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>

#include "api/request_status.h"
#include "base/log.h"
#include "drivers/kube/platform.h"
#include "manager/backup_request.h"
#include "manager/kube_clusters.h"
#include "metrics/registry.h"

namespace manager {

// For one thread. All references must outlive it.
class KubeBackups {
 public:
  struct Parts {
    k8s::Platform& platform;
    const KubeClusters& clusters;
    const base::Clock& clock;
    base::Logger& log;
    metrics::Registry& registry;
    // The number of the term in which we lead; none: somebody else does.
    std::function<std::optional<std::int64_t>()> term;
  };
  explicit KubeBackups(Parts parts) : parts_(std::move(parts)) {}

  // Looks at all of them and does what is due. To be called now and then.
  void turn(const std::stop_token& stop);

 private:
  struct Cell {
    std::string version;                     // of the object that was read
    std::optional<api::BackupRequest> wish;  // none: it is not valid
    std::string problem;
    k8s::RequestId id;
    base::Instant created{};
    bool deleted = false, held = false;  // held: CoreOS's operator has a finalizer on it
    base::Instant deleted_at{};
    api::BackupRequestStatus status;  // as we know it
    std::string told;                 // as it was written last
    std::optional<base::Instant> at;  // nothing is to be done before; none: never
    int failures = 0;                 // answers in a row that we could not work with
    // What the last event said of it, or the status that was there before us.
    std::optional<bool> noted;
    std::string noted_reason;
    std::optional<int> noted_try;
    bool measured = false;
  };
  // Whom to ask. All empty: the endpoints.
  struct Target {
    std::shared_ptr<const engine::Report> cluster;
    std::string waits;    // why not yet
    std::string refused;  // why not at all
  };
  static void read(const k8s::DeclaredRequest& from, Cell& into);
  void work(Cell& cell, const std::stop_token& stop);
  void try_later(Cell& cell) const;
  void let_go(Cell& cell, const std::stop_token& stop);
  [[nodiscard]] Target target_of(const api::BackupRequest& wish) const;
  void start(Cell& cell, const BackupStep& step, const std::stop_token& stop);
  void tell(Cell& cell, const std::stop_token& stop);
  void note(Cell& cell, std::optional<int> ended, const std::stop_token& stop);
  void measure(Cell& cell);
  void forget(Cell& cell);

  const Parts parts_;
  std::int64_t term_ = 0;
  std::map<std::string, Cell> cells_;  // by uid
};

}  // namespace manager
