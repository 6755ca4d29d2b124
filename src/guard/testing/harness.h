// Real etcd members under real guards, for the tests of this folder.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "guard/files.h"
#include "guard/paths.h"

namespace guard::testing {

// Polls until `done` is true; false after `seconds`.
bool eventually(const std::function<bool()>& done, double seconds = 30);

struct Outcome {
  int code = -1;
  std::string output;
};
// Runs a program to its end (killed after 30 s) and collects both its outputs.
Outcome run(const std::vector<std::string>& argv);
// The versions that the tests run on: GUARD_TEST_ETCD ("3.4.23,3.7.3") or 3.5.12 and 3.6.16.
std::vector<std::string> etcd_versions();
std::string test_suffix(const std::string& version);  // "v3_5_12"
// The product's cache of etcd binaries.
std::string etcd_tool(const std::string& version, const std::string& tool);
bool is_alive(pid_t pid);
int free_port();
std::string read(const std::string& path);
void write(const std::string& path, std::string_view bytes);

class ScratchDir {
 public:
  ScratchDir();
  ~ScratchDir();
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// One member: its directory, its ticket, and its guard while that runs.
class Node {
 public:
  Node(const std::string& root, const std::string& name, const std::string& version);
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  Ticket ticket;
  Paths paths;
  int client_port = 0, peer_port = 0;
  std::vector<std::string> guard_flags;

  [[nodiscard]] std::string client_url() const;
  [[nodiscard]] std::string peer_url() const;
  void write_ticket() const;
  void start();            // writes the ticket, then runs a guard
  int stop();              // SIGTERM; the guard's exit code
  int wait_end();          // the guard's exit code; -9 if it had to be killed
  void kill_guard();       // SIGKILL, and collects it
  void kill_etcd() const;  // SIGKILL
  void hang_up() const;    // SIGHUP
  [[nodiscard]] pid_t guard_pid() const { return guard_; }
  [[nodiscard]] pid_t etcd_pid() const;

  [[nodiscard]] State state() const;
  [[nodiscard]] Verdict verdict() const;
  [[nodiscard]] Marker marker() const;
  [[nodiscard]] std::string etcd_log() const;
  [[nodiscard]] bool healthy() const;  // a linearizable read is answered
  [[nodiscard]] bool wait_healthy(double seconds = 30) const;
  // Until the marker holds ids and a log position, as it does soon after a start.
  [[nodiscard]] bool wait_noted(std::uint64_t index = 1) const;
  [[nodiscard]] bool wait_verdict(Class klass, double seconds = 30) const;
  Outcome ctl(std::vector<std::string> args) const;
  // Through the gateway, for values that no command line can hold.
  bool put_large(const std::string& key, std::size_t bytes) const;
  bool put(const std::string& key, const std::string& value) const;
  [[nodiscard]] std::string get(const std::string& key) const;
  // Stops, then makes the ticket one for a member that has run.
  void stop_and_make_data();
  [[nodiscard]] std::string newest_segment() const;

 private:
  pid_t guard_ = 0;
};

// Founding members with one token.
class Cluster {
 public:
  Cluster(const std::string& version, int size);
  [[nodiscard]] bool start();  // all at once; true when all are healthy
  Node& at(std::size_t i) { return *nodes_.at(i); }
  [[nodiscard]] const std::string& root() const { return dir_.path(); }
  [[nodiscard]] std::string member_list() const;
  // MemberAdd, then a node with a join ticket that was not started yet.
  Node& add(const std::string& name, bool learner);
  [[nodiscard]] Node& leader();

 private:
  ScratchDir dir_;
  std::string version_;
  std::vector<std::unique_ptr<Node>> nodes_;
};

}  // namespace guard::testing
