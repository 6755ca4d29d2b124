#include "support/linearizable.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <unordered_set>

namespace support {
namespace {

using Kind = Operation::Kind;
using Ending = Operation::Ending;
constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();

// The register after the operation; no value: it cannot have been the next.
std::optional<std::int64_t> after(const Operation& op, std::int64_t state) {
  switch (op.kind) {
    case Kind::kRead:
      return op.found == state ? std::optional(state) : std::nullopt;
    case Kind::kWrite:
      return op.value;
    case Kind::kSwap:
      break;
  }
  if (op.ending == Ending::kNotSwapped)
    return state == op.found && state != op.expected ? std::optional(state) : std::nullopt;
  // An unknown swap that found something else is one that never took effect.
  return state == op.expected ? std::optional(op.value) : std::nullopt;
}

// What nobody ever saw may as well not have happened: it constrains nothing, and with it the search
// would try every place of every write that was cut off. In rounds, because an unknown swap that
// goes may have been the only one that saw another.
std::vector<Operation> without_the_unseen(const std::vector<Operation>& all) {
  std::vector<Operation> kept = all;
  for (;;) {
    std::set<std::int64_t> seen;
    for (const auto& op : kept) {
      if (op.kind == Kind::kRead || op.ending == Ending::kNotSwapped) seen.insert(op.found);
      if (op.kind == Kind::kSwap && op.ending != Ending::kNotSwapped) seen.insert(op.expected);
    }
    const auto gone = std::erase_if(kept, [&](const Operation& op) {
      if (op.ending != Ending::kUnknown) return false;
      return op.kind == Kind::kRead || !seen.contains(op.value);
    });
    if (gone == 0) return kept;
  }
}

struct Configuration {
  std::vector<std::uint64_t> taken;  // a bit for each operation that has its place
  std::int64_t state = 0;
  bool operator==(const Configuration&) const = default;
};

struct HashOf {
  std::size_t operator()(const Configuration& c) const {
    auto hash = static_cast<std::uint64_t>(c.state) * 0x9E3779B97F4A7C15U;
    for (const std::uint64_t word : c.taken) hash = (hash ^ word) * 0xFF51AFD7ED558CCDU;
    return static_cast<std::size_t>(hash ^ (hash >> 32U));
  }
};

// Calls and returns in the order of time, as a list from which an operation is lifted when it gets
// its place and into which it is put back when that led nowhere.
class Search {
 public:
  Search(std::vector<Operation> operations, std::size_t limit)
      : ops_(std::move(operations)), limit_(limit) {
    link();
  }

  Verdict::Kind run() {
    here_.taken.assign(ops_.size() / 64 + 1, 0);
    std::size_t at = next_[0];
    while (done_left_ > 0) {
      if (visited_.size() > limit_) return Verdict::Kind::kUndecided;
      const bool is_call = at != kNone && events_[at].is_call;
      if (is_call) {
        at = take(at) ? next_[0] : next_[at];
        continue;
      }
      if (stack_.empty()) return Verdict::Kind::kImpossible;
      at = next_[give_back()];
    }
    return Verdict::Kind::kLinearizable;
  }

  [[nodiscard]] std::size_t visited() const { return visited_.size(); }

  // The longest order that was found, and what had to come next and could not.
  [[nodiscard]] std::string why() const {
    std::string out = fmt::format("{} operations; the longest order that fits has {} of them, ",
                                  ops_.size(), best_.size());
    std::int64_t state = 0;
    for (const std::size_t i : best_) state = after(ops_[i], state).value_or(state);
    out += fmt::format("and leaves {}. The last of them:\n", state);
    const std::size_t first = best_.size() > 12 ? best_.size() - 12 : 0;
    for (std::size_t i = first; i < best_.size(); ++i) out += "  " + to_text(ops_[best_[i]]) + "\n";
    out += "None of these can be next:\n";
    std::vector<std::size_t> open;
    for (std::size_t i = 0; i < ops_.size(); ++i)
      if (std::ranges::find(best_, i) == best_.end()) open.push_back(i);
    std::int64_t first_return = std::numeric_limits<std::int64_t>::max();
    for (const std::size_t i : open) first_return = std::min(first_return, end_of(i));
    for (const std::size_t i : open)
      if (ops_[i].called_ns <= first_return) out += "  " + to_text(ops_[i]) + "\n";
    return out;
  }

 private:
  struct Event {
    std::int64_t at = 0;
    std::size_t op = 0;
    bool is_call = false;
  };
  struct Taken {
    std::size_t call = 0;
    std::int64_t state = 0;  // before it
  };

