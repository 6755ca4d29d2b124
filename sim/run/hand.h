// What befalls a world on every platform: one function for each kind of work.
#pragma once

#include "sim/run/course.h"

namespace sim {

class Hand {
 protected:
  explicit Hand(Course& c) : c_(c), world_(c.world()), dice_(c.dice_), wanted_(c.wanted_) {}
  // False: there was nothing to do it to, or it is not one of these.
  bool common(Work kind);
  bool write(const std::string& key, std::string value);
  [[nodiscard]] std::string some_member();  // with a place; empty: there is none
  void later(base::Duration mean, std::function<void()> act);

  Course& c_;
  World& world_;
  Dice& dice_;
  Wanted& wanted_;

 private:
  bool scale();
  bool upgrade();
  bool revise();
  bool kill();
  bool partition();
  bool freeze();
  bool fill();
};

}  // namespace sim
