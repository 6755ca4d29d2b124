#include "adm/host.h"

#include <fmt/format.h>

#include <array>

#include "adm/checks.h"
#include "adm/user.h"
#include "json/json.h"
#include "posix/addresses.h"
#include "posix/files.h"

namespace adm {
namespace {

constexpr size_t kLimit = size_t{1} << 20;
constexpr int kFormat = 1;
constexpr std::array<Stage, 4> kStages{Stage::kNone, Stage::kChosen, Stage::kStarted,
                                       Stage::kMember};
constexpr std::array<guard::Permit, 4> kPermits{guard::Permit::kBootstrap, guard::Permit::kJoin,
                                                guard::Permit::kData, guard::Permit::kRestore};

// The same of those that a file of an older version lacks.
template <class H, class Do>
void each_late_text(H& h, const Do& f) {
  f("restoredFrom", h.restored_from);
  f("restoredSha256", h.restored_sha256);
  f("manifestDir", h.manifest_dir);
  f("imageRepository", h.image_repository);
  f("user", h.user);
}

// Every text of a host with its key; `H` is const or not.
template <class H, class Do>
void each_text(H& h, const Do& f) {
  f("name", h.name);
  f("version", h.version);
  f("bindAddress", h.bind_address);
  f("initSystem", h.init_system);
  f("certsDir", h.certs_dir);
  f("installDir", h.install_dir);
  f("dataDir", h.data_dir);
  f("configDir", h.config_dir);
  f("unitDir", h.unit_dir);
  f("cacheDir", h.cache_dir);
  f("token", h.token);
  f("volume", h.volume);
  f("origin", h.origin);
  f("restoreOperation", h.restore_operation);
  f("restoreSnapshot", h.restore_snapshot);
}

template <class H, class Do>
void each_list(H& h, const Do& f) {
  f("extraSans", h.extra_sans);
  f("diskPriorities", h.disk_priorities);
  f("endpoints", h.endpoints);
  f("options", h.options);
}

template <class H, class Do>
void each_port(H& h, const Do& f) {
  f("clientPort", h.client_port);
  f("peerPort", h.peer_port);
  f("metricsPort", h.metrics_port);
}

base::Result<std::vector<std::string>> texts(const json::Value& value, const char* key) {
  std::vector<std::string> out;
  const json::Value* list = value.find(key);
  if (list == nullptr && std::string_view(key) == "options") return out;  // not always there
  if (list == nullptr || list->if_array() == nullptr)
    return base::fail(base::Code::kDataLoss, fmt::format("{} is no list", key));
  for (const auto& item : *list->if_array()) {
    TRY(auto text, item.as_string());
    out.push_back(std::move(text));
  }
  return out;
}

template <class T, size_t N>
base::Result<T> by_name(const std::array<T, N>& all, const json::Value& value, const char* key) {
  TRY(const auto text, json::get_string(value, key));
  for (const T one : all)
    if (name_of(one) == text) return one;
  return base::fail(base::Code::kDataLoss, fmt::format("{}: '{}' is not known", key, text));
}

base::Result<std::uint64_t> id_of(const json::Value& value, const char* key) {
  TRY(const auto text, json::get_string(value, key));
  const auto id = base::parse_hex(text);
  if (!id) return base::fail(base::Code::kDataLoss, fmt::format("{}: '{}' is no id", key, text));
  return *id;
}

base::Status read_joined(const json::Value& value, Host& out) {
  const json::Value* list = value.find("joined");
  if (list == nullptr || list->if_array() == nullptr) return {};
  for (const auto& item : *list->if_array()) {
    TRY(auto name, json::get_string(item, "name"));
    TRY(auto url, json::get_string(item, "peerURL"));
    out.joined.emplace_back(std::move(name), std::move(url));
  }
  return {};
}

}  // namespace

std::string_view name_of(Stage stage) {
  switch (stage) {
    case Stage::kNone:
      return "None";
    case Stage::kChosen:
      return "Chosen";
    case Stage::kStarted:
      return "Started";
    case Stage::kMember:
      return "Member";
  }
  return "?";
}

std::string Host::client_url() const {
  return url_of(bind_address, client_port);
}

std::string Host::peer_url() const {
  return url_of(bind_address, peer_port);
}

std::string Host::metrics_url() const {
  const std::string at = posix::is_loopback(bind_address) ? bind_address : "127.0.0.1";
  return "http" + url_of(at, metrics_port).substr(5);
}

void configure(Host& h, const Flags& f) {
  h.name = f.name;
  if (!f.version.empty()) h.version = f.version;
  if (h.version.empty()) h.version = kDefaultVersion;
  if (h.version.starts_with('v')) h.version.erase(0, 1);
  h.bind_address = f.bind_address;
  h.init_system = f.init_system;
  h.certs_dir = f.certs_dir;
  h.install_dir = f.install_dir;
  h.data_dir = f.data_dir;
  h.config_dir = f.config_dir;
  h.unit_dir = f.unit_dir;
  h.cache_dir = f.cache_dir;
  h.manifest_dir = f.manifest_dir;
  h.image_repository = f.image_repository;
  h.user = f.user == kRoot ? std::string() : f.user;
  h.extra_sans = f.extra_sans;
  h.disk_priorities = f.disk_priorities;
  h.client_port = f.client_port;
  h.peer_port = f.peer_port;
  h.metrics_port = f.metrics_port;
}

json::Value to_json(const Host& host) {
  json::Value out;
  out["format"] = kFormat;
  const auto put = [&](const char* key, const std::string& text) { out[key] = text; };
  each_late_text(host, put);
  each_text(host, put);
  each_list(host, [&](const char* key, const std::vector<std::string>& list) { out[key] = list; });
  each_port(host, [&](const char* key, unsigned port) { out[key] = port; });
  out["stage"] = name_of(host.stage);
  out["permit"] = guard::name_of(host.permit);
  out["clusterID"] = base::to_text(host.cluster_id);
  out["memberID"] = base::to_text(host.member_id);
  json::Array joined;
  for (const auto& [name, url] : host.joined)
    joined.emplace_back(json::Object{{"name", name}, {"peerURL", url}});
  out["joined"] = std::move(joined);
  return out;
}

base::Result<Host> host_from_json(const json::Value& value) {
  TRY(const auto format, json::get_int(value, "format"));
  if (format != kFormat)
    return base::fail(base::Code::kUnimplemented,
                      fmt::format("it is of format {}, this etcdadm knows {}", format, kFormat));
  Host out;
  base::Status status;
  each_text(out, [&](const char* key, std::string& to) {
    auto text = json::get_string(value, key);
    if (text)
      to = *std::move(text);
    else if (status)
      status = std::unexpected(text.error());
  });
  each_list(out, [&](const char* key, std::vector<std::string>& to) {
    auto list = texts(value, key);
    if (list)
      to = *std::move(list);
    else if (status)
      status = std::unexpected(list.error());
  });
  each_port(out, [&](const char* key, unsigned& to) {
    const auto port = json::get_uint(value, key);
    if (port && *port <= 65535)
      to = static_cast<unsigned>(*port);
    else if (status)
      status = base::fail(base::Code::kDataLoss, fmt::format("{} is no port", key));
  });
  TRY_OK(status);
  TRY(out.stage, by_name(kStages, value, "stage"));
  TRY(out.permit, by_name(kPermits, value, "permit"));
  TRY(out.cluster_id.value, id_of(value, "clusterID"));
  TRY(out.member_id.value, id_of(value, "memberID"));
  TRY_OK(read_joined(value, out));
  each_late_text(out, [&](const char* key, std::string& to) {
    to = json::get_string(value, key).value_or("");
  });
  return out;
}

bool is_adopted(const Host& host) {
  return host.token.starts_with(kAdoptedToken);
}

Host bare(const Host& host) {
  Host out = host;
  out.stage = Stage::kNone;
  out.token.clear();
  out.volume.clear();
  out.origin.clear();
  out.joined.clear();
  out.endpoints.clear();
  out.cluster_id = {};
  out.member_id = {};
  out.restore_operation.clear();
  out.restore_snapshot.clear();
  out.restored_from.clear();
  out.restored_sha256.clear();
  return out;
}

host::MemberFiles Places::member_files() const {
  const std::string dir = member(), volume = dir + "/volume";
  return {dir,    dir + "/ticket",    dir + "/state",   dir + "/verdict", dir + "/member.lock",
          volume, volume + "/marker", volume + "/data", dir + "/tls",     dir + "/log"};
}

base::Result<Host> load_host(const Places& places) {
  const std::string file = places.host_file();
  auto text = posix::read_file(file, kLimit);
  if (!text && text.error().code == base::Code::kNotFound)
    return base::fail(base::Code::kNotFound,
                      "this host is in no cluster (there is no " + file +
                          "): begin with `etcdadm init` or `etcdadm join URL`");
  if (!text) return std::unexpected(text.error());
  const auto value = json::parse(*text);
  if (!value) return std::unexpected(value.error().in(file));
  auto host = host_from_json(*value);
  if (!host) return std::unexpected(host.error().in(file));
  return host;
}

base::Status save_host(const Places& places, const Host& host) {
  TRY_OK(posix::make_dirs(places.state_dir));
  return posix::write_atomic(places.host_file(),
                             json::print(to_json(host), json::Style::kPretty) + "\n");
}

}  // namespace adm
