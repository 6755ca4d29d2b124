#include "kube/credentials.h"

#include <fmt/format.h>

#include <mutex>
#include <utility>

#include "base/base64.h"
#include "base/text.h"
#include "json/json.h"
#include "posix/env.h"
#include "posix/files.h"
#include "posix/process.h"

namespace kube {
namespace {

using base::Code;

constexpr base::Duration kTokenFileAge{60'000};
// A credential is not used in its last seconds: it has to reach the server in time.
constexpr base::Duration kBeforeExpiry{10'000};
constexpr size_t kMaxSecret = 64 << 10;

std::string bearer(const std::string& token) {
  return "Bearer " + token;
}

// A new-line within it would begin another header.
bool is_header_safe(std::string_view text) {
  for (const char c : text)
    if (static_cast<unsigned char>(c) < 0x21 || c == 0x7f) return false;
  return !text.empty();
}

base::Result<std::string> run_plugin(const ExecPlugin& plugin, const std::string& info,
                                     const std::stop_token& stop) {
  posix::Launch launch{.argv = {plugin.command}, .env = posix::environment()};
  if (plugin.command.find('/') == std::string::npos) {
    auto found = posix::find_program(plugin.command, posix::get_env("PATH").value_or(""));
    if (!found)
      return base::fail(Code::kFailedPrecondition,
                        fmt::format("credential plugin {} is not on PATH{}{}", plugin.command,
                                    plugin.install_hint.empty() ? "" : ": ", plugin.install_hint));
    launch.argv[0] = *std::move(found);
  }
  launch.argv.insert(launch.argv.end(), plugin.args.begin(), plugin.args.end());
  for (const auto& [name, value] : plugin.env) launch.env.push_back(name + "=" + value);
  launch.env.push_back("KUBERNETES_EXEC_INFO=" + info);
  TRY_IN("credential plugin " + plugin.command, auto result,
         posix::run(launch, {.deadline = base::Duration(60'000)}, stop));
  if (result.exit_code == 0 && !result.truncated) return std::move(result.out);
  // Its output may hold secrets; what it says about its failure is on its standard error.
  return base::fail(Code::kUnavailable,
                    fmt::format("credential plugin {} ended with {}: {}", plugin.command,
                                result.exit_code == -1 ? fmt::format("signal {}", result.signal)
                                                       : std::to_string(result.exit_code),
                                base::trim(result.err).substr(0, 500)));
}

}  // namespace

Sources system_sources() {
  return {.read = [](const std::string& path) { return posix::read_file(path, size_t{1} << 20); },
          .run = run_plugin};
}

std::string exec_info(const Access& access, const ExecPlugin& plugin) {
  json::Object spec{{"interactive", false}};
  if (plugin.wants_cluster) {
    json::Value cluster = json::Object{{"server", access.server}};
    if (!access.ca.empty()) cluster["certificate-authority-data"] = base::encode_base64(access.ca);
    if (!access.server_name.empty()) cluster["tls-server-name"] = access.server_name;
    if (!access.proxy.empty()) cluster["proxy-url"] = access.proxy;
    if (!access.verify) cluster["insecure-skip-tls-verify"] = true;
    spec["cluster"] = std::move(cluster);
  }
  return json::print(json::Object{
      {"apiVersion", plugin.api_version}, {"kind", "ExecCredential"}, {"spec", std::move(spec)}});
}

base::Result<ExecCredential> parse_exec_credential(std::string_view text,
                                                   const std::string& api_version) {
  const auto bad = [](std::string_view what) {
    return base::fail(Code::kInvalidArgument, fmt::format("credential plugin: {}", what));
  };
  if (text.size() > kMaxSecret) return bad("its answer is longer than 64 KiB");
  const auto value = json::parse(text);
  if (!value || !value->is_object()) return bad("its answer is no JSON object");
  if (json::get_string(*value, "kind").value_or("") != "ExecCredential")
    return bad("its answer is no ExecCredential");
  if (json::get_string(*value, "apiVersion").value_or("") != api_version)
    return bad("its answer has another apiVersion than " + api_version);
  ExecCredential out;
  out.token = json::get_string(*value, "status.token").value_or("");
  out.identity.cert = json::get_string(*value, "status.clientCertificateData").value_or("");
  out.identity.key = json::get_string(*value, "status.clientKeyData").value_or("");
  if (out.identity.cert.empty() != out.identity.key.empty())
    return bad("of clientCertificateData and clientKeyData only one is there");
  if (out.token.empty() && out.identity.cert.empty())
    return bad("there is neither a token nor a certificate in its answer");
  if (!out.token.empty() && !is_header_safe(out.token)) return bad("its token is malformed");
  if (const auto expires = json::get_string(*value, "status.expirationTimestamp")) {
    const auto at = base::parse_rfc3339(*expires);
    if (!at) return bad("its expirationTimestamp is no time");
    out.expires = *at;
  }
  return out;
}

struct Credentials::State {
  const Access access;
  const Sources sources;
  const base::Clock& clock;
  std::mutex mutex;                     // guards what follows; held while a plugin runs
  std::optional<Credential> kept = {};  // none: to be asked for
  base::Tick read_at{};                 // of a token file
  std::optional<base::Instant> expires = {};

  [[nodiscard]] bool fresh() const {
    if (!kept) return false;
    if (expires && clock.now() + kBeforeExpiry >= *expires) return false;
    return access.token_file.empty() || clock.tick() - read_at < kTokenFileAge;
  }

  base::Result<Credential> from_token_file() {
    auto text = sources.read(access.token_file);
    const std::string token(text ? base::trim(*text) : std::string_view());
    read_at = clock.tick();
    if (is_header_safe(token))
      return Credential{.authorization = bearer(token), .identity = access.identity};
    if (kept) return *kept;  // it is most likely still good; the server will say
    if (!text) return std::unexpected(text.error().in("token file"));
    return base::fail(Code::kFailedPrecondition, access.token_file + ": is empty or no token");
  }

  base::Result<Credential> from_plugin(const std::stop_token& stop) {
    TRY(const auto text, sources.run(*access.exec, exec_info(access, *access.exec), stop));
    TRY(auto said, parse_exec_credential(text, access.exec->api_version));
    expires = said.expires;
    Credential credential{.identity = access.identity};
    if (!said.token.empty()) credential.authorization = bearer(said.token);
    if (!said.identity.cert.empty()) credential.identity = std::move(said.identity);
    return credential;
  }

  base::Result<Credential> from_config() const {
    Credential credential{.identity = access.identity};
    if (!access.token.empty()) {
      if (!is_header_safe(access.token))
        return base::fail(Code::kInvalidArgument, access.source + ": its token is malformed");
      credential.authorization = bearer(access.token);
    } else if (!access.user.empty()) {
      credential.authorization =
          "Basic " + base::encode_base64(access.user + ":" + access.password);
    }
    return credential;
  }
};

Credentials::Credentials(Access access, Sources sources, const base::Clock& clock)
    : state_(new State{.access = std::move(access),
                       .sources = std::move(sources),
                       .clock = clock,
                       .mutex = {}}) {}

Credentials::~Credentials() = default;

base::Result<Credential> Credentials::get(const std::stop_token& stop) {
  const std::scoped_lock lock(state_->mutex);
  if (state_->fresh()) return *state_->kept;
  const auto& access = state_->access;
  auto credential = !access.token_file.empty() ? state_->from_token_file()
                    : !access.token.empty()    ? state_->from_config()
                    : access.exec              ? state_->from_plugin(stop)
                                               : state_->from_config();
  if (credential) state_->kept = *credential;
  return credential;
}

void Credentials::refused(const Credential& credential) {
  const std::scoped_lock lock(state_->mutex);
  if (state_->kept && state_->kept->authorization == credential.authorization &&
      state_->kept->identity.cert == credential.identity.cert)
    state_->kept.reset();
}

}  // namespace kube
