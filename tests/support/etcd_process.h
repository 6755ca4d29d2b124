// Real etcd processes for tests: each in its own process group, killed when its object ends or the
// test program dies.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "etcd/api.h"
#include "pki/issue.h"
#include "posix/net.h"

namespace support {

// Of the product's own cache; NotFound says how to get it.
base::Result<std::string> etcd_binary(const std::string& version,
                                      const std::string& program = "etcd");

// A directory that is removed at the end.
class ScratchDir {
 public:
  ScratchDir();
  ScratchDir(const ScratchDir&) = delete;
  ScratchDir& operator=(const ScratchDir&) = delete;
  ~ScratchDir();
  [[nodiscard]] const std::string& root() const { return root_; }

 private:
  std::string root_;
};

// Ports that this program has not been given before and that are free now; throws when there are
// too few.
std::vector<posix::Port> free_ports(size_t count);

// A CA and leaves for 127.0.0.1 and localhost, also as files.
class TestPki {
 public:
  explicit TestPki(const std::string& dir);
  [[nodiscard]] etcd::Tls client() const;                       // accepted by every server below
  [[nodiscard]] std::vector<std::string> server_flags() const;  // client and peer side, mutual
  [[nodiscard]] const pki::Pair& ca() const { return ca_; }

 private:
  std::string dir_;
  pki::Pair ca_, client_;
};

class EtcdProcess {
 public:
  struct Options {
    std::string version, name, dir;  // the data is in dir/data, the log in dir/log
    posix::Port client_port = 0, peer_port = 0;
    std::string initial_cluster;  // empty: this member alone
    std::string token = "test", state = "new";
    std::vector<std::string> flags = {};  // further ones
    const TestPki* pki = nullptr;         // null: plain text
  };
  explicit EtcdProcess(Options options);
  EtcdProcess(const EtcdProcess&) = delete;
  EtcdProcess& operator=(const EtcdProcess&) = delete;
  ~EtcdProcess() { kill(); }

  base::Status start();
  // A linearizable read succeeds.
  base::Status wait_ready(base::Duration deadline);
  void signal(int number) const;  // SIGSTOP, SIGCONT, SIGTERM…
  void kill();                    // SIGKILL, and waits for the end; harmless after the end
  base::Result<int> wait_exit(base::Duration deadline);  // the status as waitpid gives it
  [[nodiscard]] std::int64_t pid() const { return pid_; }

  [[nodiscard]] const Options& options() const { return options_; }
  [[nodiscard]] std::string client_url() const;
  [[nodiscard]] std::string peer_url() const;
  [[nodiscard]] std::unique_ptr<etcd::EtcdApi> connect() const;
  [[nodiscard]] std::string log() const;  // the last 64 KiB

 private:
  Options options_;
  std::int64_t pid_ = 0;  // 0: not running
};

// Members that were bootstrapped together and all answer. On failure `error` says why.
struct TestCluster {
  TestCluster(const std::string& version, size_t size, bool tls,
              const std::vector<std::string>& flags = {});
  // One more process, named after its number, not started.
  EtcdProcess& add_process(const std::string& initial_cluster, const std::string& state);
  [[nodiscard]] std::string initial_cluster() const;  // of all processes so far

  ScratchDir dir;
  std::unique_ptr<TestPki> pki;
  std::vector<std::unique_ptr<EtcdProcess>> members;
  std::string error;
  std::string version;
  std::vector<std::string> flags;
};

}  // namespace support
