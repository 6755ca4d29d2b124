// The facts of one pass joined by member, and the questions that several concerns ask of them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
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
  [[nodiscard]] base::MemberId id() const;  // 0: not known
  // Known to be so; a process that is not there is stopped.
  [[nodiscard]] bool process_is(Process process) const;
  [[nodiscard]] bool data_is(Data data) const;
  [[nodiscard]] bool ended_by(End end) const;
};

struct View {
  std::vector<Seat> seats;  // record members by ordinal, then listed members that are not ours
  bool list_known = false;  // a linearizable read succeeded in this look, of the right cluster
  bool quorum = false;      // the same
  std::size_t voters = 0, healthy_voters = 0;  // of the list
  const Seat* leader = nullptr;  // in the list, by the newest term that a member reports
  base::Instant now{};

  View() = default;
  View(const View&) = delete;  // `leader` points into `seats`
  View& operator=(const View&) = delete;
  View(View&&) = default;
  View& operator=(View&&) = default;
  ~View() = default;

  [[nodiscard]] const Seat* by_name(const std::string& name) const;
  [[nodiscard]] const Seat* by_id(base::MemberId id) const;
  // S1: would the healthy started voters still be a quorum of what is left? Never without a list.
  [[nodiscard]] bool may_stop(const Seat& seat) const;
  [[nodiscard]] bool may_remove(const Seat& seat) const;
  [[nodiscard]] bool may_add() const;  // as etcd itself decides: n = 1 may always
  [[nodiscard]] bool may_promote(const Seat& seat) const;  // a learner
  // To lead in place of `other`: the healthy voter that applied most; null: there is none.
  [[nodiscard]] const Seat* heir(const Seat& other) const;
};

View look(const Intent& intent, const Record& record, const Observation& seen, base::Instant now);

// Bookkeeping that is true whatever is planned: ids and phases that the list proves, audited
// indexes, since when a member or the quorum is missing, that a loss is over, the highest version.
Record remember(const Record& record, const Intent& intent, const Observation& seen,
                base::Instant now);

// The same host:port, whatever the scheme.
bool same_peer(std::string_view a, std::string_view b);

// Its guard proved that the data that it ran on is gone or older than acknowledged. A volume
// without its marker, with foreign data, or one that could not be read proves nothing.
bool data_lost(const Seat& seat);
// A voter of ours whose data ends with its pod; the first of them, null: there is none.
bool volume_ends(const Seat& seat);
const Seat* find_volume_end(const View& view);
// Why this member must never be started again; no value: it may.
std::optional<Reason> never_again(const Seat& seat);

}  // namespace plan
