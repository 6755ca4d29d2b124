#include "drivers/live/ticket.h"

#include <algorithm>

#include "drivers/live/endpoints.h"
#include "etcd/identity.h"
#include "plan/template.h"

namespace live {
namespace {

guard::Permit to_guard(plan::Permit permit) {
  switch (permit) {
    case plan::Permit::kBootstrap:
      return guard::Permit::kBootstrap;
    case plan::Permit::kJoin:
      return guard::Permit::kJoin;
    case plan::Permit::kData:
      return guard::Permit::kData;
    case plan::Permit::kRestore:
      return guard::Permit::kRestore;
  }
  return guard::Permit::kData;
}

using Names = std::vector<std::pair<std::string, std::string>>;  // name, peer URL

// Those that begin together under the record's token.
Names founders(const TicketSource& in) {
  Names out;
  if (in.member.permit == plan::Permit::kRestore)
    return {{in.member.name, in.member.addresses.peer_url}};
  for (const auto& [name, m] : in.record.members)
    if (m.permit == plan::Permit::kBootstrap && m.incarnation == in.record.incarnation)
      out.emplace_back(name, m.addresses.peer_url);
  return out;
}

// What etcd compares with the live membership when a learner starts for the first time.
Names joined(const TicketSource& in) {
  Names out = in.live;
  if (out.empty()) {
    for (const auto& [name, m] : in.record.members)
      if (m.phase == plan::Phase::kVoter || m.phase == plan::Phase::kLearner)
        out.emplace_back(name, m.addresses.peer_url);
  }
  const bool has_own = std::ranges::any_of(out, [&](const auto& n) {
    return host_port(n.second) == host_port(in.member.addresses.peer_url);
  });
  if (!has_own) out.emplace_back(in.member.name, in.member.addresses.peer_url);
  // A member that never started has no name in the list: ours are known by their address, others
  // get one that nobody has.
  for (auto& [name, url] : out) {
    for (const auto& [own, m] : in.record.members)
      if (host_port(m.addresses.peer_url) == host_port(url)) name = own;
    if (name.empty()) name = "unnamed-" + host_port(url);
  }
  return out;
}

std::string list_text(Names names) {
  std::ranges::sort(names);
  std::string out;
  for (const auto& [name, url] : names) out += (out.empty() ? "" : ",") + name + "=" + url;
  return out;
}

// The ids that etcd will compute by itself.
void add_ids(const TicketSource& in, const Names& names, guard::Ticket& ticket) {
  std::vector<base::MemberId> ids;
  for (const auto& [name, url] : names) {
    ids.push_back(etcd::member_id({url}, in.record.token));
    if (name == in.member.name) ticket.member_id = ids.back();
  }
  ticket.cluster_id = etcd::cluster_id(ids);
}

}  // namespace

guard::Ticket ticket_of(const TicketSource& in) {
  const plan::MemberRecord& m = in.member;
  guard::Ticket t;
  t.cluster_ns = in.record.key.ns;
  t.cluster_name = in.record.key.name;
  t.member_name = m.name;
  t.incarnation = m.incarnation;
  t.volume_id = m.volume;
  if (m.permit == plan::Permit::kData) t.origin = m.origin;
  t.permit = to_guard(m.permit);
  t.cluster_id = in.record.cluster_id;
  t.member_id = m.id;
  t.peer_address = host_port(m.addresses.peer_url);
  t.audited_term = m.audited_term;
  t.audited_index = m.audited_index;
  t.token = in.record.token;
  t.version = m.version.text();
  t.template_hash = m.template_hash;
  const bool first = m.permit == plan::Permit::kBootstrap || m.permit == plan::Permit::kRestore;
  const Names names = first ? founders(in) : joined(in);
  t.initial_cluster = list_text(names);
  if (first) add_ids(in, names, t);
  if (m.permit == plan::Permit::kRestore) {
    t.restore_operation =
        in.record.recovery ? in.record.recovery->operation : in.record.restore.operation;
    t.restore_token = in.record.token;
  }
  return t;
}

void keep_flags(const guard::Ticket& old, const std::string& wanted_hash, guard::Ticket& ticket) {
  if (plan::parse_template(ticket.template_hash).spec != wanted_hash &&
      old.template_hash == ticket.template_hash && old.version == ticket.version)
    ticket.args = old.args;
}

}  // namespace live
