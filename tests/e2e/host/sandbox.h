// A folder of manifests, a state directory and an operator process, all of this test's own. The
// destructor ends every process that came out of it, by pid.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "etcd/api.h"
#include "json/value.h"

namespace e2e {

struct Ran {
  int exit_code = -1;
  std::string out, err;
};

struct Access {
  std::vector<std::string> endpoints;
  etcd::Tls tls;
};

struct MemberStatus {
  std::string name, role, version;
  std::string id;  // hex
  bool healthy = false;
};

struct SandboxOptions {
  std::string bin = EO_BIN_DIR;  // where the programs are
  int ports = 200;               // how many it may use
};

class Sandbox {
 public:
  explicit Sandbox(const SandboxOptions& options = {});
  ~Sandbox();
  Sandbox(const Sandbox&) = delete;
  Sandbox& operator=(const Sandbox&) = delete;

  // Of every process that is started from now on.
  void set_environment(const std::string& name, const std::string& value);
  void start_operator(const std::vector<std::string>& more = {});
  void kill_operator();  // SIGKILL
  int stop_operator();   // SIGTERM; the exit code
  [[nodiscard]] bool operator_runs();
  [[nodiscard]] pid_t operator_pid() const { return operator_; }
  // Waits until the operator ended by itself; its exit code (137 for a fault point).
  std::optional<int> wait_operator(std::chrono::seconds limit);

  void write(const std::string& file, const std::string& text) const;  // atomically
  void remove(const std::string& file) const;
  [[nodiscard]] std::filesystem::path manifests() const { return root_ / "manifests"; }
  [[nodiscard]] std::filesystem::path state() const { return root_ / "state"; }
  [[nodiscard]] std::filesystem::path root() const { return root_; }

  // Runs etcd-operator with these arguments (and --state); its deadline is `limit`.
  [[nodiscard]] Ran cli(std::vector<std::string> args,
                        std::chrono::seconds limit = std::chrono::seconds(30)) const;
  [[nodiscard]] json::Value status(const std::string& cluster) const;  // null: none
  [[nodiscard]] std::optional<Access> access(const std::string& cluster) const;

  // Of status.
  [[nodiscard]] std::vector<MemberStatus> members(const std::string& cluster) const;
  [[nodiscard]] std::string condition(const std::string& cluster, const std::string& type) const;
  [[nodiscard]] std::string reason(const std::string& cluster, const std::string& type) const;
  [[nodiscard]] std::string message(const std::string& cluster, const std::string& type) const;
  // `size` healthy voters, no operation in flight, Available.
  [[nodiscard]] bool settled(const std::string& cluster, size_t size,
                             const std::string& version = "") const;

  // Every cluster, at the cost of one look: is it settled with `size` voters?
  [[nodiscard]] std::map<std::string, bool> all_settled(size_t size) const;

  // On disk.
  [[nodiscard]] std::filesystem::path member_dir(const std::string& cluster,
                                                 const std::string& member) const;
  [[nodiscard]] std::filesystem::path data_dir(const std::string& cluster,
                                               const std::string& member) const;
  // Pids by the guard's state file; 0 when it does not run.
  [[nodiscard]] pid_t etcd_pid(const std::string& cluster, const std::string& member) const;
  [[nodiscard]] pid_t guard_pid(const std::string& cluster, const std::string& member) const;
  // Of what writes the continuous log; 0: nothing does.
  [[nodiscard]] pid_t follower_pid(const std::string& cluster) const;
  void kill_etcd(const std::string& cluster, const std::string& member) const;   // SIGKILL
  void kill_guard(const std::string& cluster, const std::string& member) const;  // and etcd with it
  void kill_everything();  // a "reboot": operator, guards, etcds, followers
  [[nodiscard]] std::vector<std::string> all_members() const;  // "cluster/member" with a directory
  [[nodiscard]] std::string operator_log() const;

 private:
  [[nodiscard]] pid_t spawn(const std::vector<std::string>& args, const std::filesystem::path& out,
                            const std::filesystem::path& err) const;

  const SandboxOptions options_;
  std::vector<int> port_locks_;
  const int first_port_;
  std::filesystem::path root_;
  std::map<std::string, std::string> environment_;
  pid_t operator_ = -1;
  int runs_ = 0;
};

// A manifest of operator.etcd.io; `more` are further lines of the spec, indented by two.
std::string manifest(const std::string& name, int size, const std::string& version,
                     const std::string& more = "");

// The etcd versions that this battery runs on: two in CI, all where EO_DEPTH=full.
std::vector<std::string> versions();
// True where EO_DEPTH=full: more rounds, longer runs.
bool full_depth();

}  // namespace e2e
