#include "archive/retention.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <optional>
#include <string>

#include "base/mutants.h"

namespace archive {
namespace {

constexpr std::array<std::string_view, 11> kNames{"",         "unlimited", "count",      "newest",
                                                  "verified", "proven",    "unverified", "hourly",
                                                  "daily",    "weekly",    "monthly"};

using std::chrono::days;
using std::chrono::floor;

// The number of the hour, day, week or month that a time is in.
std::int64_t hour_of(base::Instant at) {
  return floor<std::chrono::hours>(at).time_since_epoch().count();
}
std::int64_t day_of(base::Instant at) {
  return floor<days>(at).time_since_epoch().count();
}
std::int64_t week_of(base::Instant at) {  // from Monday; day 0 was a Thursday
  return floor<std::chrono::weeks>(floor<days>(at).time_since_epoch() + days(3)).count();
}
std::int64_t month_of(base::Instant at) {
  const std::chrono::year_month_day date(floor<days>(at));
  return std::int64_t{static_cast<int>(date.year())} * 12 + static_cast<unsigned>(date.month());
}

}  // namespace

std::string_view name_of(Kept kept) {
  return kNames[static_cast<size_t>(kept)];
}

std::vector<Kept> judge(const std::vector<Held>& held, const Retention& retention) {
  if (retention.max_backups == 0) return std::vector<Kept>(held.size(), Kept::kUnlimited);
  std::vector<Kept> out(held.size(), Kept::kNo);
  const auto keep = [&](size_t i, Kept why) {
    if (out[i] == Kept::kNo) out[i] = why;
  };
  std::vector<size_t> order(held.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::sort(order, [&](size_t a, size_t b) {
    return std::pair(held[a].revision, held[a].time) > std::pair(held[b].revision, held[b].time);
  });

  if (base::mutant(base::Mutant::kPruneByText))
    std::ranges::sort(order, std::greater<>(),
                      [&](size_t i) { return std::to_string(held[i].revision); });

  unsigned verified = 0;
  for (const auto i : order) {
    if (verified >= retention.max_backups) break;
    keep(i, held[i].verified ? Kept::kCount : Kept::kNotBad);
    if (held[i].verified) ++verified;
  }
  for (const auto i : order)
    if (held[i].unknown) keep(i, Kept::kNotBad);
  const auto first = [&](auto what, Kept why) {
    if (const auto at = std::ranges::find_if(order, what); at != order.end()) keep(*at, why);
  };
  if (!base::mutant(base::Mutant::kProvenIsPruned))
    first([&](size_t i) { return held[i].proven && held[i].verified; }, Kept::kProven);
  first([&](size_t i) { return held[i].verified; }, Kept::kVerified);
  if (const auto last = std::ranges::max_element(order, {}, [&](size_t i) { return held[i].time; });
      last != order.end())
    keep(*last, Kept::kNewest);

  const auto tier = [&](Kept why, unsigned count, auto period) {
    std::optional<std::int64_t> before;
    for (const auto i : order) {
      if (count == 0) break;
      if (!held[i].verified) continue;
      const auto now = period(held[i].time);
      if (before == now) continue;
      before = now;
      keep(i, why);
      --count;
    }
  };
  tier(Kept::kHourly, retention.tiers.hourly, hour_of);
  tier(Kept::kDaily, retention.tiers.daily, day_of);
  tier(Kept::kWeekly, retention.tiers.weekly, week_of);
  tier(Kept::kMonthly, retention.tiers.monthly, month_of);
  return out;
}

}  // namespace archive
