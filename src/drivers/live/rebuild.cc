#include "drivers/live/rebuild.h"

#include <algorithm>

#include "base/text.h"
#include "drivers/live/endpoints.h"
#include "plan/template.h"

namespace live {
namespace {

std::unexpected<base::Error> cannot(std::string why) {
  return base::fail(base::Code::kFailedPrecondition, std::move(why));
}

std::string flag(const guard::Ticket& ticket, const std::string& name) {
  const std::string head = "--" + name + "=";
  for (const auto& arg : ticket.args)
    if (arg.starts_with(head)) return arg.substr(head.size());
  return "";
}

// Where others reach what listens: of two addresses of one place either.
std::string reached_at(const guard::Ticket& ticket, const std::string& advertised,
                       const std::string& listens) {
  const std::string out = flag(ticket, advertised);
  const std::string urls = out.empty() ? flag(ticket, listens) : out;
  return urls.substr(0, urls.find(','));
}

// Its page has no address of its own to tell where it listens on all of them.
std::string metrics_at(const guard::Ticket& ticket, const std::string& peer_url) {
  constexpr std::string_view kAll = "://0.0.0.0:";
  std::string out = flag(ticket, "listen-metrics-urls");
  const auto at = out.find(kAll);
  if (at == std::string::npos) return out;
  const std::string place = host_port(peer_url);
  return out.replace(at + 3, kAll.size() - 4, place.substr(0, place.rfind(':')));
}

base::Result<plan::MemberRecord> rebuild_member(const base::Result<Kept>& kept,
                                                const std::string& name,
                                                const base::ClusterKey& key, plan::Record& record) {
  if (!kept) return std::unexpected(kept.error());
  const auto& [ticket, marker] = *kept;
  if (ticket.cluster_ns != key.ns || ticket.cluster_name != key.name || ticket.member_name != name)
    return cannot("its ticket is another member's");
  if (ticket.permit != guard::Permit::kData) return cannot("it had not joined for good");
  if (marker.volume_id != ticket.volume_id || marker.incarnation != ticket.incarnation ||
      marker.member_id != ticket.member_id || marker.cluster_id != ticket.cluster_id ||
      marker.member_name != name || !ticket.member_id || !ticket.cluster_id)
    return cannot("its ticket and its volume's marker do not agree");
  if (!record.members.empty() &&
      (record.incarnation != ticket.incarnation || record.cluster_id != ticket.cluster_id))
    return cannot("the members are of different incarnations");
  const auto dash = name.rfind('-');
  const auto ordinal = base::parse_int(std::string_view(name).substr(dash + 1));
  if (dash == std::string::npos || !ordinal || *ordinal < 0) return cannot("it has no ordinal");
  record.incarnation = ticket.incarnation;
  record.cluster_id = ticket.cluster_id;
  record.token = ticket.token;
  plan::MemberRecord m;
  m.name = name;
  m.ordinal = static_cast<int>(*ordinal);
  m.addresses.peer_url = reached_at(ticket, "initial-advertise-peer-urls", "listen-peer-urls");
  m.addresses.client_url = reached_at(ticket, "advertise-client-urls", "listen-client-urls");
  m.addresses.metrics_url = metrics_at(ticket, m.addresses.peer_url);
  if (m.addresses.peer_url.empty() || m.addresses.client_url.empty() ||
      m.addresses.metrics_url.empty())
    return cannot("its ticket lacks its addresses");
  m.volume = ticket.volume_id;
  m.origin = ticket.origin;
  m.incarnation = ticket.incarnation;
  m.id = ticket.member_id;
  m.phase = plan::Phase::kVoter;
  m.permit = plan::Permit::kData;
  m.may_start = m.ran = true;
  TRY(m.version, api::parse_version(ticket.version));
  m.template_hash = ticket.template_hash;
  m.audited_term = ticket.audited_term;
  m.audited_index = ticket.audited_index;
  return m;
}

}  // namespace

base::Result<plan::Record> rebuild_record(const base::ClusterKey& key,
                                          const std::map<std::string, base::Result<Kept>>& members,
                                          bool open_to_clients) {
  plan::Record record;
  record.key = key;
  if (members.empty()) return cannot("no member is there");
  for (const auto& [name, kept] : members) {
    auto member = rebuild_member(kept, name, key, record);
    if (!member) return cannot(name + ": " + member.error().message);
    record.next_ordinal = std::max(record.next_ordinal, member->ordinal + 1);
    record.version = std::max(record.version, member->version);
    record.template_hash = member->template_hash;
    record.rotation.trust = plan::parse_template(member->template_hash).trust;
    record.members.emplace(name, std::move(*member));
  }
  record.formation = plan::Formation::kLatched;
  record.size = static_cast<int>(record.members.size());
  record.epoch = 1;
  record.old_tokens = {record.token};
  record.bootstrap_source = "data";
  record.open_to_clients = open_to_clients;
  return record;
}

}  // namespace live
