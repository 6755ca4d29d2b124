// The text of the static pod: probes and confinement as in our objects on Kubernetes.
#include <fmt/format.h>

#include "adm/kubelet.h"
#include "api/version.h"
#include "api/yaml_text.h"
#include "posix/addresses.h"
#include "render/kubernetes_parts.h"
#include "render/probes.h"

namespace adm {
namespace {

using json::Array;
using json::Object;
using json::Value;

constexpr int kStopSeconds = 60, kGuardSeconds = 55;

Value volume(std::string_view name, const std::string& path, std::string_view type) {
  return Object{{"name", name}, {"hostPath", Object{{"path", path}, {"type", type}}}};
}

struct Pace {
  int period, timeout, failures;
};

class Pod {
 public:
  Pod(const Host& host, const Places& places, const api::Version& version)
      : host_(host), places_(places), livez_(render::has_livez(version)) {}

  [[nodiscard]] Value container() const {
    return Object{
        {"name", "etcd"},
        {"image", fmt::format("{}:v{}", host_.image_repository, host_.version)},
        {"imagePullPolicy", "IfNotPresent"},
        {"command", Array{guard_program(host_), "run", "--member-dir", places_.member(),
                          "--stop-grace", std::to_string(kGuardSeconds), "--termination-message",
                          "/dev/termination-log", "--echo", "yes"}},
        {"env", environment()},
        {"startupProbe", startup()},
        {"livenessProbe", liveness()},
        {"readinessProbe", http(livez_ ? "/readyz" : "/health?exclude=NOSPACE", {5, 5, 2})},
        {"resources", Object{{"requests", Object{{"cpu", "100m"}, {"memory", "100Mi"}}}}},
        {"securityContext", render::confined()},
        {"volumeMounts", Array{render::mount("guard", guard_program(host_), true),
                               render::mount("certificates", host_.certs_dir, true),
                               render::mount("state", places_.state_dir, false),
                               render::mount("data", host_.data_dir, false)}}};
  }

  [[nodiscard]] Array volumes() const {
    return Array{volume("guard", guard_program(host_), "File"),
                 volume("certificates", host_.certs_dir, "Directory"),
                 volume("state", places_.state_dir, "Directory"),
                 volume("data", host_.data_dir, "Directory")};
  }

 private:
  // For people: `crictl exec ID etcdctl endpoint status`.
  [[nodiscard]] Array environment() const {
    const auto file = [&](const char* name) { return host_.certs_dir + "/" + name; };
    Array out;
    for (const auto& [name, value] : {std::pair("ETCDCTL_ENDPOINTS", host_.client_url()),
                                      std::pair("ETCDCTL_CACERT", file("ca.crt")),
                                      std::pair("ETCDCTL_CERT", file("etcdctl-etcd-client.crt")),
                                      std::pair("ETCDCTL_KEY", file("etcdctl-etcd-client.key"))})
      out.emplace_back(Object{{"name", name}, {"value", value}});
    return out;
  }

  [[nodiscard]] Value probe(const char* how, Object what, Pace pace) const {
    // The pod has the host's network, where metrics are told to nobody else.
    const bool own = posix::is_loopback(host_.bind_address);
    what["host"] = own ? host_.bind_address : std::string("127.0.0.1");
    what["port"] = host_.metrics_port;
    Object out;
    out[how] = std::move(what);
    out["periodSeconds"] = pace.period;
    out["timeoutSeconds"] = pace.timeout;
    out["failureThreshold"] = pace.failures;
    return out;
  }
  [[nodiscard]] Value http(const char* path, Pace pace) const {
    return probe("httpGet", {{"path", path}}, pace);
  }
  [[nodiscard]] Value tcp(Pace pace) const { return probe("tcpSocket", {}, pace); }

  // How large the database is, nobody knows here: two hours.
  [[nodiscard]] Value startup() const {
    const Pace pace{2, 3, 3600};
    return livez_ ? http("/livez", pace) : tcp(pace);
  }
  // Fails only for a process that hangs: not for one that is slow, full or without a leader, nor
  // for one that defragments.
  [[nodiscard]] Value liveness() const {
    const Pace pace{10, 10, 6};
    return livez_ ? http("/livez?exclude=serializable_read", pace) : tcp(pace);
  }

  const Host& host_;
  const Places& places_;
  const bool livez_;
};

}  // namespace

base::Result<std::string> static_pod_text(const Host& host, const Places& places,
                                          const std::string& start) {
  TRY(const auto version, api::parse_version(host.version));
  const Pod pod(host, places, version);
  const Value out =
      Object{{"apiVersion", "v1"},
             {"kind", "Pod"},
             {"metadata", Object{{"name", "etcd"},
                                 {"namespace", "kube-system"},
                                 {"labels", Object{{"app.kubernetes.io/name", "etcd"},
                                                   {"app.kubernetes.io/managed-by", "etcdadm"}}},
                                 {"annotations", Object{{kStartAnnotation, start}}}}},
             {"spec", Object{{"hostNetwork", true},
                             {"priorityClassName", "system-cluster-critical"},
                             {"enableServiceLinks", false},
                             {"automountServiceAccountToken", false},
                             {"terminationGracePeriodSeconds", kStopSeconds},
                             {"securityContext",
                              // The files are root's, as everything that etcdadm makes.
                              Object{{"runAsUser", 0},
                                     {"runAsGroup", 0},
                                     {"seccompProfile", Object{{"type", "RuntimeDefault"}}}}},
                             {"containers", Array{pod.container()}},
                             {"volumes", pod.volumes()}}}};
  return api::to_yaml(out);
}

}  // namespace adm
