// The model of one cluster in its world: roots, followers, keys.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "sim/model/begun.h"
#include "sim/model/cluster.h"
#include "sim/model/steps.h"
#include "sim/model/tally.h"

namespace sim::model {

struct Scenario {
  int members = 3;  // roots: every size from 1 to this
  // "bootstrap", "formed", "old", "new"; empty: all of these. "begun", or the name of one of those.
  std::string from;
  bool symmetric = false;  // see canonical()
  // Happen to every root before it is one, as text_of(Event) has them; where one cannot happen
  // there is no such root.
  std::vector<std::string> first;
};

class ClusterModel final : public Model {
 public:
  explicit ClusterModel(const Scenario& scenario);

  [[nodiscard]] std::size_t roots() const override { return roots_.size(); }
  [[nodiscard]] std::unique_ptr<State> root(std::size_t number) const override;
  Expansion expand(const State& state, bool faults, bool edits, Counts& counts) const override;
  bool take(State& state, Step step, Violation& violation, Counts& counts) const override;
  [[nodiscard]] Hash128 key(const State& state) const override;
  [[nodiscard]] std::string text(Step step) const override { return text_of(unpack(step)); }
  [[nodiscard]] std::string text_of_root(std::size_t number) const override;
  [[nodiscard]] Counts no_counts() const override { return no_tally(); }

  // The names that `from` may have.
  static std::vector<std::string> scenarios();

 private:
  struct Root {
    std::string name;
    std::unique_ptr<Cluster> state;
  };
  void add_begun(const Begun& begun);
  void add_root(std::string name, int size, const api::Version& version, bool formed);
  void add(Expansion& out, const Cluster& from, const Event& event, Counts& counts) const;

  Scenario scenario_;
  std::vector<Root> roots_;
};

}  // namespace sim::model
