#include "drivers/host/ticket.h"

#include "drivers/live/endpoints.h"
#include "drivers/live/ticket.h"
#include "plan/template.h"
#include "render/etcd_args.h"

namespace host {

base::Result<guard::Ticket> make_ticket(const TicketInput& in) {
  guard::Ticket t = live::ticket_of({in.record, in.member, in.live});
  t.etcd = in.programs.etcd;
  t.etcdutl = in.programs.etcdutl;
  if (!t.restore_operation.empty()) t.restore_snapshot = in.restore_snapshot;
  TRY(t.args, args_of(in.spec, in.member, in.files));
  return t;
}

void keep_flags(const guard::Ticket& old, const std::string& wanted_hash, guard::Ticket& ticket) {
  live::keep_flags(old, wanted_hash, ticket);
}

base::Result<std::vector<std::string>> args_of(const api::ClusterSpec& spec,
                                               const plan::MemberRecord& member,
                                               const MemberFiles& files) {
  const LeafFiles leaf = leaf_files(files);
  const auto& at = member.addresses;
  render::TlsPaths tls;
  tls.peer = {leaf.peer, leaf.peer, leaf.peer_ca};
  const api::TlsMode mode = plan::tls_of(member);
  if (mode != api::TlsMode::kDisabled) tls.server = {leaf.server, leaf.server, leaf.client_ca};
  std::string client = at.client_url;
  // etcd tells the two apart by their first bytes (docs/adr/0013).
  if (const std::string place = live::host_port(client); mode == api::TlsMode::kMigrating)
    client = "https://" + place + ",http://" + place;
  return render::etcd_args(spec, member.version,
                           {client, client, at.peer_url, at.peer_url, at.metrics_url}, tls);
}

}  // namespace host
