#include "sim/model/store.h"

#include <algorithm>

namespace sim::model {

Store::Store(Used most) : most_(most), slots_(std::size_t{1} << 16U) {}

std::uint32_t Store::bit(Used used) const {
  return 1U << static_cast<unsigned>(used.faults * (most_.edits + 1) + used.edits);
}

std::uint32_t Store::within(Used used, bool strictly) const {
  std::uint32_t out = 0;
  for (int faults = 0; faults <= used.faults; ++faults)
    for (int edits = 0; edits <= used.edits; ++edits) out |= bit({faults, edits});
  return strictly ? out & ~bit(used) : out;
}

std::uint32_t Store::at_least(Used used) const {
  std::uint32_t out = 0;
  for (int faults = used.faults; faults <= most_.faults; ++faults)
    for (int edits = used.edits; edits <= most_.edits; ++edits) out |= bit({faults, edits});
  return out;
}

Node Store::find(const Hash128& key) const {
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t at = key.lo & mask;; at = (at + 1) & mask) {
    if (slots_[at].node == kNoNode) return kNoNode;
    if (slots_[at].key == key) return slots_[at].node;
  }
}

bool Store::is_news(Node node, Used used) const {
  return node == kNoNode || (notes_[node].budgets & within(used, false)) == 0;
}

bool Store::is_least(Node node, Used used) const {
  return (notes_[node].budgets & within(used, true)) == 0;
}

Node Store::meet(const Hash128& key, Used used, Node from, Step by) {
  const int depth = from == kNoNode ? 0 : notes_[from].depth + 1;
  if (const Node known = find(key); known != kNoNode) {
    Note& note = notes_[known];
    // With less than ever before: the way of now is the better one. It cannot lead through itself,
    // because whatever was met behind this state had used at least what this state had.
    if (note.from != kNoNode && (note.budgets & ~at_least(used)) == 0 && is_news(known, used)) {
      note.from = from;
      note.by = by;
      note.depth = static_cast<std::uint16_t>(depth);
    }
    note.budgets |= bit(used);
    return known;
  }
  if ((notes_.size() + 1) * 10 > slots_.size() * 7) grow();
  const Node node = static_cast<Node>(notes_.size());
  notes_.push_back({by, from, bit(used), static_cast<std::uint16_t>(depth), false, false});
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = key.lo & mask;
  while (slots_[at].node != kNoNode) at = (at + 1) & mask;
  slots_[at] = {key, node};
  return node;
}

void Store::grow() {
  std::vector<Slot> wider(slots_.size() * 2);
  const std::size_t mask = wider.size() - 1;
  for (const Slot& slot : slots_) {
    if (slot.node == kNoNode) continue;
    std::size_t at = slot.key.lo & mask;
    while (wider[at].node != kNoNode) at = (at + 1) & mask;
    wider[at] = slot;
  }
  slots_ = std::move(wider);
}

std::pair<Node, std::vector<Step>> Store::way_to(Node node) const {
  std::vector<Step> steps;
  while (notes_[node].from != kNoNode) {
    steps.push_back(notes_[node].by);
    node = notes_[node].from;
  }
  std::ranges::reverse(steps);
  return {node, steps};
}

std::size_t Store::bytes() const {
  return notes_.capacity() * sizeof(Note) + slots_.capacity() * sizeof(Slot);
}

}  // namespace sim::model
