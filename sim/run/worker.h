// What befalls a world from outside: one function for each kind of work.
#pragma once

#include "sim/run/simulation.h"

namespace sim {

class Worker {
 public:
  explicit Worker(Simulation& s) : s_(s), world_(s.world_), dice_(s.dice_), wanted_(s.wanted_) {}
  // False: there was nothing to do it to.
  bool work(Work kind);

 private:
  bool write(const std::string& key, std::string value);
  bool scale();
  bool upgrade();
  bool revise();
  bool kill();
  bool steal();
  bool ruin();
  bool partition();
  bool freeze();
  bool fill();
  bool jump();
  bool break_disk();
  bool whim();
  bool confuse();
  bool ask_backup();
  bool vandalize();
  [[nodiscard]] std::string some_member();  // with a place; empty: there is none
  void hurt(const std::string& member);
  void later(base::Duration mean, std::function<void()> act);

  Simulation& s_;
  World& world_;
  Dice& dice_;
  Wanted& wanted_;
};

}  // namespace sim
