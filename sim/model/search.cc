#include "sim/model/search.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <thread>
#include <unordered_map>

#include "sim/model/liveness.h"

namespace sim::model {
namespace {

constexpr std::size_t kChunk = 256;
constexpr std::size_t kStuckKept = 3;
constexpr base::Duration kSayEvery{10'000};

// A state that waits to be gone on from; without the state itself it is made again from its way.
struct Item {
  Node node = kNoNode;
  std::unique_ptr<State> state;
};

struct Next {
  Step by = 0;
  Price price = Price::kFree;
  Node node = kNoNode;  // known already
  Hash128 key;
  std::unique_ptr<State> state;
  Violation violation;
};

struct Work {
  Item item;
  bool skip = false, goal = false;
  std::vector<Next> next;
};

class Search {
 public:
  Search(const Model& model, const Bounds& bounds, const base::Clock* clock,
         void (*say)(const std::string&))
      : model_(model), bounds_(bounds), clock_(clock), say_(say), store_(bounds.most) {
    started_ = said_ = clock_ == nullptr ? base::Tick{} : clock_->tick();
  }

  Found run() {
    found_.counts = model_.no_counts();
    for (std::size_t i = 0; i < model_.roots(); ++i) add_root(i);
    bool stopped = false;
    for (Layer& layer : order()) {
      auto& queue = queues_[{layer.used.faults, layer.used.edits}];
      while (!queue.empty() && !stopped) {
        chunk(queue, layer);
        stopped = out_of_bounds() || (!found_.violations.empty() && !bounds_.keep_going);
      }
      layer.open = queue.size();
      found_.layers.push_back(layer);
    }
    return finish();
  }

 private:
  using Budget = std::pair<int, int>;

  std::vector<Layer> order() const {
    std::vector<Layer> out;
    const int sums = std::min(bounds_.most.faults + bounds_.most.edits, bounds_.together);
    for (int sum = 0; sum <= sums; ++sum)
      for (int faults = std::min(sum, bounds_.most.faults); faults >= 0; --faults)
        if (sum - faults <= bounds_.most.edits) out.push_back({{faults, sum - faults}, 0, 0, 0});
    return out;
  }

  void add_root(std::size_t number) {
    auto state = model_.root(number);
    const Hash128 key = model_.key(*state);
    if (store_.find(key) != kNoNode) return;
    const Node node = store_.meet(key, {}, kNoNode, number);
    queues_[{0, 0}].push_back({node, std::move(state)});
  }

  bool out_of_bounds() const {
    if (bounds_.states != 0 && store_.size() >= bounds_.states) return true;
    return clock_ != nullptr && bounds_.time.count() > 0 &&
           clock_->tick() - started_ >= bounds_.time;
  }

  std::unique_ptr<State> make_again(Node node, Counts& scrap) const {
    std::vector<Step> steps;
    auto at = anchors_.find(node);
    while (at == anchors_.end() && store_.from(node) != kNoNode) {
      steps.push_back(store_.by(node));
      node = store_.from(node);
      at = anchors_.find(node);
    }
    auto state = at != anchors_.end() ? at->second->copy() : model_.root(store_.by(node));
    Violation ignored;
    for (auto step = steps.rbegin(); step != steps.rend(); ++step)
      model_.take(*state, *step, ignored, scrap);
    return state;
  }

  void go_on(Work& work, Used used, Counts& counts, Counts& scrap) const {
    if (!store_.is_least(work.item.node, used)) {
      work.skip = true;
      return;
    }
    if (!work.item.state) work.item.state = make_again(work.item.node, scrap);
    const bool more = used.faults + used.edits < bounds_.together;
    const bool faults = more && used.faults < bounds_.most.faults;
    const bool edits = more && used.edits < bounds_.most.edits;
    Expansion expansion = model_.expand(*work.item.state, faults, edits, counts);
    work.goal = expansion.goal;
    for (Follower& follower : expansion.followers) {
      Next next{follower.by, follower.price, kNoNode, {}, nullptr, follower.violation};
      next.key = model_.key(*follower.state);
      next.node = store_.find(next.key);
      if (store_.is_news(next.node, after(used, next.price))) {
        next.state = std::move(follower.state);
      } else if (next.price != Price::kFree && next.violation.rule.empty()) {
        continue;
      }
      work.next.push_back(std::move(next));
    }
  }

  static Used after(Used used, Price price) {
    used.faults += price == Price::kFault ? 1 : 0;
    used.edits += price == Price::kEdit ? 1 : 0;
    return used;
  }

  void chunk(std::deque<Item>& queue, Layer& layer) {
    std::vector<Work> works(std::min(kChunk, queue.size()));
    for (Work& work : works) {
      work.item = std::move(queue.front());
      if (work.item.state) kept_ -= work.item.state->bytes();
      queue.pop_front();
    }
    std::atomic<std::size_t> at{0};
    std::vector<Counts> counts(bounds_.threads, model_.no_counts());
    const auto run = [&](std::size_t thread) {
      Counts scrap = model_.no_counts();
      for (std::size_t i = at++; i < works.size(); i = at++)
        go_on(works[i], layer.used, counts[thread], scrap);
    };
    {
      std::vector<std::jthread> others;
      for (unsigned i = 1; i < bounds_.threads; ++i) others.emplace_back(run, i);
      run(0);
    }
    for (const Counts& c : counts) found_.counts.add(c);
    for (Work& work : works) take_over(work, layer);
    progress(layer, queue.size());
  }

  void take_over(Work& work, Layer& layer) {
    if (work.skip) return;
    const Node from = work.item.node;
    layer.states += 1;
    layer.depth = std::max(layer.depth, store_.depth(from));
    if (store_.depth(from) >= bounds_.endless) return endless(from);
    const bool first = !store_.expanded(from);
    store_.expand(from, work.goal);
    for (Next& next : work.next) {
      found_.followers += 1;
      if (!next.violation.rule.empty()) violated(from, next);
      const Used used = after(layer.used, next.price);
      if (next.state && store_.is_news(store_.find(next.key), used)) {
        const Node node = store_.meet(next.key, used, from, next.by);
        queue(node, used, std::move(next.state));
      }
      if (first && next.price == Price::kFree) edges_.emplace_back(from, store_.find(next.key));
    }
    const bool last = layer.used == bounds_.most;
    if (!last && anchored_ + work.item.state->bytes() < bounds_.memory / 2) {
      anchored_ += work.item.state->bytes();
      anchors_.try_emplace(from, std::move(work.item.state));
    }
  }

  void queue(Node node, Used used, std::unique_ptr<State> state) {
    if (kept_ + state->bytes() > bounds_.memory / 2) state.reset();
    if (state) kept_ += state->bytes();
    queues_[{used.faults, used.edits}].push_back({node, std::move(state)});
  }

  void violated(Node from, const Next& next) {
    const auto same = [&](const Trace& t) { return t.violation.rule == next.violation.rule; };
    if (std::ranges::any_of(found_.violations, same)) return;
    auto [root, steps] = store_.way_to(from);
    steps.push_back(next.by);
    found_.violations.push_back({store_.by(root), std::move(steps), next.violation});
  }

  // What repeats itself meets the states that it met before: this goes on with ever new ones.
  void endless(Node node) {
    if (std::ranges::any_of(found_.violations,
                            [](const Trace& t) { return t.violation.rule == "E"; }))
      return;
    auto [root, steps] = store_.way_to(node);
    const auto text =
        fmt::format("after {} steps there is no end, and nothing repeats itself", bounds_.endless);
    found_.violations.push_back({store_.by(root), std::move(steps), {"E", text}});
  }

  void progress(const Layer& layer, std::size_t open) {
    if (say_ == nullptr || clock_ == nullptr || clock_->tick() - said_ < kSayEvery) return;
    said_ = clock_->tick();
    say_(fmt::format("{} s: {} states; {} faults and {} edits: {} done, {} open, depth {}",
                     std::chrono::duration_cast<std::chrono::seconds>(said_ - started_).count(),
                     store_.size(), layer.used.faults, layer.used.edits, layer.states, open,
                     layer.depth));
  }

  Found finish() {
    found_.states = store_.size();
    found_.bytes = store_.bytes() + edges_.capacity() * sizeof(Edge);
    found_.exhausted = true;
    for (const Layer& layer : found_.layers) {
      found_.exhausted = found_.exhausted && layer.open == 0;
      found_.depth = std::max(found_.depth, layer.depth);
    }
    anchors_.clear();
    queues_.clear();
    const auto stuck = cannot_reach_goal(store_, edges_);
    found_.stuck_states = stuck.size();
    for (std::size_t i = 0; i < std::min(stuck.size(), kStuckKept); ++i) {
      auto [root, steps] = store_.way_to(stuck[i]);
      found_.stuck.push_back({store_.by(root), std::move(steps), {"L", "no good end"}});
    }
    if (store_.size() > 0) {
      auto [root, steps] = store_.way_to(static_cast<Node>(store_.size() - 1));
      found_.deepest = {store_.by(root), std::move(steps), {"-", "the state that was met last"}};
    }
    return std::move(found_);
  }

  const Model& model_;
  const Bounds& bounds_;
  const base::Clock* clock_;
  void (*say_)(const std::string&);
  base::Tick started_{}, said_{};
  Store store_;
  std::vector<Edge> edges_;
  std::map<Budget, std::deque<Item>> queues_;
  std::unordered_map<Node, std::unique_ptr<State>> anchors_;  // what others are made again from
  std::size_t kept_ = 0, anchored_ = 0;                       // bytes
  Found found_;
};

}  // namespace

void Counts::add(const Counts& other) {
  for (std::size_t i = 0; i < of.size(); ++i) of[i] += other.of[i];
}

Found search(const Model& model, const Bounds& bounds, const base::Clock* clock,
             void (*say)(const std::string&)) {
  return Search(model, bounds, clock, say).run();
}

}  // namespace sim::model
