// Where the API server is and as whom we come: from kubeconfig files, or from within a cluster.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "http/session.h"

namespace kube {

// A program that gives credentials, by client.authentication.k8s.io/v1 (or v1beta1).
struct ExecPlugin {
  std::string api_version = {}, command = {};
  std::vector<std::string> args = {};
  std::vector<std::pair<std::string, std::string>> env = {};  // beside our own
  bool wants_cluster = false;                                 // provideClusterInfo
  std::string install_hint = {};
};

// Holds secrets: never to be logged.
struct Access {
  std::string source = {};  // for people: "context kind-dev of /root/.kube/config"
  std::string server = {};  // URL
  std::string ca = {};      // PEM; empty: the system's roots
  std::string server_name = {}, proxy = {};
  bool verify = true;
  std::string ns = "default";  // of the context or of our own pod
  // How we prove who we are: any of these, the token before the plugin.
  http::Identity identity = {};
  std::string token = {}, token_file = {};
  std::string user = {}, password = {};
  std::optional<ExecPlugin> exec = {};
};

struct ConfigFile {
  std::string path;  // relative names in the file count from its folder
  std::string text;
};
using ReadFile = std::function<base::Result<std::string>(const std::string& path)>;

// Several files count as one: what stands in an earlier one wins. `context` empty: the current one.
// Errors name the field, never its content.
base::Result<Access> read_config(std::span<const ConfigFile> files, const std::string& context,
                                 const ReadFile& read);

struct Environment {  // what the process was started with; empty: not set
  std::string kubeconfig = {}, home = {};
  std::string service_host = {}, service_port = {};
};
struct AccessOptions {
  std::string kubeconfig = {};  // a file; empty: as the environment says
  std::string context = {};
};
// The option, then $KUBECONFIG (a list), then the pod that we are in, then ~/.kube/config.
// NotFound: there is none of them.
base::Result<Access> find_access(const AccessOptions& options, const Environment& environment,
                                 const ReadFile& read);

}  // namespace kube
