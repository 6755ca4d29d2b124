#include "api/validate.h"

#include <fmt/format.h>

#include <array>
#include <string_view>
#include <utility>

#include "api/quantity.h"

namespace api {
namespace {

std::string_view storage_path(const Cluster& cluster) {
  if (cluster.group == Group::kCoreOs) return "spec.pod.persistentVolumeClaimSpec";
  return "spec.storage";
}

bool same_location(const std::optional<Restore>& a, const std::optional<Restore>& b) {
  if (a.has_value() != b.has_value()) return false;
  if (!a) return true;
  if (a->source.has_value() != b->source.has_value()) return false;
  return a->backup_cluster_name == b->backup_cluster_name &&
         (!a->source || (a->source->kind == b->source->kind && a->source->path == b->source->path));
}

void check_storage(const Cluster& before, const Cluster& after, std::vector<Problem>& out) {
  const auto& old = before.spec.storage;
  const auto& now = after.spec.storage;
  const std::string path(storage_path(after));
  if (old.type != now.type)
    out.push_back({Severity::kError, path + ".type",
                   "cannot change: restore a backup into a new cluster instead"});
  if (old.storage_class != now.storage_class)
    out.push_back({Severity::kWarning, path,
                   fmt::format("the storage class is now '{}'; members that exist keep '{}'",
                               now.storage_class.value_or("the default"),
                               old.storage_class.value_or("the default"))});
  if (old.request_bytes && now.request_bytes && *now.request_bytes < *old.request_bytes)
    out.push_back(
        {Severity::kError, path,
         fmt::format("{} is less than {}: volumes never shrink", to_size_text(*now.request_bytes),
                     to_size_text(*old.request_bytes))});
  if (old.claim_name != now.claim_name)
    out.push_back({Severity::kError, path, "the claim cannot change while its data are in use"});
}

// Clients need a time in which both ways are open.
void check_tls(const Cluster& before, const Cluster& after, std::vector<Problem>& out) {
  const auto theirs = [](const Cluster& c) {
    return c.spec.tls.provider == TlsProvider::kUserSecrets;
  };
  const auto sides = [](const Tls& tls) {
    return std::pair(tls.peer_secret.empty(), tls.server_secret.empty());
  };
  if (theirs(before) != theirs(after) || sides(before.spec.tls) != sides(after.spec.tls))
    out.push_back({Severity::kError,
                   after.group == Group::kCoreOs ? "spec.TLS" : "spec.tls.provider",
                   "certificates cannot change between yours and the operator's on a cluster that "
                   "exists in this version; other Secrets may be named"});
  const TlsMode old = before.spec.tls.mode, now = after.spec.tls.mode;
  if (old == now) return;
  const std::string path = after.group == Group::kCoreOs
                               ? "metadata.annotations[\"operator.etcd.io/tls\"]"
                               : "spec.tls.mode";
  if (old != TlsMode::kMigrating && now != TlsMode::kMigrating)
    out.push_back({Severity::kError, path,
                   "cannot change between Required and Disabled at once, or clients are cut off: "
                   "set Migrating first, and the other when every client has changed over"});
  if (now == TlsMode::kMigrating && before.spec.version.major == 3 && before.spec.version.minor < 5)
    out.push_back({Severity::kError, path,
                   "Migrating needs etcd 3.5 or later: 3.4 does not take TLS and plain text at one "
                   "address; upgrade first"});
}

// Names of the objects that are made for a cluster, all of which must be its own.
constexpr std::array<std::string_view, 11> kSuffixes{
    "",         "-client",     "-peer",     "-ca",         "-peer-ca",     "-record",
    "-backups", "-server-tls", "-peer-tls", "-client-tls", "-operator-tls"};

// "c-4" is member 4 of "c": its objects are named so.
bool is_member_name(std::string_view name, std::string_view cluster) {
  if (!name.starts_with(cluster) || name.size() < cluster.size() + 2) return false;
  name.remove_prefix(cluster.size());
  return name.front() == '-' && name.find_first_not_of("0123456789", 1) == std::string_view::npos;
}

std::string_view group_name(Group group) {
  return group == Group::kCoreOs ? "etcd.database.coreos.com" : "operator.etcd.io";
}

// Why both cannot live in one namespace; empty: they can.
std::string conflict_of(const Cluster& one, const Cluster& other) {
  if (one.key.ns != other.key.ns) return {};
  const auto& a = one.key.name;
  const auto& b = other.key.name;
  if (a == b)
    return fmt::format("{} is declared by {} too; names are claimed across both groups",
                       one.key.text(), group_name(other.group));
  // All names that are made begin with the cluster's: most pairs of a fleet end here.
  if (!a.starts_with(b) && !b.starts_with(a)) return {};
  for (const auto suffix : kSuffixes) {
    if (suffix.empty()) continue;
    if (a == b + std::string(suffix) || b == a + std::string(suffix))
      return fmt::format("objects of {} and {} would have the same names", a, b);
  }
  if (is_member_name(a, b) || is_member_name(b, a))
    return fmt::format("{} would be the name of a member of {}", is_member_name(a, b) ? a : b,
                       is_member_name(a, b) ? b : a);
  return {};
}

}  // namespace

std::vector<Problem> validate_update(const Cluster& before, const Cluster& after) {
  std::vector<Problem> out;
  if (before.group != after.group)
    out.push_back({Severity::kError, "apiVersion",
                   fmt::format("cannot change from {} to {}: delete one object first",
                               group_name(before.group), group_name(after.group))});
  check_storage(before, after, out);
  check_tls(before, after, out);
  if (!same_location(before.spec.restore, after.spec.restore))
    out.push_back(
        {Severity::kWarning, "spec.restore",
         "is read only before a cluster has formed; the change has no effect after that"});
  return out;
}

std::vector<NameConflict> find_name_conflicts(std::span<const Cluster> clusters,
                                              const std::vector<bool>& in_force) {
  const auto held = [&](size_t i) { return i < in_force.size() && in_force[i]; };
  std::vector<NameConflict> out;
  for (size_t i = 0; i < clusters.size(); ++i)
    for (size_t k = i + 1; k < clusters.size(); ++k) {
      const bool later_wins = held(k) && !held(i);
      const size_t winner = later_wins ? k : i, loser = later_wins ? i : k;
      if (auto why = conflict_of(clusters[loser], clusters[winner]); !why.empty())
        out.push_back({loser, winner, std::move(why)});
    }
  return out;
}

}  // namespace api