  [[nodiscard]] std::int64_t end_of(std::size_t op) const {
    return ops_[op].ending == Ending::kUnknown ? std::numeric_limits<std::int64_t>::max()
                                               : ops_[op].returned_ns;
  }

  // Place 0 is the head. An unknown operation has a call and no return.
  void link() {
    for (std::size_t i = 0; i < ops_.size(); ++i) {
      events_.push_back({ops_[i].called_ns, i, true});
      if (ops_[i].ending == Ending::kUnknown) continue;
      events_.push_back({ops_[i].returned_ns, i, false});
      ++done_left_;
    }
    // A call and a return of one instant overlap: the call comes first.
    std::ranges::sort(events_, {},
                      [](const Event& e) { return std::tuple(e.at, !e.is_call, e.op); });
    events_.insert(events_.begin(), Event{});
    next_.resize(events_.size());
    before_.resize(events_.size());
    return_of_.assign(ops_.size(), kNone);
    for (std::size_t i = 0; i < events_.size(); ++i) {
      next_[i] = i + 1 < events_.size() ? i + 1 : kNone;
      before_[i] = i == 0 ? kNone : i - 1;
      if (i > 0 && !events_[i].is_call) return_of_[events_[i].op] = i;
    }
  }

  void unlink(std::size_t at) {
    next_[before_[at]] = next_[at];
    if (next_[at] != kNone) before_[next_[at]] = before_[at];
  }
  void relink(std::size_t at) {
    next_[before_[at]] = at;
    if (next_[at] != kNone) before_[next_[at]] = at;
  }
  void flip(std::size_t op) { here_.taken[op / 64] ^= std::uint64_t{1} << (op % 64); }

  bool take(std::size_t call) {
    const std::size_t op = events_[call].op;
    const auto state = after(ops_[op], here_.state);
    if (!state) return false;
    const std::int64_t old = here_.state;
    flip(op);
    here_.state = *state;
    if (!visited_.insert(here_).second) {
      flip(op);
      here_.state = old;
      return false;
    }
    stack_.push_back({call, old});
    unlink(call);
    if (return_of_[op] != kNone) {
      unlink(return_of_[op]);
      --done_left_;
    }
    if (stack_.size() > best_.size()) {
      best_.clear();
      for (const Taken& t : stack_) best_.push_back(events_[t.call].op);
    }
    return true;
  }

  std::size_t give_back() {
    const Taken last = stack_.back();
    stack_.pop_back();
    const std::size_t op = events_[last.call].op;
    if (return_of_[op] != kNone) {
      relink(return_of_[op]);
      ++done_left_;
    }
    relink(last.call);
    flip(op);
    here_.state = last.state;
    return last.call;
  }

  const std::vector<Operation> ops_;
  const std::size_t limit_;
  std::vector<Event> events_;
  std::vector<std::size_t> next_, before_, return_of_;
  std::size_t done_left_ = 0;
  Configuration here_;
  std::vector<Taken> stack_;
  std::vector<std::size_t> best_;
  std::unordered_set<Configuration, HashOf> visited_;
};

}  // namespace

Verdict check_linearizable(const std::vector<Operation>& history, std::size_t limit) {
  std::map<std::string, std::vector<Operation>> by_key;
  for (const auto& op : history) by_key[op.key].push_back(op);
  Verdict verdict;
  for (const auto& [key, operations] : by_key) {
    Search search(without_the_unseen(operations), limit);
    const auto kind = search.run();
    verdict.configurations += search.visited();
    // An impossible key is the answer, whatever could not be decided.
    if (kind == Verdict::Kind::kLinearizable || verdict.kind == Verdict::Kind::kImpossible)
      continue;
    verdict.kind = kind;
    verdict.text = fmt::format("{}: {}", key, search.why());
  }
  return verdict;
}

std::string to_text(const Operation& op) {
  std::string what;
  switch (op.kind) {
    case Kind::kRead:
      what = fmt::format("read {}", op.found);
      break;
    case Kind::kWrite:
      what = fmt::format("write {}", op.value);
      break;
    case Kind::kSwap:
      what = fmt::format("swap {} for {}", op.expected, op.value);
      break;
  }
  if (op.ending == Ending::kNotSwapped) what += fmt::format(", refused: it holds {}", op.found);
  const auto seconds = [](std::int64_t ns) { return static_cast<double>(ns) / 1e9; };
  if (op.ending == Ending::kUnknown)
    return fmt::format("client {}: {}, outcome unknown [{:.6f} ..]", op.client, what,
                       seconds(op.called_ns));
  return fmt::format("client {}: {} [{:.6f} .. {:.6f} s]", op.client, what, seconds(op.called_ns),
                     seconds(op.returned_ns));
}

}  // namespace support
