#include "kube/access.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/yaml.h"
#include "base/base64.h"
#include "base/text.h"
#include "json/value.h"

namespace kube {
namespace {

using base::Code;

constexpr std::string_view kPodFolder = "/var/run/secrets/kubernetes.io/serviceaccount/";

// An entry of one of the three lists, and the file it came from.
struct Entry {
  json::Value value;
  std::string file;
};

struct Files {
  std::vector<json::Value> roots;
  std::vector<std::string> paths;
};

std::string text_of(const json::Value& value, std::string_view path) {
  return json::get_string(value, path).value_or("");
}

base::Result<Files> parse(std::span<const ConfigFile> files) {
  Files out;
  for (const auto& file : files) {
    TRY_IN(file.path, auto documents, api::read_yaml(file.text));
    if (documents.empty()) continue;  // an empty file is no fault
    if (documents.size() > 1 || !documents[0].value)
      return base::fail(Code::kInvalidArgument,
                        fmt::format("{}: {}", file.path,
                                    documents.size() > 1 ? "more than one document"
                                                         : documents[0].value.error().message));
    const auto kind = text_of(*documents[0].value, "kind");
    if (!kind.empty() && kind != "Config")
      return base::fail(Code::kInvalidArgument,
                        fmt::format("{}: kind is {}, not Config", file.path, kind));
    out.roots.push_back(std::move(*documents[0].value));
    out.paths.push_back(file.path);
  }
  return out;
}

// The first entry of this name in the lists of all files; `part` is what it holds.
base::Result<Entry> entry(const Files& files, std::string_view list, std::string_view part,
                          const std::string& name) {
  for (size_t i = 0; i < files.roots.size(); ++i) {
    const auto* items = files.roots[i].find(list);
    if (items == nullptr || !items->is_array()) continue;
    for (const auto& item : *items->if_array()) {
      if (text_of(item, "name") != name) continue;
      const auto* inner = item.find(part);
      return Entry{inner == nullptr ? json::Value() : *inner, files.paths[i]};
    }
  }
  return base::fail(Code::kInvalidArgument, fmt::format("kubeconfig: {} has no \"{}\" ({})", list,
                                                        name, base::join(files.paths, ", ")));
}

std::string beside(const std::string& file, const std::string& name) {
  if (name.starts_with('/')) return name;
  const auto slash = file.rfind('/');
  return slash == std::string::npos ? name : file.substr(0, slash + 1) + name;
}

// "<field>-data" in base64, which wins, or the file that "<field>" names; empty if neither is
// there.
base::Result<std::string> material(const Entry& from, const std::string& field,
                                   const ReadFile& read) {
  if (const auto data = text_of(from.value, field + "-data"); !data.empty()) {
    auto bytes = base::decode_base64(data);
    if (bytes) return *std::move(bytes);
    return base::fail(Code::kInvalidArgument,
                      fmt::format("{}: {}-data is not base64", from.file, field));
  }
  const auto name = text_of(from.value, field);
  if (name.empty()) return std::string();
  TRY_IN(fmt::format("{}: {}", from.file, field), auto bytes, read(beside(from.file, name)));
  return bytes;
}

base::Result<ExecPlugin> exec_of(const json::Value& value, const std::string& file) {
  ExecPlugin plugin;
  plugin.api_version = text_of(value, "apiVersion");
  plugin.command = text_of(value, "command");
  plugin.install_hint = text_of(value, "installHint");
  if (const auto* wants = value.find("provideClusterInfo"))
    plugin.wants_cluster = wants->as_bool().value_or(false);
  const auto bad = [&](std::string_view what) {
    return base::fail(Code::kInvalidArgument, fmt::format("{}: exec: {}", file, what));
  };
  if (plugin.command.empty()) return bad("command is missing");
  if (plugin.api_version != "client.authentication.k8s.io/v1" &&
      plugin.api_version != "client.authentication.k8s.io/v1beta1")
    return bad("apiVersion is none of client.authentication.k8s.io/v1 and v1beta1");
  // Nobody is at hand to be asked.
  if (text_of(value, "interactiveMode") == "Always") return bad("interactiveMode is Always");
  // Like kubectl: a path with a slash counts from the file, a bare name is looked for.
  if (plugin.command.find('/') != std::string::npos) plugin.command = beside(file, plugin.command);
  if (const auto* args = value.find("args"); args != nullptr && args->is_array())
    for (const auto& arg : *args->if_array()) {
      if (!arg.is_string()) return bad("args holds something that is no string");
      plugin.args.push_back(*arg.if_string());
    }
  if (const auto* env = value.find("env"); env != nullptr && env->is_array())
    for (const auto& item : *env->if_array())
      plugin.env.emplace_back(text_of(item, "name"), text_of(item, "value"));
  return plugin;
}

base::Status add_cluster(Access& access, const Entry& cluster, const ReadFile& read) {
  access.server = text_of(cluster.value, "server");
  if (access.server.empty())
    return base::fail(Code::kInvalidArgument, cluster.file + ": the cluster has no server");
  access.server_name = text_of(cluster.value, "tls-server-name");
  access.proxy = text_of(cluster.value, "proxy-url");
  if (const auto* insecure = cluster.value.find("insecure-skip-tls-verify"))
    access.verify = !insecure->as_bool().value_or(false);
  TRY(access.ca, material(cluster, "certificate-authority", read));
  return {};
}

base::Status add_user(Access& access, const Entry& user, const ReadFile& read) {
  TRY(access.identity.cert, material(user, "client-certificate", read));
  TRY(access.identity.key, material(user, "client-key", read));
  if (access.identity.cert.empty() != access.identity.key.empty())
    return base::fail(Code::kInvalidArgument,
                      user.file + ": of client-certificate and client-key only one is there");
  access.token = text_of(user.value, "token");
  if (const auto file = text_of(user.value, "tokenFile"); !file.empty())
    access.token_file = beside(user.file, file);
  access.user = text_of(user.value, "username");
  access.password = text_of(user.value, "password");
  for (const auto* no : {"auth-provider", "as"})
    if (user.value.find(no) != nullptr)
      return base::fail(Code::kUnimplemented,
                        fmt::format("{}: {} is not supported; use exec", user.file, no));
  if (const auto* exec = user.value.find("exec"); exec != nullptr && !exec->is_null()) {
    TRY(access.exec, exec_of(*exec, user.file));
  }
  return {};
}

base::Result<Access> of_pod(const Environment& environment, const ReadFile& read) {
  Access access{.source = "the service account of this pod"};
  const bool v6 = environment.service_host.find(':') != std::string::npos;
  access.server = fmt::format("https://{}:{}",
                              v6 ? "[" + environment.service_host + "]" : environment.service_host,
                              environment.service_port.empty() ? "443" : environment.service_port);
  const std::string folder(kPodFolder);
  TRY_IN("CA of the service account", access.ca, read(folder + "ca.crt"));
  access.token_file = folder + "token";
  if (const auto ns = read(folder + "namespace"); ns && !base::trim(*ns).empty())
    access.ns = base::trim(*ns);
  return access;
}

}  // namespace

base::Result<Access> read_config(std::span<const ConfigFile> texts, const std::string& context,
                                 const ReadFile& read) {
  TRY(const auto files, parse(texts));
  std::string name = context;
  for (const auto& root : files.roots)
    if (name.empty()) name = text_of(root, "current-context");
  if (name.empty())
    return base::fail(Code::kInvalidArgument,
                      fmt::format("kubeconfig: no context is chosen, and there is no "
                                  "current-context ({})",
                                  base::join(files.paths, ", ")));
  TRY(const auto chosen, entry(files, "contexts", "context", name));
  TRY(const auto cluster, entry(files, "clusters", "cluster", text_of(chosen.value, "cluster")));
  Access access{.source = fmt::format("context {} of {}", name, chosen.file)};
  if (const auto ns = text_of(chosen.value, "namespace"); !ns.empty()) access.ns = ns;
  TRY_OK(add_cluster(access, cluster, read));
  if (const auto user = text_of(chosen.value, "user"); !user.empty()) {
    TRY(const auto found, entry(files, "users", "user", user));
    TRY_OK(add_user(access, found, read));
  }
  return access;
}

base::Result<Access> find_access(const AccessOptions& options, const Environment& environment,
                                 const ReadFile& read) {
  std::vector<ConfigFile> files;
  if (!options.kubeconfig.empty()) {
    TRY(auto text, read(options.kubeconfig));
    files.push_back({options.kubeconfig, std::move(text)});
    return read_config(files, options.context, read);
  }
  const auto add = [&](const std::string& path) -> base::Status {
    auto text = read(path);
    if (text)
      files.push_back({path, *std::move(text)});
    else if (text.error().code != Code::kNotFound)
      return std::unexpected(text.error());
    return {};
  };
  for (const auto path : base::split(environment.kubeconfig, ':'))
    if (!path.empty()) TRY_OK(add(std::string(path)));
  if (files.empty() && !environment.service_host.empty() && options.context.empty())
    return of_pod(environment, read);
  if (files.empty() && environment.kubeconfig.empty() && !environment.home.empty())
    TRY_OK(add(environment.home + "/.kube/config"));
  if (files.empty())
    return base::fail(Code::kNotFound,
                      "no kubeconfig: neither an option, nor $KUBECONFIG, nor a pod's service "
                      "account, nor ~/.kube/config");
  return read_config(files, options.context, read);
}

}  // namespace kube
