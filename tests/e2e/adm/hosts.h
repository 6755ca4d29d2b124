// Hosts by hand for tests: each is an address of the loopback interface with folders of its own,
// which the environment tells to etcdadm. Real etcd, real programs.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "etcd/api.h"
#include "json/value.h"
#include "looks.h"
#include "posix/net.h"
#include "posix/process.h"
#include "posix/test_dir.h"
#include "support/slot.h"

namespace e2e {

class Hosts : public ::testing::Test {
 protected:
  void SetUp() override;
  // Kills what the test left running, by the pids in the guards' own files.
  void TearDown() override;

  posix::RunResult on(int n, std::vector<std::string> args,
                      base::Duration deadline = std::chrono::seconds(120));
  void must(int n, const std::vector<std::string>& args);
  // Of a command with -o json; the exit code may be any.
  std::optional<json::Value> ask(int n, std::vector<std::string> args);

  [[nodiscard]] std::string dir(int n) const { return dir_.path("h" + std::to_string(n)); }
  [[nodiscard]] std::string data(int n) const { return dir(n) + "/data"; }
  [[nodiscard]] std::string address(int n) const;
  [[nodiscard]] std::string client(int n) const;
  [[nodiscard]] std::string peer(int n) const;

  // init on the first and join on the others.
  void build(int hosts, const std::string& version);
  void copy_authority(int to);
  std::shared_ptr<etcd::EtcdApi> etcd(int n);
  // As put_to and get_from.
  bool put(int n, const std::string& key, const std::string& value);
  std::string get(int n, const std::string& key);
  // `status` ends with 0: every member is seen to be well. False: not within a minute.
  bool well(int n);
  // doctor finds no problem but of the machine. False: some within a minute, each time.
  bool sound(int n);
  std::map<std::string, std::string> versions(int from);  // by name, as status says
  int leader(int from);                                   // the number of its host; 0: none
  // As power that fails, or a process that hangs: by the pids in the guard's own file.
  void kill_member(int n);
  void signal_etcd(int n, int signal);
  void lose_disk(int n);  // also what etcdadm keeps of the host

  posix::TestDir dir_;
  std::vector<posix::Port> ports_;
  int net_ = 1;  // the addresses are of this program alone
  std::map<int, std::map<std::string, std::string>> extra_;  // by host: more of the environment

 private:
  const std::optional<support::Slot> slot_ = support::Slot::take("eo-adm-hosts", 250);
  [[nodiscard]] std::map<std::string, std::string> flags_of(int n) const;
  std::vector<posix::ProcessId> processes(int n, const std::string& key);
  std::map<int, std::shared_ptr<etcd::EtcdApi>> open_;
};

// Before each step and after the last; at full depth before and after each.
std::vector<std::string> points_of(const std::vector<std::string>& steps);

// The number of the leader's host, as that member says; 0: it names none.
int leader_of(etcd::EtcdApi& member);

// Puts one key after the other, each again until a member acknowledges it: a client that retries.
class Writer {
 public:
  explicit Writer(std::vector<std::shared_ptr<etcd::EtcdApi>> members);
  // Ends it; the number of writes that were never acknowledged.
  int stop();
  [[nodiscard]] int acknowledged() const { return next_; }
  // Of those, how many the member does not have.
  int lost(etcd::EtcdApi& member) const;

 private:
  void run(const std::stop_token& stop);

  std::vector<std::shared_ptr<etcd::EtcdApi>> members_;
  std::atomic<int> next_ = 0, failed_ = 0;
  std::jthread thread_;
};

}  // namespace e2e
