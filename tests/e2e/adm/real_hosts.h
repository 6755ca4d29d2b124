// Hosts by hand as people have them: each boots a systemd of its own, has a name, a network
// namespace and an address, and etcdadm with the defaults of all its flags. A bridge links them,
// and the test program is on it as their router. Only root can have them.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "etcd/api.h"
#include "looks.h"
#include "posix/process.h"
#include "posix/test_dir.h"

namespace e2e {

// Uses the calling thread only. What it made ends with it, and with the test program also where
// that is killed: links and mounts are in namespaces of this process alone, and a host dies with
// the thread that carries it.
class RealHosts {
 public:
  static constexpr int kHosts = 3;
  enum class Net { kV4, kV6 };

  // Boots all of them. Not empty: why this machine cannot have them.
  std::string start(Net net);
  ~RealHosts();

  // As root in a shell of host etcd-N, which must be up.
  posix::RunResult on(int n, const std::string& command);
  // A program on this machine, with $ON_HOST as the tutorial wants it.
  posix::RunResult here(std::vector<std::string> argv);

  // False: it did not happen within two minutes.
  bool boot(int n);       // and all its units have been started
  bool shut_down(int n);  // as a person does
  bool cut_power(int n);

  [[nodiscard]] std::string root(int n) const;  // its files, as this machine sees them
  [[nodiscard]] std::shared_ptr<etcd::EtcdApi> etcd(int n) const;

 private:
  [[nodiscard]] std::string address(int n) const;
  [[nodiscard]] std::string with_mask(int n) const;
  [[nodiscard]] std::string log(int n) const { return root(n) + ".log"; }
  bool sh(const std::string& command);
  bool make_network();
  bool make_host(int n);
  bool is_off(int n);

  Net net_ = Net::kV4;
  posix::TestDir dir_;
  std::string told_;  // by the last command of sh() that failed
  std::vector<std::string> mounts_;
  posix::ProcessId inits_[kHosts + 1];  // by host, as is the next
  std::jthread carriers_[kHosts + 1];
};

}  // namespace e2e
