// Clusters as real etcd processes on this machine: what all of them share.
#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/log.h"
#include "base/result.h"
#include "base/time.h"
#include "drivers/host/spawner.h"
#include "drivers/host/user_certificates.h"
#include "engine/driver.h"
#include "posix/net.h"

namespace host {

struct PlatformOptions {
  std::string state_dir;  // absolute; made with mode 0700 if absent
  std::string guard;      // absolute path of etcd-guard
  std::string program;    // and of etcd-operator: it also runs the backups
  // Where a version of etcd is looked for beside PATH and the cache; may be empty.
  std::string etcd_dir;
  // Whether a missing version is fetched when a cluster wants it (binaries.h), and where from.
  bool fetch = true;
  Supervisor supervisor = Supervisor::kProcess;
  std::string release_url;  // empty: etcd's own releases
  posix::PortRange ports;   // of members; three each, chosen once
  unsigned store_jobs = 4;  // backups and drills at a time, of all clusters
  // The text of <cluster>/status.json; empty: none is written.
  std::function<std::string(const base::ClusterKey&, const api::ClusterStatus&)> status_text;
};

// How a client of the cluster reaches it. Empty paths: it speaks plain text.
struct Connection {
  std::vector<std::string> endpoints;  // client URLs of the voters
  std::string cacert, cert, key;       // file paths, mode 0600
};

// Files of one cluster under the state directory:
//   record          plan::Record (engine/record_codec.h)
//   record.damaged-N  what a rebuilt one took the place of
//   status.json     the newest published status
//   events.jsonl    bounded: one JSON object a line {time, reason, type, message}
//   intent.json     the manager's: the last good intent
//   members/<name>/ the guard's files, volume/, tls/, log/
struct ClusterFiles {
  std::string dir, record, status, events, intent, members, pki, recovery, retained;
};

// Thread-safe. Holds the lock of the state directory for life.
class Platform {
 public:
  // FailedPrecondition: another operator has the state directory.
  static base::Result<std::unique_ptr<Platform>> open(const PlatformOptions& options,
                                                      const base::Clock& clock,
                                                      base::Random& random, base::Logger& log);
  virtual ~Platform() = default;

  // Every cluster of which the state directory holds a folder.
  [[nodiscard]] virtual base::Result<std::vector<base::ClusterKey>> clusters() const = 0;
  [[nodiscard]] virtual ClusterFiles files(const base::ClusterKey& key) const = 0;
  // Where certificates of the user's own come from; thread-safe, and set before the first driver.
  virtual void use_secrets(SecretSource secrets) = 0;
  // One at a time for a cluster; the platform must outlive it.
  [[nodiscard]] virtual std::unique_ptr<engine::Driver> driver(const base::ClusterKey& key) = 0;
  // NotFound: not (yet) open to clients.
  [[nodiscard]] virtual base::Result<Connection> connection(const base::ClusterKey& key) const = 0;

  // What a step in hand that takes minutes is at, by its own deadline; empty: there is none.
  [[nodiscard]] virtual std::string long_work(const base::ClusterKey& key) const = 0;

  // It was deleted, and nobody drives it: its guards are no longer watched.
  virtual void forget(const base::ClusterKey& key) = 0;

  // Until asked to stop: calls `changed` when a guard of the cluster wrote a file or ended, or a
  // fetch of a binary came to an end. Level-based; the caller looks again.
  virtual void watch(const std::function<void(const base::ClusterKey&)>& changed,
                     const std::stop_token& stop) = 0;
};

}  // namespace host
