// What goes wrong between the operator and the world: values, so that a copy of a world goes wrong
// in the same way.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "sim/world/api.h"

namespace sim {

struct Faults {
  // For the next call of that name alone: a plan::Action ("StartMember"), a method of EtcdApi
  // ("member_add"), "load_record", "save_record" or "publish". Of a guard: "restore.begun" and
  // "restore.built", where it dies whatever the fault is.
  std::map<std::string, CallFault, std::less<>> once;
  // Of a thousand calls, drawn from the world's own numbers.
  struct Rates {
    unsigned refused = 0, lost_answer = 0, lost_request = 0;
  };
  Rates etcd_calls, acts, record;
  bool record_disk_full = false;  // the place of the record takes no more bytes

  // What befalls this call; `draw` is used only where a rate is set.
  CallFault next(std::string_view call, const Rates& rates, unsigned long long draw);
};

}  // namespace sim
