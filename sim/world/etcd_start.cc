// What a start of etcd comes to, in etcd's own words.
#include <fmt/format.h>

#include <algorithm>

#include "etcd/identity.h"
#include "sim/world/etcd_args.h"
#include "sim/world/etcd_raft.h"

namespace sim {
namespace {

End fatal(std::string_view message, std::string_view error = {}) {
  return {1, 0,
          error.empty()
              ? fmt::format(R"({{"level":"fatal","msg":"{}"}})", message)
              : fmt::format(R"({{"level":"fatal","msg":"{}","error":"{}"}})", message, error)};
}

End panic(std::string_view text) {
  return {2, 0, fmt::format("panic: {}", text)};
}

std::string address_of(const std::string& url) {
  const auto at = url.find("://");
  return at == std::string::npos ? url : url.substr(at + 3);
}

std::optional<End> by_disk(const Process& p) {
  if (p.args->disk == Disk::kReadOnly)
    return fatal("cannot access data directory", "open .touch: read-only file system");
  if (p.args->disk == Disk::kFull)
    return fatal("failed to commit tx", "write: no space left on device");
  return std::nullopt;
}

std::optional<End> by_damage(const Dir& dir) {
  switch (dir.damage) {
    case Damage::kCrc:
      return fatal("failed to read WAL, cannot be repaired", "walpb: crc mismatch");
    case Damage::kEmptyFile:
      return panic("cannot use none as id");
    case Damage::kBadDb:
      return End{2, 0, "fatal error: fault"};
    case Damage::kNoDb:
      if (dir.snapshot != 0)
        return panic(
            "failed to recover v3 backend from snapshot: failed to find database snapshot file "
            "(snap: snapshot file doesn't exist)");
      break;
    case Damage::kNone:
    case Damage::kTorn:
      break;
  }
  return std::nullopt;
}

// A server older than its data, or one that cannot read the log it would replay.
std::optional<End> by_version(const Process& p) {
  const bool from_db = p.dir.db_minor != 0 && p.dir.damage != Damage::kNoDb;
  const int cluster = from_db ? p.dir.db_minor : state_of(p.dir.commit).cluster_minor;
  if (p.minor() >= 7 && index_of(p.dir.tip) > p.dir.snapshot &&
      p.dir.tip->old_form > p.dir.snapshot)
    return panic("unmarshal should never fail (proto: cannot parse invalid wire-format data)");
  if (p.minor() >= cluster) return std::nullopt;
  if (p.minor() < 5)
    return fatal(
        fmt::format("cluster cannot be downgraded (current version: {} is lower than "
                    "determined cluster version: 3.{}).",
                    p.args->version.text(), cluster));
  if (p.minor() < 6)
    return fatal("invalid downgrade; server version is lower than determined cluster version");
  return fatal("Failed to validate schema",
               fmt::format("version \\\"3.{}.0\\\" is not supported", cluster));
}

// Drops what is not known to be committed, and everybody else.
void make_alone(Process& p) {
  p.dir.tip = p.dir.commit;
  const auto members = state_of(p.dir.tip).membership->members;
  for (const auto& m : members) {
    if (m.id == p.id() && !m.learner) continue;
    const auto kind = m.id == p.id() ? OpKind::kPromote : OpKind::kRemove;
    p.dir.tip = append(p.dir.tip, std::max(p.dir.hard_term, term_of(p.dir.tip)),
                       {.kind = kind, .member = m.id}, p.minor());
  }
  p.dir.commit = p.dir.tip;
}

}  // namespace

void Raft::begin(Process& p) {
  const Args& a = *p.args;
  std::optional<End> why;
  if (const auto flag = unknown_flag(a.version, a.flags); !flag.empty())
    why = End{2, 0, "flag provided but not defined: -" + flag};
  if (!why) why = by_disk(p);
  for (const auto& other : e_.processes_) {
    if (why || other.pid == p.pid || other.phase != Process::Phase::kRunning) continue;
    if (other.args->peer_url == a.peer_url || other.args->client_url == a.client_url)
      why = fatal("discovery failed", fmt::format("listen tcp {}: bind: address already in use",
                                                  address_of(a.peer_url)));
  }
  if (!why)
    why = !p.dir.blank() ? start_with_data(p) : a.existing ? start_existing(p) : start_new(p);
  if (!why) why = initial_check(p);
  if (why) return end(p, std::move(*why));
  p.phase = Process::Phase::kRunning;
  p.dir.damage = Damage::kNone;
}

std::optional<End> Raft::start_with_data(Process& p) {
  if (auto why = by_damage(p.dir)) return why;
  if (auto why = by_version(p)) return why;
  if (p.args->force_new) make_alone(p);
  p.applied = p.dir.commit;
  p.log_start = p.dir.snapshot;
  return std::nullopt;
}

// Who answers on the peer port; that needs no quorum.
const Process* Raft::answering_peer(const Process& p) const {
  for (const auto& [name, url] : p.args->initial) {
    if (url == p.args->peer_url) continue;
    for (const auto& other : e_.processes_)
      if (other.phase == Process::Phase::kRunning && other.args->peer_url == url &&
          reaches_by_http(p, other))
        return &other;
  }
  return nullptr;
}

std::optional<End> Raft::start_new(Process& p) {
  std::vector<etcd::Member> founders;
  std::vector<base::MemberId> ids;
  for (const auto& [name, url] : p.args->initial) {
    founders.push_back({etcd::member_id({url}, p.args->token), name, {url}, {}, false});
    ids.push_back(founders.back().id);
    if (name == p.args->name) p.dir.member = founders.back().id;
  }
  if (p.dir.blank())
    return fatal("discovery failed",
                 fmt::format("couldn't find local name \\\"{}\\\" in the initial cluster "
                             "configuration",
                             p.args->name));
  if (const Process* peer = answering_peer(p)) {
    const etcd::Member* m = peer->state().membership->find(p.dir.member);
    const auto id = std::exchange(p.dir.member, {});
    if (m != nullptr && !m->client_urls.empty())
      return fatal("discovery failed",
                   fmt::format("member {} has already been bootstrapped", base::to_text(id)));
    p.dir.member = id;
  }
  p.dir.cluster = etcd::cluster_id(ids);
  p.dir.tip = p.dir.commit = boot(std::move(founders), p.dir.cluster);
  p.dir.hard_term = 1;
  p.dir.db_size = kEmptyDb;
  p.applied = p.dir.commit;
  return std::nullopt;
}

std::optional<End> Raft::start_existing(Process& p) {
  const auto failed = [](const std::string& error) { return fatal("discovery failed", error); };
  if (std::ranges::find(p.args->initial, p.args->name,
                        &std::pair<std::string, std::string>::first) == p.args->initial.end())
    return failed(fmt::format(
        "couldn't find local name \\\"{}\\\" in the initial cluster configuration", p.args->name));
  const Process* peer = answering_peer(p);
  if (peer == nullptr)
    return failed(
        "cannot fetch cluster info from peer urls: could not retrieve cluster information from "
        "the given URLs");
  const Membership& now = *peer->state().membership;
  if (now.members.size() != p.args->initial.size())
    return failed("error validating peerURLs: member count is unequal");
  const etcd::Member* own = nullptr;
  for (const auto& m : now.members) {
    const bool listed = std::ranges::any_of(p.args->initial, [&](const auto& named) {
      return std::ranges::find(m.peer_urls, named.second) != m.peer_urls.end();
    });
    if (!listed)
      return failed(
          fmt::format("error validating peerURLs: PeerURLs: no match found for existing "
                      "member ({}, [{}])",
                      base::to_text(m.id), fmt::join(m.peer_urls, " ")));
    if (std::ranges::find(m.peer_urls, p.args->peer_url) != m.peer_urls.end()) own = &m;
  }
  if (own == nullptr) return failed("error validating peerURLs: unmatched member while checking");
  if (peer->state().cluster_minor > p.minor())
    return failed("incompatible with current running cluster");
  p.dir.member = own->id;
  p.dir.cluster = now.cluster;
  p.dir.db_size = kEmptyDb;
  return std::nullopt;
}

// Compares with every peer that answers. 3.5 asks nobody while it has no raft snapshot.
std::optional<End> Raft::initial_check(const Process& p) const {
  if (!p.args->initial_check || (p.minor() < 6 && p.dir.snapshot == 0)) return std::nullopt;
  const auto revision = p.state().revision;
  for (const auto& other : e_.processes_) {
    if (other.pid == p.pid || other.phase != Process::Phase::kRunning ||
        other.dir.cluster != p.dir.cluster || other.state().revision < revision ||
        other.state().compacted != p.state().compacted || !reaches_by_http(p, other))
      continue;
    if (hash_at(other, revision) != hash_at(p, revision))
      return fatal("initial corruption check failed",
                   base::to_text(p.id()) + " found data inconsistency with peers");
  }
  return std::nullopt;
}

}  // namespace sim
