// Which backups of one incarnation are kept. Pure.
#pragma once

#include <string_view>
#include <vector>

#include "archive/job.h"
#include "base/time.h"

namespace archive {

struct Held {
  std::int64_t revision = 0;
  base::Instant time{};
  bool verified = false;  // it was judged, and its data is there; nobody found it damaged since
  bool proven = false;    // a cluster was made of it
  bool unknown = false;   // it may well be good, and cannot be judged
};

struct Retention {
  unsigned max_backups = 0;  // verified ones; 0: all are kept
  Tiers tiers = {};
};

// Why one is kept, the strongest reason; kNo: it may go.
enum class Kept {
  kNo,
  kUnlimited,
  kCount,
  kNewest,    // the last that was made, whatever its revision
  kVerified,  // the newest verified one
  kProven,    // the newest proven one
  // Not verified, and fewer than the count of the verified ones are newer, or it is unknown.
  kNotBad,
  kHourly,
  kDaily,
  kWeekly,
  kMonthly
};
std::string_view name_of(Kept kept);  // "count", "newest", …; empty for kNo

// In the order of `held`, which may be any. The newest is the one with the highest revision, of
// equal ones the last.
std::vector<Kept> judge(const std::vector<Held>& held, const Retention& retention);

}  // namespace archive
