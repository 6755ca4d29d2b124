#include "plan/loss.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "plan/quorum.h"

namespace plan {
namespace {

// A status tells the committed index, and committed logs are prefixes of each other: the index
// orders the data, the term only breaks ties.
std::pair<std::uint64_t, std::uint64_t> log_of(const Seat& seat) {
  const MemberRecord& m = *seat.record;
  std::pair<std::uint64_t, std::uint64_t> best{std::max(m.audited_index, m.seen_index),
                                               std::max(m.audited_term, m.seen_term)};
  if (seat.status != nullptr)
    best = std::max(best, std::pair(seat.status->raft_index, seat.status->raft_term));
  return best;
}

// The end of a member's own log, by its guard: it holds also what was acknowledged while nobody
// looked. Raft's own order of logs: the later term first, then the longer one.
std::pair<std::uint64_t, std::uint64_t> noted_end(const Seat& seat) {
  if (seat.facts == nullptr) return {};
  return {seat.facts->log_term, seat.facts->log_index};
}

bool is_better(const Seat& a, const Seat& b) {
  const bool votes = a.record->phase == Phase::kVoter;
  if (votes != (b.record->phase == Phase::kVoter)) return votes;
  const auto none = std::pair<std::uint64_t, std::uint64_t>{};
  const bool noted = noted_end(a) != none && noted_end(b) != none;
  if (noted && noted_end(a) != noted_end(b)) return noted_end(a) > noted_end(b);
  if (log_of(a) != log_of(b)) return log_of(a) > log_of(b);
  return a.status != nullptr && b.status == nullptr;  // it can give a snapshot
}

// `certain` have a vote; each of `maybe` has one in some membership that is possible.
bool may_be_quorum(const std::vector<const Seat*>& certain, const std::vector<const Seat*>& maybe) {
  std::size_t left = 0;
  for (const Seat* seat : certain) left += is_proven_lost(*seat) ? 0U : 1U;
  std::size_t alive = 0;
  for (const Seat* seat : maybe) alive += is_proven_lost(*seat) ? 0U : 1U;
  // The most favourable memberships: with `a` of the maybe that live and none that is lost.
  for (std::size_t a = 0; a <= alive; ++a) {
    const std::size_t voters = certain.size() + a;
    if (voters > 0 && left + a >= quorum_of(voters)) return true;
  }
  return false;
}

std::string word_of(const Record& record, const Seat& seat) {
  if (is_proven_lost(seat)) return "data lost, proven";
  if (seat.status != nullptr) return "runs with its data";
  if (has_data(record, seat)) return "has its data";
  if (seat.facts == nullptr || seat.facts->data.is_unknown())
    return seat.facts == nullptr ? "nothing is known" : "not known: " + seat.facts->data.why();
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
    case Data::kBlank:
      break;
  }
  return "contradictory";
}

}  // namespace

bool is_proven_lost(const Seat& seat) {
  if (seat.status != nullptr || seat.facts == nullptr) return false;
  if (seat.data_is(Data::kBlank)) return true;
  // Its guard's own verdict, unless a later look at the volume says something else.
  return seat.ended_by(End::kDataLost) && (!seat.facts->data.known() || seat.data_is(Data::kOlder));
}

bool has_data(const Record& record, const Seat& seat) {
  if (seat.status != nullptr && seat.status->cluster_id == record.cluster_id) return true;
  return seat.data_is(Data::kOwn);
}

Loss assess_loss(const View& view, const Record& record) {
  Loss loss;
  std::vector<const Seat*> certain, maybe;
  for (const Seat& seat : view.seats) {
    if (seat.record == nullptr) continue;
    const Phase phase = seat.record->phase;
    if (phase == Phase::kVoter)
      certain.push_back(&seat);
    else if (phase == Phase::kRemoving || phase == Phase::kLearner)
      maybe.push_back(&seat);
    else
      continue;
    if (phase == Phase::kVoter) loss.up += seat.status != nullptr ? 1U : 0U;
    if (has_data(record, seat))
      loss.with_data.push_back(&seat);
    else if (is_proven_lost(seat))
      loss.lost.push_back(&seat);
    else
      loss.unknown.push_back(&seat);
  }
  loss.voters = certain.size();
  for (const Seat* seat : loss.with_data)
    if (loss.best == nullptr || is_better(*seat, *loss.best)) loss.best = seat;
  const auto whole =
      std::ranges::count_if(certain, [&](const Seat* seat) { return has_data(record, *seat); });
  // Each of the maybe that has no data may have made the quorum larger.
  const auto gone =
      std::ranges::count_if(maybe, [&](const Seat* seat) { return !has_data(record, *seat); });
  if (static_cast<std::size_t>(whole) >= quorum_of(certain.size() + static_cast<std::size_t>(gone)))
    loss.kind = Loss::Kind::kMayReturn;
  else if (may_be_quorum(certain, maybe) || !loss.unknown.empty())
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
  return out;
}

}  // namespace plan
