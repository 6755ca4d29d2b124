// What starts a member's guard so that it outlives the operator. Everything else about a guard,
// its lock, its state file and how it is asked to stop, is the same whoever started it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "posix/process.h"

namespace host {

enum class Supervisor {
  kProcess,  // a detached process with a session of its own
  kSystemd   // a transient unit: of the system's manager for root, else of the user's
};

struct GuardLaunch {
  posix::Launch launch;
  std::string log_file;  // where its own words go, beside etcd's log
  std::string cluster_ns, member, member_dir;
  base::Duration deadline{};
};

// Thread-safe.
class Spawner {
 public:
  virtual ~Spawner() = default;
  // The guard's process; no value: it has ended already.
  virtual base::Result<std::optional<posix::ProcessId>> start(const GuardLaunch& what,
                                                              const std::stop_token& stop) = 0;
};

using RunProgram = std::function<base::Result<posix::RunResult>(
    const posix::Launch&, const posix::RunLimits&, const std::stop_token&)>;

struct Systemd {
  std::string systemd_run, systemctl;  // absolute paths
  bool user = false;                   // the user's manager
};

std::unique_ptr<Spawner> make_process_spawner();
// FailedPrecondition: that manager does not answer.
base::Result<std::unique_ptr<Spawner>> make_systemd_spawner(const Systemd& systemd, RunProgram run);
// By the programs on PATH and who we are.
base::Result<std::unique_ptr<Spawner>> make_spawner(Supervisor supervisor);

// "etcd-NAMESPACE-MEMBER-xxxxxxxx.service": the digits are of the member's directory, because two
// state directories may hold clusters of one name.
std::string unit_name(const GuardLaunch& what);
// The command line of systemd-run.
std::vector<std::string> systemd_run_argv(const Systemd& systemd, const GuardLaunch& what);

}  // namespace host
