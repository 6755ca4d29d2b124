#include "plan/loss.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/mutants.h"
#include "base/text.h"
#include "plan/quorum.h"

namespace plan {
namespace {

// So long after its start a member whose removal is in doubt has met the others, if they run: it
// serves with them, or was told that it is removed.
constexpr base::Duration kSettles{60'000};

using LogEnd = std::pair<std::uint64_t, std::uint64_t>;

// A status tells the committed index, and committed logs are prefixes of each other: the index
// orders the data, the term only breaks ties.
LogEnd log_of(const Seat& seat) {
  const MemberRecord& m = *seat.record;
  LogEnd best{std::max(m.audited_index, m.seen_index), std::max(m.audited_term, m.seen_term)};
  if (seat.status != nullptr)
    best = std::max(best, std::pair(seat.status->raft_index, seat.status->raft_term));
  return best;
}

// The end of a member's own log, by its guard: it holds also what was acknowledged while nobody
// looked. Raft's own order of logs: the later term first, then the longer one.
LogEnd noted_end(const Seat& seat) {
  if (seat.facts == nullptr) return {};
  return {seat.facts->log_term, seat.facts->log_index};
}

bool both_noted(const Seat& a, const Seat& b) {
  return noted_end(a) != LogEnd{} && noted_end(b) != LogEnd{};
}

bool is_longer(const Seat& a, const Seat& b) {
  if (both_noted(a, b) && noted_end(a) != noted_end(b)) return noted_end(a) > noted_end(b);
  return log_of(a) > log_of(b);
}

// etcd said so, which it does only after the removal was applied somewhere. Its data is older.
bool is_removed(const Seat& seat) {
  return seat.status == nullptr && seat.ended_by(End::kRemoved);
}

// Out of the membership for good: etcd said so, or the list did, and what has stopped stays
// stopped.
bool is_out(const Record& record, const Seat& seat) {
  if (seat.record->permit != Permit::kData || seat.record->incarnation != record.incarnation)
    return false;
  return is_removed(seat) ||
         (seat.record->phase == Phase::kRetired && seat.process_is(Process::kStopped));
}

// It was restarted since a quorum served, had the time to find a leader, and found none. One that
// was not knows of every removal that it ever applied.
bool finds_nobody(const View& view, const Record& record, const Seat& seat) {
  if (!seat.process_is(Process::kRunning)) return false;
  if (seat.status != nullptr && seat.status->leader) return false;
  base::Instant since = seat.record->started_at;
  if (seat.facts->ended) since = std::max(since, seat.facts->ended->at);
  return since > record.last_quorum_read && view.now - since >= kSettles;
}

// Whose data counts before whose: one that votes; one that voted, or was in sync and about to; a
// learner, whose copy may be incomplete; one that was removed.
int rank_of(const Seat& seat) {
  if (is_removed(seat)) return 0;
  if (seat.record->phase == Phase::kVoter) return 3;
  return seat.record->permit == Permit::kData ? 2 : 1;
}

bool is_better(const Seat& a, const Seat& b) {
  if (rank_of(a) != rank_of(b)) return rank_of(a) > rank_of(b);
  if (is_longer(a, b) || is_longer(b, a)) return is_longer(a, b);
  return a.status != nullptr && b.status == nullptr;  // it can give a snapshot
}

bool in_membership(const Seat& seat) {
  const Phase phase = seat.record->phase;
  return phase == Phase::kVoter || phase == Phase::kRemoving || phase == Phase::kLearner;
}

// Its process is seen, or seen not to be there.
bool is_seen(const Seat& seat) {
  if (mutant(base::Mutant::kUnknownIsLost)) return true;
  return seat.facts != nullptr && !seat.facts->process.is_unknown();
}

std::string names_of(const std::vector<const Seat*>& seats) {
  std::vector<std::string> names;
  for (const Seat* seat : seats) names.push_back(seat->record->name);
  return base::join(names, ", ");
}

std::string ended_text(const Seat& seat) {
  const bool runs = seat.process_is(Process::kRunning) || seat.process_is(Process::kStarting);
  if (seat.facts == nullptr || !seat.facts->ended || runs || seat.facts->ended->text.empty())
    return {};
  return ", and ended: " + seat.facts->ended->text;
}

std::string role_of(const Seat& seat) {
  if (is_removed(seat)) return " (etcd said that it was removed)";
  if (seat.record->phase == Phase::kRemoving) return " (its removal was decided)";
  return seat.record->phase == Phase::kLearner ? " (a learner)" : "";
}

std::string word_of(const Record& record, const Seat& seat) {
  if (is_proven_lost(seat))
    return is_seen(seat) ? "data lost, proven"
                         : "data lost, proven, but its process is out of sight";
  if (seat.status != nullptr) return "runs with its data" + role_of(seat);
  if (has_data(record, seat)) return "has its data" + role_of(seat) + ended_text(seat);
  if (seat.facts == nullptr) return "nothing is known";
  if (seat.facts->data.is_unknown()) return "not known: " + seat.facts->data.why();
  if (seat.facts->data.is_absent()) return "its volume is not there";
  switch (*seat.facts->data) {
    case Data::kForeign:
      return "its volume holds foreign data";
    case Data::kNoMarker:
      return "its volume has no marker: perhaps another volume";
    case Data::kCorrupt:
      return "its data is corrupt";
    case Data::kOlder:
      return "its data is older than acknowledged";
    case Data::kOwn:
      return "has data that its guard or etcd refused before";
    case Data::kBlank:
      break;
  }
  return "contradictory";
}

// The voters of every membership that is possible, in numbers.
struct Votes {
  std::vector<const Seat*> certain, maybe;  // each of `maybe` votes in some of them
  std::size_t strangers = 0;                // not ours; nothing is known of them
  std::size_t whole = 0;                    // of `certain`, with data
  std::size_t gone = 0;                     // of `maybe`, without data
  std::size_t settling = 0;                 // of `maybe`, with data, and about to tell
  std::size_t out = 0;                      // removed; the disks of the others may not tell so

  // Whatever the membership is, a quorum of it has data.
  [[nodiscard]] bool may_return() const {
    const std::size_t least = certain.size() + gone + strangers;
    return whole >= quorum_of(least) || whole + settling >= quorum_of(least + settling);
  }
  // etcd writes lazily down how far its log is committed, and elects by what is written. If all
  // that are left were killed before another entry followed a removal, they are too few for a
  // quorum with those that are out. The longest of their logs still holds all that was
  // acknowledged.
  [[nodiscard]] bool may_be_unaware() const {
    return out > 0 && maybe.empty() && strangers == 0 && whole < quorum_of(certain.size() + out);
  }
  // In the most favourable membership, with `a` of the maybe that live and none that is lost.
  [[nodiscard]] bool may_be_quorum() const {
    const auto lives = [](const Seat* seat) { return !is_proven_lost(*seat); };
    const auto left = static_cast<std::size_t>(std::ranges::count_if(certain, lives));
    const auto alive = static_cast<std::size_t>(std::ranges::count_if(maybe, lives));
    for (std::size_t a = 0; a <= alive; ++a) {
      const std::size_t voters = certain.size() + strangers + a;
      if (voters > 0 && left + strangers + a >= quorum_of(voters)) return true;
    }
    return false;
  }
};

Votes count_votes(const View& view, const Record& record) {
  Votes v;
  v.strangers = record.strangers.size();
  for (const Seat& seat : view.seats) {
    if (seat.record == nullptr) continue;
    v.out += is_out(record, seat) ? 1U : 0U;
    if (!in_membership(seat) || is_removed(seat)) continue;
    const bool data = has_data(record, seat);
    if (seat.record->phase == Phase::kVoter) {
      v.certain.push_back(&seat);
      v.whole += data ? 1U : 0U;
      continue;
    }
    v.maybe.push_back(&seat);
    v.gone += data ? 0U : 1U;
    const bool started = is_seen(seat) && !seat.process_is(Process::kStopped) &&
                         view.now - seat.record->started_at < kSettles;
    if (data && started && seat.record->phase == Phase::kRemoving) v.settling += 1;
  }
  return v;
}

// The longer log is not the chosen one's.
std::string doubt_of_length(const Loss& loss) {
  for (const Seat* seat : loss.with_data)
    if (rank_of(*seat) > 0 && rank_of(*seat) < 3 && is_longer(*seat, *loss.best))
      return fmt::format("the log of {}{} is longer than that of {}", seat->record->name,
                         role_of(*seat), loss.best->record->name);
  return {};
}

std::vector<std::string> doubts_of(const View& view, const Record& record, const Loss& loss,
                                   const Votes& votes) {
  std::vector<std::string> out;
  if (!loss.unknown.empty())
    out.push_back(fmt::format("that {} can never come back is not proven", names_of(loss.unknown)));
  else if (votes.may_be_quorum() && votes.strangers == 0 && !loss.unaware)
    out.push_back(fmt::format("whether {} votes is not known, and so whether there is a quorum",
                              names_of(votes.maybe)));
  for (const std::string& stranger : record.strangers)
    out.push_back(fmt::format("{} votes and is not ours: make sure that it is stopped", stranger));
  if (const auto hidden = unseen(view, record.incarnation); !hidden.empty()) {
    const MemberFacts* facts = view.by_name(hidden.front())->facts;
    out.push_back(fmt::format("it cannot be seen whether {} still run{}{}: make sure that {}",
                              base::join(hidden, ", "), hidden.size() == 1 ? "s" : "",
                              facts == nullptr ? "" : " (" + facts->process.why() + ")",
                              hidden.size() == 1 ? "it does not" : "none does"));
  }
  if (loss.best == nullptr) return out;
  std::string doubt = doubt_of(*loss.best);
  if (doubt.empty()) doubt = doubt_of_length(loss);
  if (!doubt.empty()) out.push_back(std::move(doubt));
  // It is stopped before its data is read.
  if (loss.best->facts != nullptr && loss.best->facts->volume_going)
    out.push_back(
        fmt::format("the claim of {} is being deleted, and its data ends with its pod: "
                    "save it first, with `etcdctl snapshot save`",
                    loss.best->record->name));
  return out;
}

}  // namespace

bool is_proven_lost(const Seat& seat) {
  if (seat.status != nullptr || seat.facts == nullptr) return false;
  if (seat.data_is(Data::kBlank)) return true;
  if (!seat.facts->data.known() && mutant(base::Mutant::kUnknownIsLost)) return true;
  // Its guard's own verdict, unless a later look at the volume says something else.
  return seat.ended_by(End::kDataLost) && (!seat.facts->data.known() || seat.data_is(Data::kOlder));
}

bool has_data(const Record& record, const Seat& seat) {
  if (seat.status != nullptr && seat.status->cluster_id == record.cluster_id) return true;
  return seat.data_is(Data::kOwn) && (is_removed(seat) || !never_again(seat));
}

std::string doubt_of(const Seat& seat) {
  const std::string& name = seat.record->name;
  switch (rank_of(seat)) {
    case 0:
      return name + " was removed: it lacks what was written since";
    case 1:
      return name + " is a learner: its copy may be incomplete";
    case 2:
      return name + " may not have voted: it may lack what was acknowledged";
    default:
      return {};
  }
}

std::vector<std::string> unseen(const View& view, const std::string& incarnation) {
  std::vector<std::string> out;
  for (const Seat& seat : view.seats)
    if (seat.record != nullptr && seat.record->incarnation == incarnation && !is_seen(seat))
      out.push_back(seat.record->name);
  return out;
}

Loss assess_loss(const View& view, const Record& record) {
  Loss loss;
  for (const Seat& seat : view.seats) {
    if (seat.record == nullptr || !in_membership(seat)) continue;
    if (has_data(record, seat)) {
      loss.with_data.push_back(&seat);
      const bool oldest = mutant(base::Mutant::kOldestSurvivor);
      if (loss.best == nullptr || is_better(seat, *loss.best) != oldest) loss.best = &seat;
    } else if (!is_removed(seat)) {
      (is_proven_lost(seat) ? loss.lost : loss.unknown).push_back(&seat);
    }
  }
  const Votes votes = count_votes(view, record);
  // Decided on, it stands although they were stopped for it.
  loss.unaware = votes.may_return() && votes.may_be_unaware() &&
                 (record.recovery || std::ranges::all_of(votes.certain, [&](const Seat* seat) {
                    return !has_data(record, *seat) || finds_nobody(view, record, *seat);
                  }));
  if (votes.may_return() && !loss.unaware) {
    loss.kind = Loss::Kind::kMayReturn;
    return loss;
  }
  loss.doubts = doubts_of(view, record, loss, votes);
  if (!loss.doubts.empty())
    loss.kind = Loss::Kind::kUnproven;
  else
    loss.kind = loss.with_data.empty() ? Loss::Kind::kTotal : Loss::Kind::kSurvivor;
  return loss;
}

std::string facts_in_words(const Record& record, const Loss& loss) {
  std::vector<const Seat*> all = loss.with_data;
  all.insert(all.end(), loss.lost.begin(), loss.lost.end());
  all.insert(all.end(), loss.unknown.begin(), loss.unknown.end());
  std::ranges::sort(all, {}, [](const Seat* seat) { return seat->record->ordinal; });
  std::string out;
  for (const Seat* seat : all) {
    if (!out.empty()) out += "; ";
    out += fmt::format("{}: {}", seat->record->name, word_of(record, *seat));
  }
  if (loss.unaware)
    out += "; restarted, what is left finds no quorum: on its disks the removed may still vote";
  return out;
}

const Seat* choose_survivor(const View& view, const Record& record, const std::string& incarnation,
                            const Failed& failed) {
  const Seat* best = nullptr;
  for (const Seat& seat : view.seats) {
    if (seat.record == nullptr || seat.record->incarnation != incarnation) continue;
    if (!in_membership(seat) && seat.record->phase != Phase::kSurvivor) continue;
    const auto tries = failed.tries.find(seat.record->name);
    if (tries != failed.tries.end() && tries->second >= failed.limit) continue;
    if (has_data(record, seat) && (best == nullptr || is_better(seat, *best))) best = &seat;
  }
  return best;
}

const Seat* choose_survivor(const View& view, const Record& record,
                            const std::string& incarnation) {
  return choose_survivor(view, record, incarnation, {{}, 1});
}

bool ranks_before(const Seat& seat, const Seat& than) {
  return rank_of(seat) > rank_of(than);
}

bool is_noted_longer(const Seat& seat, const Seat& than) {
  return rank_of(seat) == rank_of(than) && both_noted(seat, than) &&
         noted_end(seat) > noted_end(than);
}

}  // namespace plan
