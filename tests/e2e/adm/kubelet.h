// A stand-in for the kubelet: it runs what one manifest of a folder says, as long as the file is
// there. The pod sees nothing of this machine but what the manifest mounts, in namespaces of its
// own for mounts and processes; its network is the machine's.
#pragma once

#include <string>
#include <thread>

#include "posix/process.h"

namespace e2e {

class Kubelet {
 public:
  struct Folders {
    std::string manifests;
    std::string image;  // stands for the image: etcd and etcdutl, which the pod has in its own path
    std::string work;   // for this object alone
  };
  explicit Kubelet(Folders folders);
  Kubelet(const Kubelet&) = delete;
  Kubelet& operator=(const Kubelet&) = delete;
  ~Kubelet();  // a machine that is switched off: what runs is killed

 private:
  void run(const std::stop_token& stop);
  bool start(const std::string& manifest);  // false: it is no pod that could run, or it ended
  [[nodiscard]] posix::ProcessId inside() const;
  void end(int signal);

  const Folders folders_;
  posix::ProcessId pod_;  // the process that keeps the namespaces; pid 0: none
  std::jthread thread_;   // the last: it uses the others
};

}  // namespace e2e
