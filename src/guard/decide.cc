#include "guard/decide.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"

namespace guard {
namespace {

using Wal = WalSeen::State;

Decision refuse(Class klass, std::string why) {
  Decision d;
  d.klass = klass;
  d.why = std::move(why);
  return d;
}

template <class Id>
bool differ(Id a, Id b) {
  return a && b && a != b;
}

Marker fresh_marker(const Ticket& t) {
  Marker m;
  m.cluster_ns = t.cluster_ns;
  m.cluster_name = t.cluster_name;
  m.member_name = t.member_name;
  m.incarnation = t.incarnation;
  m.volume_id = t.volume_id;
  m.peer_address = t.peer_address;
  m.cluster_id = t.cluster_id;
  m.member_id = t.member_id;
  return m;
}

Decision blank(const Ticket& t, Marker marker, const Seen& seen) {
  Decision d;
  d.start = t.permit == Permit::kBootstrap ? Start::kBlankNew : Start::kBlankExisting;
  d.move_aside = seen.leftovers;
  d.marker = std::move(marker);
  d.marker.started = true;
  d.why = "first start";
  return d;
}

Decision restore(const Ticket& t, const Seen& seen) {
  Decision d;
  d.start = Start::kRestore;
  d.move_aside = seen.leftovers;
  d.marker = fresh_marker(t);
  d.marker.started = true;
  d.marker.restored = t.restore_operation;
  d.why = "restore " + t.restore_operation;
  return d;
}

// The log must be this member's, whole, and reach at least as far as it was seen to reach.
Decision own(const Ticket& t, const Marker& marker, const WalSeen& wal) {
  const auto member = marker.member_id ? marker.member_id : t.member_id;
  const auto cluster = marker.cluster_id ? marker.cluster_id : t.cluster_id;
  if (differ(wal.member_id, member) || differ(wal.cluster_id, cluster))
    return refuse(Class::kForeign,
                  fmt::format("the data is of member {} of cluster {}, not of {} of {}",
                              base::to_text(wal.member_id), base::to_text(wal.cluster_id),
                              base::to_text(member), base::to_text(cluster)));
  switch (wal.state) {
    case Wal::kNone:
      return refuse(Class::kDataLost, "the volume is ours and etcd ran on it, but it has no data");
    case Wal::kUnreadable:
      return refuse(Class::kNode, "the log cannot be read: " + wal.why);
    case Wal::kCorrupt:
      return refuse(Class::kDataCorrupt, "the log is damaged: " + wal.why);
    case Wal::kIncomplete:
      return refuse(Class::kDataLost, wal.why);
    case Wal::kSound:
    case Wal::kTorn:
      break;
  }
  const LogEnd noted{marker.last_term, marker.last_index};
  if (wal.end < noted)
    return refuse(Class::kDataLost,
                  fmt::format("the log ends at index {} (term {}), it had reached {} (term {})",
                              wal.end.index, wal.end.term, noted.index, noted.term));
  if (wal.end.index < t.audited_index)
    return refuse(Class::kDataLost,
                  fmt::format("the log ends at index {} (term {}), an audit saw {} (term {})",
                              wal.end.index, wal.end.term, t.audited_index, t.audited_term));
  if (wal.hard_term < marker.hard_term || wal.commit < marker.commit)
    return refuse(Class::kDataLost,
                  fmt::format("the log's state is of term {}, commit {}; it had reached {} and {}",
                              wal.hard_term, wal.commit, marker.hard_term, marker.commit));
  Decision d;
  d.start = Start::kOwn;
  d.marker = marker;
  d.marker.started = true;
  d.marker.member_id = wal.member_id;
  d.marker.cluster_id = wal.cluster_id;
  d.marker.last_term = wal.end.term;
  d.marker.last_index = wal.end.index;
  d.marker.hard_term = wal.hard_term;
  d.marker.commit = wal.commit;
  d.why = "own data";
  return d;
}

// Data that no marker of ours explains, where blank is what should be there.
Decision first(const Ticket& t, const Marker& marker, const Seen& seen) {
  if (seen.wal.state == Wal::kUnreadable)
    return refuse(Class::kNode, "the log cannot be read: " + seen.wal.why);
  return t.permit == Permit::kRestore ? restore(t, seen) : blank(t, marker, seen);
}

// The rename of what was built is the commit: a guard that died after it goes on from there, one
// that died before it builds it again.
Decision unfinished_restore(const Ticket& t, const Marker& marker, const Seen& seen) {
  if (marker.restoring == t.restore_operation) {
    Decision d = own(t, marker, seen.wal);
    if (d.start == Start::kOwn) {
      d.marker.restored = t.restore_operation;
      d.marker.restoring.clear();
      return d;
    }
  }
  return first(t, fresh_marker(t), seen);
}

Decision without_marker(const Ticket& t, const Seen& seen) {
  if (t.permit == Permit::kData)
    return refuse(Class::kNoVolume,
                  "the volume has no marker: it is not mounted yet, or another one is");
  const bool ours = seen.wal.member_id && seen.wal.member_id == t.member_id &&
                    !differ(seen.wal.cluster_id, t.cluster_id);
  if (ours) return refuse(Class::kNoVolume, "data of this very member, but its marker is gone");
  return first(t, fresh_marker(t), seen);
}

Decision with_own_marker(const Ticket& t, const Marker& marker, const Seen& seen) {
  if (marker.condemned != Class::kNone)
    return refuse(marker.condemned,
                  "this data was given up before: etcd said it is not complete, "
                  "or that its member was removed");
  if (t.permit == Permit::kRestore && marker.restored != t.restore_operation)
    return unfinished_restore(t, marker, seen);
  if (marker.started || t.permit == Permit::kData || t.permit == Permit::kRestore)
    return own(t, marker, seen.wal);
  // Never started here: only data that is provably this member's is not a leftover.
  if (seen.wal.member_id && seen.wal.member_id == t.member_id) return own(t, marker, seen.wal);
  return first(t, marker, seen);
}

}  // namespace

std::string_view name_of(Start s) {
  switch (s) {
    case Start::kNone:
      return "None";
    case Start::kBlankNew:
      return "BlankNew";
    case Start::kBlankExisting:
      return "BlankExisting";
    case Start::kOwn:
      return "Own";
    case Start::kRestore:
      return "Restore";
  }
  return "?";
}

Relation relate(const Ticket& t, const Marker& m, std::string& why) {
  const std::array<std::tuple<std::string_view, std::string_view, std::string_view>, 4> whose{
      {{"namespace", m.cluster_ns, t.cluster_ns},
       {"cluster", m.cluster_name, t.cluster_name},
       {"member", m.member_name, t.member_name},
       {"volume", m.volume_id, t.volume_id}}};
  for (const auto& [what, marked, wanted] : whose) {
    if (marked == wanted) continue;
    why = fmt::format("the volume is of {} '{}', not '{}'", what, marked, wanted);
    return Relation::kWrongVolume;
  }
  if (!m.origin.empty() && !t.origin.empty() && m.origin != t.origin) {
    why = "the volume is not the one that the member ran on: it was away when the cluster formed";
    return Relation::kWrongVolume;
  }
  if (m.incarnation != t.incarnation) {
    why = fmt::format("the volume is of incarnation '{}', not '{}'", m.incarnation, t.incarnation);
    return Relation::kStale;
  }
  if (differ(m.member_id, t.member_id) || differ(m.cluster_id, t.cluster_id)) {
    why = fmt::format("the volume is of member {} of cluster {}, not of {} of {}",
                      base::to_text(m.member_id), base::to_text(m.cluster_id),
                      base::to_text(t.member_id), base::to_text(t.cluster_id));
    return Relation::kStale;
  }
  if (m.peer_address != t.peer_address) {
    why =
        fmt::format("the volume is of peer address '{}', not '{}'", m.peer_address, t.peer_address);
    return Relation::kWrongVolume;
  }
  return Relation::kOwn;
}

Decision decide(const Ticket& ticket, const Seen& seen) {
  if (auto fault = fault_of(ticket); !fault.empty()) return refuse(Class::kConfig, fault);
  if (seen.marker.is_unknown())
    return refuse(Class::kNoVolume, "the volume's marker cannot be read: " + seen.marker.why());
  if (seen.marker.is_absent()) return without_marker(ticket, seen);
  const Marker& marker = *seen.marker;
  std::string why;
  switch (relate(ticket, marker, why)) {
    case Relation::kWrongVolume:
      return refuse(Class::kForeign, why);
    case Relation::kStale:
      if (ticket.permit == Permit::kData) return refuse(Class::kForeign, why);
      return first(ticket, fresh_marker(ticket), seen);
    case Relation::kOwn:
      break;
  }
  return with_own_marker(ticket, marker, seen);
}

std::string fault_of(const Ticket& t) {
  if (t.member_name.empty() || t.cluster_name.empty()) return "the ticket names no member";
  if (t.volume_id.empty() || t.incarnation.empty()) return "the ticket names no volume";
  if (!t.etcd.starts_with('/')) return "the ticket's etcd is not an absolute path";
  if (t.permit == Permit::kRestore &&
      (t.restore_operation.empty() || !t.restore_snapshot.starts_with('/') ||
       !t.etcdutl.starts_with('/') || t.restore_token.empty()))
    return "the ticket lacks what a restore needs";
  // These would lead etcd past the checks of this program.
  constexpr std::array<std::string_view, 9> kOurs{"data-dir",
                                                  "wal-dir",
                                                  "name",
                                                  "initial-cluster",
                                                  "initial-cluster-state",
                                                  "initial-cluster-token",
                                                  "force-new-cluster",
                                                  "config-file",
                                                  "discovery"};
  for (const auto& arg : t.args) {
    std::string_view name = arg;
    if (!name.starts_with('-')) continue;
    name.remove_prefix(name.starts_with("--") ? 2 : 1);
    name = name.substr(0, name.find('='));
    if (std::ranges::find(kOurs, name) != kOurs.end())
      return fmt::format("the flag --{} is not the ticket's to set", name);
  }
  return {};
}

}  // namespace guard
