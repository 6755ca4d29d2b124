// May the cluster go to a version? Decides by the hazard table and by what runs; the steps of the
// way are roll_out's.
#pragma once

#include <optional>
#include <string>

#include "plan/concern.h"

namespace plan {

struct VersionVerdict {
  enum class Kind {
    kAllowed,
    kRefused,  // as long as the spec asks for it
    kNotYet    // something must be seen first
  };
  Kind kind = Kind::kAllowed;
  Reason reason = Reason::kUpgrade;
  std::string message;  // why not, and the way; or what is going to be done
  bool down = false;    // back to the binary of before
  bool next_minor = false;
  std::uint64_t advance_to = 0;  // kNotYet: the log must reach this index first; 0: no matter
};

VersionVerdict judge_version(const Context& c, const api::Version& to);

}  // namespace plan
