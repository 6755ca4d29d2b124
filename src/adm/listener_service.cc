// The listener as a unit or as a process of its own, and the tokens that it is opened with.
#include <fmt/format.h>

#include "adm/certificates.h"
#include "adm/listener.h"
#include "adm/systemd.h"
#include "base/text.h"
#include "pki/cert.h"
#include "posix/env.h"
#include "posix/files.h"
#include "posix/lock.h"
#include "posix/process.h"
#include "posix/socket.h"
#include "posix/wakeup.h"

namespace adm {
namespace {

using base::Code;

constexpr base::Duration kUp{10'000}, kDown{15'000}, kPoll{50};
constexpr size_t kFile = size_t{1} << 18;

bool is_up(const Context& context) {
  return posix::is_locked(context.places().token_lock()) == base::Fact<bool>(true);
}

std::string last_words(const Context& context) {
  const auto log = posix::read_file(context.places().token_log(), kFile);
  if (!log) return "see `journalctl -u etcdadm-token`";
  const auto lines = base::split(base::trim(*log), '\n');
  return std::string(lines.back());
}

// A process has no systemd's environment, and above all not ours, which may hold a token.
base::Status start_process(const Context& context) {
  const auto places = context.places();
  TRY_OK(posix::remove_file(places.token_log()));
  posix::Launch launch{{context.program, "token", "serve", "--state-dir", places.state_dir}};
  for (const char* name : {"PATH", "HOME", "ASAN_OPTIONS", "TSAN_OPTIONS"})
    if (const auto value = posix::get_env(name))
      launch.env.push_back(std::string(name) + "=" + *value);
  const auto started = posix::spawn_detached({launch, places.token_log()});
  if (!started && started.error().code != Code::kAborted) return std::unexpected(started.error());
  return {};
}

base::Status start_unit(const Context& context, const Host& host) {
  TRY(const auto manager, systemd_manager());
  TRY_OK(posix::make_dirs(host.unit_dir, 0755));
  TRY_OK(posix::write_atomic(host.unit_dir + "/" + kTokenUnit,
                             token_unit_text(context.program, context.places()), 0644));
  TRY_OK(manager->reload(kUp));
  return manager->start(kTokenUnit, kUp);
}

// It listens, and not only runs.
base::Status wait_up(const Context& context, const Host& host, unsigned port) {
  const auto until = posix::deadline_in(kUp);
  for (;;) {
    if (is_up(context) &&
        posix::Stream::dial(host.bind_address, port, std::chrono::seconds(1), context.stop))
      return {};
    if (context.stop.stop_requested()) return base::fail(Code::kCancelled, "asked to stop");
    if (posix::deadline_in({}) >= until)
      return base::fail(Code::kUnavailable,
                        "the listener for joining hosts did not come up: " + last_words(context));
    (void)posix::poll_until({}, posix::deadline_in(kPoll), context.stop);
  }
}

void wait_down(const Context& context) {
  const auto until = posix::deadline_in(kDown);
  while (is_up(context) && posix::deadline_in({}) < until && !context.stop.stop_requested())
    (void)posix::poll_until({}, posix::deadline_in(kPoll), context.stop);
}

}  // namespace

std::string token_unit_text(const std::string& program, const Places& places) {
  return fmt::format(
      "[Unit]\n"
      "Description=hands etcd's authority to hosts that show a token\n"
      "After=network-online.target\n"
      "\n[Service]\n"
      "Type=exec\n"
      "ExecStart={0} token serve --state-dir {1}\n"
      "WorkingDirectory=/\n"
      "Restart=on-failure\n"
      "RestartSec=1\n"
      // Closed, or without a token: another start ends the same way.
      "RestartPreventExitStatus=2 3 4\n"
      "UMask=0077\n"
      "ProtectSystem=strict\n"
      "ReadWritePaths={1}\n"
      "ProtectHome=read-only\n"
      "NoNewPrivileges=true\n"
      "ProtectKernelTunables=true\n"
      "ProtectKernelModules=true\n"
      "ProtectControlGroups=true\n"
      "RestrictSUIDSGID=true\n"
      "LockPersonality=true\n",
      unit_word(program), unit_word(places.state_dir));
}

base::Result<Token> open_door(const Context& context, const Host& host, base::Duration life) {
  if (host.stage != Stage::kMember)
    return base::fail(Code::kFailedPrecondition,
                      "this host is no member yet, and has nothing to hand over");
  TRY_OK(authority_hash(host));
  if (posix::exists(host.certs_dir + "/ca.key") != base::Fact<bool>(true))
    return base::fail(Code::kNotFound,
                      fmt::format("{}/ca.key is not here: a token is made on a member that has "
                                  "the authority's key",
                                  host.certs_dir));
  TRY(const auto present, load_book(context.places()));
  TRY(const auto token, make_token());
  // One that is about to end would not know of the new token.
  if (!present.open(context.clock.now())) wait_down(context);
  unsigned port = 0;
  TRY_OK(change_book(context.places(), [&](TokenBook& book) {
    if (!is_up(context) || book.port == 0) book.port = context.flags.token_port;
    port = book.port;
    grant(book, token, context.clock.now(), life);
  }));
  if (!is_up(context))
    TRY_OK(host.init_system == "systemd" ? start_unit(context, host) : start_process(context));
  TRY_OK(wait_up(context, host, port));
  return token;
}

base::Status close_door(const Context& context, const Host& host) {
  const auto places = context.places();
  TRY_OK(forget_book(places));
  if (host.init_system == "systemd") {
    const std::string unit = host.unit_dir + "/" + kTokenUnit;
    if (posix::exists(unit) == base::Fact<bool>(true)) {
      if (const auto manager = systemd_manager()) {
        TRY_OK((*manager)->stop(kTokenUnit, kUp, context.stop));
        TRY_OK(posix::remove_file(unit));
        TRY_OK((*manager)->reload(kUp));
      }
    }
  }
  // Without its book it ends by itself.
  wait_down(context);
  return posix::remove_file(places.token_log());
}

base::Result<std::string> authority_hash(const Host& host) {
  TRY(const auto leaf, posix::read_file(host.certs_dir + "/server.crt", kFile));
  TRY(const auto bundle, posix::read_file(host.certs_dir + "/ca.crt", kFile));
  TRY_IN(host.certs_dir + "/server.crt", const auto cert, pki::parse_certificate(leaf));
  TRY_IN(host.certs_dir + "/ca.crt", const auto authorities, pki::parse_bundle(bundle));
  for (const auto& ca : authorities)
    if (ca.subject_key_id == cert.authority_key_id) return ca.fingerprint;
  return base::fail(Code::kFailedPrecondition,
                    fmt::format("{0}/server.crt is not signed by {0}/ca.crt", host.certs_dir));
}

base::Result<std::string> join_command(const Host& host, const Token& token, unsigned port) {
  TRY(const auto hash, authority_hash(host));
  return fmt::format("etcdadm join {} --token {} --ca-cert-hash sha256:{}{}", host.peer_url(),
                     token.text(), hash,
                     port == kTokenPort ? "" : fmt::format(" --token-port {}", port));
}

}  // namespace adm
