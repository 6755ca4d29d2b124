#include "sim/model/liveness.h"

#include <algorithm>

namespace sim::model {

std::vector<Node> cannot_reach_goal(const Store& store, const std::vector<Edge>& edges) {
  // The edges backwards, as one list by their end.
  std::vector<std::uint32_t> begin(store.size() + 1, 0);
  for (const auto& [from, to] : edges) begin[to + 1] += 1;
  for (std::size_t i = 1; i < begin.size(); ++i) begin[i] += begin[i - 1];
  std::vector<Node> sources(edges.size());
  std::vector<std::uint32_t> at(begin.begin(), begin.end() - 1);
  for (const auto& [from, to] : edges) sources[at[to]++] = from;

  std::vector<bool> good(store.size(), false);
  std::vector<Node> open;
  for (Node node = 0; node < store.size(); ++node) {
    if (!store.goal(node) && store.expanded(node)) continue;
    good[node] = true;
    open.push_back(node);
  }
  while (!open.empty()) {
    const Node node = open.back();
    open.pop_back();
    for (std::uint32_t i = begin[node]; i < begin[node + 1]; ++i) {
      if (good[sources[i]]) continue;
      good[sources[i]] = true;
      open.push_back(sources[i]);
    }
  }
  std::vector<Node> out;
  for (Node node = 0; node < store.size(); ++node)
    if (!good[node]) out.push_back(node);
  std::ranges::sort(out, {}, [&](Node node) { return std::pair(store.depth(node), node); });
  return out;
}

}  // namespace sim::model
