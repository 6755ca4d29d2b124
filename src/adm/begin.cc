#include "adm/begin.h"

#include <fmt/format.h>

#include <algorithm>

#include "adm/checks.h"
#include "adm/node.h"
#include "adm/remote.h"
#include "adm/steps.h"
#include "adm/user.h"
#include "api/version.h"
#include "etcd/bolt/verify.h"
#include "etcd/identity.h"
#include "pki/digest.h"
#include "pki/random.h"
#include "posix/env.h"
#include "posix/files.h"
#include "posix/output_file.h"

namespace adm {
namespace {

using base::Code;

constexpr size_t kTokenBytes = 12, kVolumeBytes = 8, kPiece = size_t{1} << 20;

// Gives the SHA-256 of all, raw.
template <class Do>
base::Result<std::string> each_piece(const bolt::Source& from, const Do& f) {
  pki::Sha256 digest;
  std::string piece;
  for (std::uint64_t at = 0; at < from.size(); at += piece.size()) {
    piece.resize(static_cast<size_t>(std::min<std::uint64_t>(kPiece, from.size() - at)));
    TRY_OK(from.read(at, piece));
    digest.update(piece);
    TRY_OK(f(piece));
  }
  return digest.finish();
}

// With the SHA-256, which a copy of a member's own file lacks. Gives it in hex.
base::Result<std::string> copy_snapshot(const bolt::Source& from, const bolt::SnapshotFacts& facts,
                                        const Host& host, const std::string& to) {
  const bool add = facts.sha256.empty();
  TRY(auto out, posix::OutputFile::create(to));
  TRY(const std::string sum, each_piece(from, [&](const auto& piece) { return out.write(piece); }));
  if (add) TRY_OK(out.write(sum));
  TRY(const auto user, user_of(host));
  if (user) TRY_OK(out.give_to(*user));
  TRY_OK(out.commit());
  return add ? pki::to_hex(sum) : facts.sha256;
}

base::Result<std::string> sha256_of(const std::string& file, bool without_check_sum) {
  TRY(const auto source, bolt::FileSource::open(file));
  TRY_IN(file, const auto facts,
         bolt::verify(source, {.trailer_required = !without_check_sum, .hash_kv = false}));
  if (!facts.sha256.empty()) return facts.sha256;
  TRY(const std::string sum, each_piece(source, [](const auto&) { return base::Status(); }));
  return pki::to_hex(sum);
}

base::Status check_age(const bolt::SnapshotFacts& facts, const Host& host,
                       const std::string& file) {
  const std::string& text = facts.content.storage_version.empty() ? facts.content.cluster_version
                                                                  : facts.content.storage_version;
  const auto stored = api::parse_version(text);
  TRY(const auto ours, api::parse_version(host.version));
  if (!stored || std::pair(stored->major, stored->minor) <= std::pair(ours.major, ours.minor))
    return {};
  return base::fail(
      Code::kFailedPrecondition,
      fmt::format("{} is of etcd {}.{}, which {} cannot read: reset, and begin with "
                  "--version {}.{}.x",
                  file, stored->major, stored->minor, host.version, stored->major, stored->minor));
}

// What is kept of this host stands in for what was not given now, before defaults do.
void keep_settings(const Host& host, Flags& flags) {
  const auto keep = [&flags](const char* flag, auto& to, const auto& from) {
    if (!flags.given.contains(flag)) to = from;
  };
  keep("name", flags.name, host.name);
  keep("bind-address", flags.bind_address, host.bind_address);
  keep("init-system", flags.init_system, host.init_system);
  keep("certs-dir", flags.certs_dir, host.certs_dir);
  keep("install-dir", flags.install_dir, host.install_dir);
  keep("data-dir", flags.data_dir, host.data_dir);
  keep("config-dir", flags.config_dir, host.config_dir);
  keep("unit-dir", flags.unit_dir, host.unit_dir);
  keep("cache-dir", flags.cache_dir, host.cache_dir);
  // Who a host was set up for stays so, also where it got another user since.
  keep("user", flags.user, host.user.empty() ? std::string(kRoot) : host.user);
  // Older files, and those of adopted hosts, have none of these.
  if (!host.manifest_dir.empty())
    keep("kubelet-pod-manifest-path", flags.manifest_dir, host.manifest_dir);
  if (!host.image_repository.empty())
    keep("image-repository", flags.image_repository, host.image_repository);
  keep("server-cert-extra-sans", flags.extra_sans, host.extra_sans);
  keep("disk-priorities", flags.disk_priorities, host.disk_priorities);
  keep("client-port", flags.client_port, host.client_port);
  keep("peer-port", flags.peer_port, host.peer_port);
  keep("metrics-port", flags.metrics_port, host.metrics_port);
}

base::Result<std::optional<Host>> present_host(const Places& places) {
  auto host = load_host(places);
  if (host) return std::optional(*std::move(host));
  if (host.error().code == Code::kNotFound) return std::optional<Host>();
  return std::unexpected(host.error());
}

}  // namespace

base::Result<posix::FileLock> lock_state(const Places& places) {
  TRY_OK(make_private_dir(places.state_dir));
  auto lock = posix::FileLock::try_lock(places.lock());
  if (!lock && lock.error().code == Code::kFailedPrecondition)
    return base::fail(Code::kFailedPrecondition,
                      "another etcdadm is at work here (it holds " + places.lock() + ")");
  return lock;
}

base::Result<Begun> begin(Context& context, const std::string& command) {
  TRY(const auto machine, look_at_machine());
  TRY(auto present, present_host(context.places()));
  if (present) keep_settings(*present, context.flags);
  // Nothing is touched, not even by the lock, while the flags are wrong.
  TRY_OK(complete(context.flags, machine));
  TRY_OK(choose_user(context.flags));
  Begun out;
  if (!context.flags.dry_run) {
    TRY(out.lock, lock_state(context.places()));
    TRY(const auto now, present_host(context.places()));
    if (now != present)
      return base::fail(Code::kAborted,
                        "another etcdadm has changed this host meanwhile: run it again");
  }
  TRY(const auto open, unfinished(context.places()));
  if (present && present->stage != Stage::kNone) {
    if (open != command && context.flags.phase.empty())
      return base::fail(Code::kFailedPrecondition,
                        fmt::format("this host is member {} of a cluster already: `etcdadm status` "
                                    "shows it, `etcdadm reset` takes it out",
                                    present->name));
    Host same = *present;
    configure(same, context.flags);
    if (same != *present)
      return base::fail(Code::kFailedPrecondition,
                        fmt::format("an earlier `etcdadm {}` was begun here with other flags (they "
                                    "are in {}): run it again with those, or `etcdadm reset`",
                                    command, context.places().host_file()));
    out.host = *std::move(present);
    return out;
  }
  if (present) out.host = *std::move(present);
  configure(out.host, context.flags);
  return out;
}

base::Status found_cluster(Host& host) {
  TRY(const auto token, pki::random_hex(kTokenBytes));
  TRY(host.volume, pki::random_hex(kVolumeBytes));
  host.token = "etcd-" + token;
  host.member_id = etcd::member_id({host.peer_url()}, host.token);
  host.cluster_id = etcd::cluster_id({host.member_id});
  host.permit = guard::Permit::kBootstrap;
  host.joined = {{host.name, host.peer_url()}};
  host.endpoints = {host.client_url()};
  host.origin.clear();
  host.restore_operation.clear();
  host.restore_snapshot.clear();
  host.restored_from.clear();
  host.restored_sha256.clear();
  host.stage = Stage::kChosen;
  return {};
}

base::Status check_beginning(const Host& host, const std::string& file, bool without_check_sum) {
  const bool restored = host.permit == guard::Permit::kRestore || !host.restored_from.empty();
  if (host.stage == Stage::kNone || (!restored && file.empty())) return {};
  if (restored && !file.empty()) {
    if (host.restored_from.empty()) return {};  // an older etcdadm did not keep it
    std::string name = file;
    if (!is_remote(file)) {
      TRY(name, posix::absolute_path(file));
    }
    const bool same_name = name == host.restored_from;
    if (is_remote(file) && same_name) return {};
    if (!is_remote(file)) {
      const auto sha256 = sha256_of(file, without_check_sum);
      // What is needed of it was copied: it may be gone.
      if (!sha256 && sha256.error().code == Code::kNotFound && same_name) return {};
      if (!sha256) return std::unexpected(sha256.error());
      if (*sha256 == host.restored_sha256) return {};
    }
  }
  return base::fail(
      Code::kFailedPrecondition,
      fmt::format("an earlier run was begun with {}: run it again with that, or `etcdadm reset`",
                  restored ? fmt::format("the snapshot {} (SHA-256 {})", host.restored_from,
                                         host.restored_sha256)
                           : "no snapshot"));
}

base::Status begin_from_snapshot(const Context& context, Host& host, const std::string& file,
                                 bool without_check_sum) {
  if (host.stage != Stage::kNone) return check_beginning(host, file, without_check_sum);
  const auto& flags = context.flags;
  std::string name = file == flags.subject ? flags.subject_url : std::string();
  if (name.empty()) {
    TRY(name, posix::absolute_path(file));
  }
  TRY(const auto source, bolt::FileSource::open(file));
  const auto facts = bolt::verify(source, {.trailer_required = !without_check_sum});
  if (!facts)
    return std::unexpected(facts.error().in(
        file + (facts.error().code == Code::kDataLoss ? ": not a good snapshot" : "")));
  TRY_OK(check_age(*facts, host, file));
  TRY_OK(posix::make_dirs(context.places().state_dir));
  TRY(auto sha256, copy_snapshot(source, *facts, host, context.places().snapshot()));
  TRY_OK(found_cluster(host));
  host.restored_from = std::move(name);
  host.restored_sha256 = std::move(sha256);
  host.permit = guard::Permit::kRestore;
  host.restore_operation = host.token;
  host.restore_snapshot = context.places().snapshot();
  return save_host(context.places(), host);
}

}  // namespace adm
