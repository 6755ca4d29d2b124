// Clusters as objects of a Kubernetes API server: what all of them share, and the driver of one.
//
//   API server ──watch──► Stores ──┐                       ┌─► objects (server-side apply)
//              ◄─get────  Secrets ─┴► observe   apply ─────┤
//   etcd, by pod IP ───────────────┘                       └─► etcd, by pod IP
//
// Of a cluster "c": the record is ConfigMap c-record; a member is StatefulSet c-3 with its pod
// c-3-0 and claim data-c-3; its ticket is an annotation of the set's template; the guard's verdict
// is the termination message of its container. Facts come from watched objects; what an act relies
// on is read again from the server first. Objects that lack our owner are never touched.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/log.h"
#include "base/time.h"
#include "drivers/kube/requests.h"
#include "drivers/live/endpoints.h"
#include "engine/driver.h"
#include "json/value.h"
#include "kube/client.h"
#include "render/kubernetes.h"

namespace k8s {

struct PlatformOptions {
  render::KubernetesPlatform objects;
  std::string one_namespace;   // empty: every namespace
  bool sees_volumes = true;    // may read nodes and volumes; without, less can be proven
  std::string instance;        // of this process, for events: "etcd-operator-7d5f-x2x8c"
  base::Duration call{8'000};  // the longest that one request may take
};

// What the drivers need of the machine. Thread-safe.
class Machine {
 public:
  virtual ~Machine() = default;
  virtual void pause(base::Duration d, const std::stop_token& stop) = 0;
  // Makes all the calls, at the same time where that is possible.
  virtual void together(std::span<const std::function<void()>> calls) = 0;
  // The decided cluster version on a member's metrics page; no value: not told.
  virtual std::optional<api::Version> cluster_version(const std::string& metrics_url,
                                                      base::Duration deadline,
                                                      const std::stop_token& stop) = 0;
  // A small page that a pod of ours serves, by HTTP.
  virtual base::Result<std::string> page(const std::string& url, base::Duration deadline,
                                         const std::stop_token& stop) = 0;
};

// The product's: threads, and pages by HTTP.
std::unique_ptr<Machine> make_machine();

// Must outlive the platform and its drivers. The fence is the client's: without the lease nothing
// is written.
struct Parts {
  kube::Client& client;
  const base::Clock& clock;
  base::Random& random;
  base::Logger& log;
  Machine& machine;
  live::Connect connect;  // the product's is etcd::connect
};

class ClusterDriver : public engine::Driver {
 public:
  // What follows from the record and needs no plan: roles of pods, the disruption budget, the
  // Services, volumes that may grow. Writes only what differs; to be called after a pass. Drift
  // that it reverts is told by an event. FailedPrecondition names an object that is not ours.
  virtual base::Status tend(const engine::Job& job, const std::stop_token& stop) = 0;
  // An event of the cluster that was last observed; best effort. `reason` is CamelCase.
  virtual void tell(bool warning, std::string_view reason, const std::string& message) = 0;
};

// A cluster as its object declares it.
struct Declared {
  api::Group group = api::Group::kOperatorEtcdIo;
  std::shared_ptr<const json::Value> object;
};

// Thread-safe.
class Platform {
 public:
  static std::unique_ptr<Platform> make(PlatformOptions options, const Parts& parts);
  virtual ~Platform() = default;

  // One at a time for a cluster; the platform must outlive it.
  [[nodiscard]] virtual std::unique_ptr<ClusterDriver> driver(const base::ClusterKey& key) = 0;
  // All that are there, of both groups.
  [[nodiscard]] virtual std::vector<Declared> declared() const = 0;
  // Members of this name belong to the object of that uid.
  [[nodiscard]] virtual bool is_held_by(const base::ClusterKey& key,
                                        const std::string& uid) const = 0;
  // Writes the status of an object that no driver looks after: by its group, key and uid.
  virtual base::Status tell(const api::Cluster& about, const api::ClusterStatus& status,
                            const std::stop_token& stop) = 0;
  // The other objects that people declare, and what is made for them.
  [[nodiscard]] virtual Requests& requests() = 0;
  // Every store of clusters has seen a whole list: before, nothing is known to be absent.
  [[nodiscard]] virtual bool ready() const = 0;
  // Until asked to stop: keeps the stores like the server's objects, a thread for each kind, and
  // calls `changed` from them for each cluster of which something changed. Level-based.
  virtual void watch(const std::function<void(const base::ClusterKey&)>& changed,
                     const std::stop_token& stop) = 0;
  // One turn of every watch, for one thread: where nobody runs watch().
  virtual void look(const std::stop_token& stop) = 0;
};

}  // namespace k8s
