// The states that were met: digest, how each was met first, and with which budgets.
//
// A budget is what faults and edits the way to a state has used. A state that was met with less is
// not gone on from again with more: whatever follows was looked at with at least as much to come.
#pragma once

#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "sim/model/hash.h"

namespace sim::model {

using Node = std::uint32_t;
inline constexpr Node kNoNode = std::numeric_limits<Node>::max();
using Step = std::uint64_t;  // its meaning is the model's

struct Used {
  int faults = 0, edits = 0;
  bool operator==(const Used&) const = default;
};

// Reads may run side by side; a change runs alone.
class Store {
 public:
  explicit Store(Used most);  // at most 32 different budgets

  [[nodiscard]] Node find(const Hash128& key) const;  // kNoNode: not met
  // Not met, or only with budgets that are not all within `used`.
  [[nodiscard]] bool is_news(Node node, Used used) const;
  // As is_news, but nothing that is strictly less counts against itself.
  [[nodiscard]] bool is_least(Node node, Used used) const;

  // Meets a state; the way is kept of the first time, or of the first with less than ever before.
  Node meet(const Hash128& key, Used used, Node from, Step by);
  void expand(Node node, bool goal) {
    notes_[node].expanded = true;
    notes_[node].goal = goal;
  }

  [[nodiscard]] std::size_t size() const { return notes_.size(); }
  [[nodiscard]] Node from(Node node) const { return notes_[node].from; }
  [[nodiscard]] Step by(Node node) const { return notes_[node].by; }
  [[nodiscard]] int depth(Node node) const { return notes_[node].depth; }
  [[nodiscard]] bool goal(Node node) const { return notes_[node].goal; }
  [[nodiscard]] bool expanded(Node node) const { return notes_[node].expanded; }
  // The steps from the root to it; the root's number is the first `by`.
  [[nodiscard]] std::pair<Node, std::vector<Step>> way_to(Node node) const;
  [[nodiscard]] std::size_t bytes() const;

 private:
  struct Note {
    Step by = 0;
    Node from = kNoNode;
    std::uint32_t budgets = 0;  // one bit for each with which it was met
    std::uint16_t depth = 0;
    bool goal = false, expanded = false;
  };
  struct Slot {
    Hash128 key;
    Node node = kNoNode;
  };
  [[nodiscard]] std::uint32_t bit(Used used) const;
  [[nodiscard]] std::uint32_t within(Used used, bool strictly) const;
  [[nodiscard]] std::uint32_t at_least(Used used) const;
  void grow();

  Used most_;
  std::vector<Note> notes_;
  std::vector<Slot> slots_;  // open addressing; a power of two
};

}  // namespace sim::model
