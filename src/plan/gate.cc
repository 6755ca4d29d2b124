// What must be understood before anything is touched: a record that can be read, and no data that
// it does not explain.
#include <fmt/format.h>

#include "base/mutants.h"
#include "base/text.h"
#include "plan/concern.h"

namespace plan {
namespace {

constexpr base::Duration kLookAgain{5'000};

}  // namespace

Answer check_record(Context& c) {
  if (c.seen.record_state == RecordState::kTorn)
    return Answer::stop(Reason::kRecordTorn,
                        fmt::format("nothing is touched while the record cannot be used: {}",
                                    c.seen.record_problem),
                        kLookAgain);
  if (c.record.formation != Formation::kNone || c.intent.wish == Wish::kDeleted ||
      mutant(base::Mutant::kStrayDataIsNothing))
    return Answer::nothing();
  const auto& stray = c.seen.stray_data;
  if (stray.is_unknown())
    return Answer::stop(Reason::kStrayData,
                        fmt::format("it cannot be seen whether data of this name exists ({}); a "
                                    "new cluster is not begun before",
                                    stray.why()),
                        kLookAgain);
  if (stray.known() && !stray->empty())
    return Answer::stop(
        Reason::kStrayData,
        fmt::format("data of this name exists that no record explains: {}; put its record back, "
                    "or move the data away to begin a new cluster",
                    base::join(*stray, ", ")),
        kLookAgain);
  // One that was being started when its record was lost: it has its old ticket, and may have data
  // at any moment.
  const auto& running = c.seen.stray_processes;
  if (running.is_unknown())
    return Answer::stop(Reason::kStrayData,
                        fmt::format("it cannot be seen whether a member of this name runs ({}); a "
                                    "new cluster is not begun before",
                                    running.why()),
                        kLookAgain);
  if (running.known() && !running->empty())
    return Answer::stop(
        Reason::kStrayData,
        fmt::format("{} runs, and no record explains it; put its record back, or delete the "
                    "cluster, which stops it, to begin a new one",
                    base::join(*running, ", ")),
        kLookAgain);
  return Answer::nothing();
}

}  // namespace plan
