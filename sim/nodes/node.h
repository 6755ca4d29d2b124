// A Kubernetes of one node made of fakes: the API server and its controllers, a provisioner of
// volumes, and a kubelet whose containers are guards and etcd processes of a simulated world.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "archive/follow_job.h"
#include "guard/files.h"
#include "json/value.h"
#include "kube/client.h"
#include "sim/world/driver.h"
#include "sim/world/kube_controllers.h"
#include "sim/world/kube_server.h"
#include "sim/world/world.h"

namespace sim {

// A place of backups, as the pods of jobs find it.
struct NodeStore {
  struct Backup {
    std::string name;
    std::int64_t revision = 0;
    base::Instant time{};
    File<Snapshot> snapshot;
  };
  std::map<std::string, std::vector<Backup>> backups;  // by URL and cluster; the newest last
  // What the log behind the backup of that name reaches.
  std::map<std::string, std::vector<Backup>> logged;
  std::string refuses;  // why; empty: it answers
  std::string damaged;  // the name of one that is
  int proofs = 0;
  int looked = 0;  // how often a job was there
};

// Pods that write continuous logs.
struct NodeFollowers {
  struct One {
    std::int64_t epoch = 0;
    std::string file;  // what it was told
  };
  std::map<std::string, One> running;  // by the address of its pod
  int begun = 0;
  archive::FollowStatus says;  // each of them, of now
  bool silent = false;         // nobody hears them
  std::string ends;            // the report with which the next that is looked at ends
};

class KubeNode {
 public:
  // Told what must not be: something that the fakes do not know, or what no node would do.
  using Wrong = std::function<void(const std::string& what)>;
  KubeNode(const Settings& settings, Wrong wrong);

  // Everything that is due now is done.
  void turn();
  // The same, unless nothing has changed since: not for who sets the levers below.
  void turn_if_due();
  void let_pass(base::Duration d);

  json::Value must(const kube::Request& request);
  [[nodiscard]] std::vector<json::Value> all(const kube::Resource& resource) const;
  // What a follower says at this address.
  base::Result<std::string> page(const std::string& url);
  // The member whose pod has this address; empty: none.
  [[nodiscard]] std::string member_at(const std::string& ip) const;

  World world;
  WorldClock clock{world};
  KubeServer server{clock};
  KubeControllers controllers{server};
  kube::Limiter limiter{clock, {.per_second = 1e6, .burst = 1e6}};
  kube::Client client{{.transport = server, .limiter = limiter, .clock = clock}};
  // Pods on it keep what they were last said to be; nothing starts or ends.
  bool kubelet_is_silent = false;
  // What ends in a container begins again, sooner or later.
  bool restarts_containers = false;
  bool pods_are_refused = false;  // sets cannot make any
  NodeStore store;
  NodeFollowers followers;
  bool no_volumes = false;  // claims wait for them
  bool jobs_hang = false;   // their programs run and do not end
  std::string jobs_crash;   // what they log last before they are killed; empty: they are not

 private:
  // Gives whether it is so. What is not is told to the test, and most callers have no more to do:
  // so the answer may be dropped.
  bool expect(bool so, std::string_view what) const;  // NOLINT(modernize-use-nodiscard)
  void let_go(const json::Value& claim);
  bool provision();
  bool run_pods();
  bool run_pod(const json::Value& pod);
  [[nodiscard]] bool is_node_up(const std::string& member) const;
  // What the kubelet sees of its containers.
  [[nodiscard]] std::string containers() const;
  bool is_restart_due(const std::string& uid);
  // kube_node_jobs.cc
  bool run_job_pod(const json::Value& pod);
  bool run_follower(const json::Value& pod);
  bool lacks_secret(const json::Value& pod);
  std::string work(const std::string& kind, const std::string& file);
  std::string drill(const std::string& file);
  bool fetch_backup(const json::Value& pod, const guard::Ticket& ticket);
  bool export_survivor(const json::Value& pod, const guard::Ticket& ticket);
  bool say(const kube::Name& pod, json::Value status);

  const Wrong wrong_;
  struct Run {
    std::string uid;
    kube::Name pod;
  };
  std::map<std::string, Run> pod_of_;  // whose guard runs, by member
  struct Restart {
    base::Instant next{};
    base::Duration wait{0};
  };
  std::map<std::string, Restart> restarts_;         // by uid of the pod
  std::map<std::string, std::string> address_of_;   // by member
  std::map<std::string, std::string> follower_at_;  // addresses by pod's uid
  int volumes_ = 0;
  std::uint64_t rested_at_ = 0;  // changes of the server, when the last turn ended
  std::string rested_with_;      // containers()
};

}  // namespace sim
