// The tiers of a retention as JSON: in jobs and in manifests.
#pragma once

#include "archive/fields.h"
#include "archive/job.h"

namespace archive {

template <class A, Is<Tiers> X>
void fields(A& a, X& x) {
  a("hourly", x.hourly);
  a("daily", x.daily);
  a("weekly", x.weekly);
  a("monthly", x.monthly);
}
}  // namespace archive
