// The fake guard: what src/guard/supervisor.cc does, on a place of a world. The decision before a
// start, the meaning of an end and the command line are the shipping code's.
#pragma once

#include <string_view>

#include "guard/decide.h"
#include "guard/signatures.h"
#include "sim/world/world.h"

namespace sim {

// A view of one place; made for one call.
class GuardLife {
 public:
  GuardLife(World& world, Place& place) : world_(world), place_(place), guard_(place.guard) {}

  void begin();
  void step();  // what is due now: etcd's end, the end of a wait, a note
  void ask_to_stop();
  void nudge();
  void note_log();
  void die();  // with its etcd, saying nothing

 private:
  void round();
  std::optional<guard::Verdict> prepare(const guard::Decision& decision);
  std::optional<guard::Verdict> build_restored();
  bool dies_at(std::string_view point);
  bool keep_marker(const guard::Marker& marker);
  void run_etcd(const guard::Decision& decision);
  void etcd_ended();
  void conclude(guard::Verdict verdict);
  void write_state(guard::Phase phase);

  World& world_;
  Place& place_;
  Guard& guard_;
};

}  // namespace sim
