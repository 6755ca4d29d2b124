// The member as a static pod: a file in the folder that this host's kubelet watches.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "adm/host.h"
#include "adm/service.h"
#include "base/result.h"

namespace adm {

constexpr const char* kKubelet = "kubelet";  // --init-system
// As the retired tool named it. The kubelet takes every file whose name begins with no dot.
constexpr const char* kManifest = "etcd.manifest";

// Of the pod: what tells one start from another.
constexpr const char* kStartAnnotation = "etcdadm/start";

inline bool is_kubelet(const Host& host) {
  return host.init_system == kKubelet;
}
// Every folder has in the pod the path that it has here, so that one ticket serves both.
// InvalidArgument: the host's version is none. `start` is of this start alone: the kubelet
// takes a file that comes back with the same text for the pod that it is still ending.
base::Result<std::string> static_pod_text(const Host& host, const Places& places,
                                          const std::string& start);
// FailedPrecondition: there is no such folder, or a manifest of somebody else has our name.
base::Status check_manifests(const Host& host);

// start() has only asked for the pod when it is done: the kubelet may have to pull the image first.
// Who is stopped stays so over a reboot.
// `settle`: how long nothing must have run where the pod had ended by itself when it was stopped:
// the kubelet may start it once more before it looks at its folder, which it does every 20 s at
// least.
std::unique_ptr<Service> kubelet_service(const Host& host, const Places& places,
                                         base::Duration settle = std::chrono::seconds(25));

// What is said of a member that does not come up.
constexpr const char* kKubeletHint = "`journalctl -u kubelet` and `crictl ps -a` tell why";

}  // namespace adm
