// The facts of one pass joined by member, and the questions that several concerns ask of them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "plan/plan.h"

namespace plan {

// One member as record, platform and etcd know it; any part may be missing.
struct Seat {
  const MemberRecord* record = nullptr;
  const MemberFacts* facts = nullptr;
  const EtcdMember* etcd = nullptr;    // in the linearizable list
  const EtcdStatus* status = nullptr;  // it answered by itself
  bool voter = false;                  // by the list
  bool healthy = false;  // started, answers, sees the cluster's leader, right cluster id
  [[nodiscard]] std::string name() const;
};

struct View {
  std::vector<Seat> seats;  // every record member and every listed member, by name then id
  bool list_known = false;
  bool quorum = false;                         // a linearizable read succeeded in this look
  std::size_t voters = 0, healthy_voters = 0;  // of the list
  const Seat* leader = nullptr;
  base::Instant now{};

  [[nodiscard]] const Seat* by_name(const std::string& name) const;
  [[nodiscard]] const Seat* by_id(base::MemberId id) const;
  // S1: would the healthy started voters still be a quorum of what is left?
  [[nodiscard]] bool may_stop(const Seat& seat) const;
  [[nodiscard]] bool may_remove(const Seat& seat) const;
};

View look(const Intent& intent, const Record& record, const Observation& seen, base::Instant now);

// Bookkeeping that is true whatever is planned: ids and phases that the list proves, audited
// indexes, since when a member or the quorum is missing, the highest cluster version.
Record remember(const Record& record, const Intent& intent, const Observation& seen,
                base::Instant now);

}  // namespace plan
