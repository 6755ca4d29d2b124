// What the search needs to know of a world: its first states, what can follow, which states are
// good ends. The search knows nothing of clusters, so that it can be tested with small puzzles.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sim/model/hash.h"
#include "sim/model/store.h"

namespace sim::model {

class State {
 public:
  virtual ~State() = default;
  [[nodiscard]] virtual std::unique_ptr<State> copy() const = 0;
  [[nodiscard]] virtual std::size_t bytes() const = 0;  // about
};

// kGift: costs nothing, and is not counted on to come.
enum class Price { kFree, kGift, kFault, kEdit };

struct Violation {
  std::string rule;  // "S1"; empty: none
  std::string text;
};

// How often each thing was met; what they are called is the model's. One for each thread.
struct Counts {
  std::vector<std::uint64_t> of;
  void add(const Counts& other);
};

struct Follower {
  Step by = 0;
  Price price = Price::kFree;
  std::unique_ptr<State> state;
  Violation violation;
};

struct Expansion {
  std::vector<Follower> followers;
  bool goal = false;  // the state that was gone on from is a good end
};

// Thread-safe.
class Model {
 public:
  virtual ~Model() = default;

  [[nodiscard]] virtual std::size_t roots() const = 0;
  [[nodiscard]] virtual std::unique_ptr<State> root(std::size_t number) const = 0;
  // Everything that can follow, in an order that depends on nothing else. Faults and edits only
  // where they are asked for.
  virtual Expansion expand(const State& state, bool faults, bool edits, Counts& counts) const = 0;
  // Takes one step; false: it is not possible here, and `state` is spoilt.
  virtual bool take(State& state, Step step, Violation& violation, Counts& counts) const = 0;
  // Equal for states that behave alike.
  [[nodiscard]] virtual Hash128 key(const State& state) const = 0;

  [[nodiscard]] virtual std::string text(Step step) const = 0;
  [[nodiscard]] virtual std::string text_of_root(std::size_t number) const = 0;
  [[nodiscard]] virtual Counts no_counts() const = 0;
};

}  // namespace sim::model
