// What befalls hosts: one function for each kind of work.
#pragma once

#include "sim/run/hand.h"
#include "sim/run/simulation.h"

namespace sim {

class Worker : private Hand {
 public:
  explicit Worker(Simulation& s) : Hand(s), s_(s) {}
  // False: there was nothing to do it to.
  bool work(Work kind);

 private:
  bool steal();
  bool ruin();
  bool jump();
  bool break_disk();
  bool whim();
  bool confuse();
  bool ask_backup();
  bool vandalize();
  void hurt(const std::string& member);

  Simulation& s_;
};

}  // namespace sim
