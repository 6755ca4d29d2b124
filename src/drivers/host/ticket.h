// The start ticket of a member, from the record.
#pragma once

#include <string>
#include <vector>

#include "api/cluster.h"
#include "base/result.h"
#include "drivers/host/binaries.h"
#include "drivers/host/layout.h"
#include "guard/files.h"
#include "plan/record.h"

namespace host {

struct TicketInput {
  const api::ClusterSpec& spec;
  const plan::Record& record;
  const plan::MemberRecord& member;
  MemberFiles files;
  EtcdPrograms programs;
  // Names and peer URLs of the live membership, if it could be read; a joining member's list must
  // match it.
  std::vector<std::pair<std::string, std::string>> live;
  std::string restore_snapshot;  // of permit kRestore
};

base::Result<guard::Ticket> make_ticket(const TicketInput& input);

// Flags change by a rollout only: a member whose template is of an older spec than the wanted one
// keeps the flags of its old ticket.
void keep_flags(const guard::Ticket& old, const std::string& wanted_hash, guard::Ticket& ticket);

// The flags of etcd without those that the guard sets: data directory, name, initial cluster.
base::Result<std::vector<std::string>> args_of(const api::ClusterSpec& spec,
                                               const plan::MemberRecord& member,
                                               const MemberFiles& files);

}  // namespace host
