// One pass over one cluster: record, look, plan, store, act, tell.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/backoff.h"
#include "base/log.h"
#include "base/result.h"
#include "base/time.h"
#include "engine/driver.h"
#include "engine/fault_points.h"

namespace engine {

using Planner = std::function<plan::Plan(const plan::Intent&, const plan::Record&,
                                         const plan::Observation&, base::Instant)>;

// What one pass saw, wanted and did: the source of status, `plan` and the debug page.
struct Report {
  plan::Intent intent;
  plan::Observation seen;
  plan::Plan plan;  // its status is the published one: transition times and problems merged in
  std::optional<plan::LastAct> act;  // of this pass
  std::string problem;               // why the pass could not do its work; empty: it did
  base::Instant at{};
};

struct ReconcilerOptions {
  base::Duration observe_deadline{20'000};
  base::Duration apply_deadline{60'000};
  base::Duration dry_run_waits{5'000};                                 // for the pass in hand
  base::Backoff backoff{base::Duration{500}, base::Duration{30'000}};  // of steps that fail
  // Audited log positions and the time of the last quorum read change in every pass; alone they are
  // stored this often.
  base::Duration store_marks_every{60'000};
  // A status that says the same is told again when its time of the look is this much newer.
  base::Duration tell_again_every{60'000};
};

// What a reconciler carries from one pass to the next: a value, so that it can be copied and
// compared. To begin with an empty one is what a restart of the operator is.
struct Memory {
  std::optional<Loaded> loaded;                // the record as we know it; no value: to be read
  std::shared_ptr<const plan::Record> stored;  // as it is stored (shared by copies); null: none is
  base::Instant stored_at{};
  bool want_hashes = false;
  std::optional<plan::LastAct> last_act;
  unsigned repeats = 0;  // of the same steps in a row, although each was done
  std::string last_steps, last_events;
  std::vector<plan::Event> untold;  // events of earlier passes that could not be published
  std::optional<api::ClusterStatus> published;  // without its time
  std::optional<base::Instant> published_look;  // its time
};

class Reconciler {
 public:
  // All references must outlive it; `faults` may be null.
  struct Parts {
    base::ClusterKey key;
    Driver& driver;
    const base::Clock& clock;
    base::Random& random;
    base::Logger& log;
    Planner planner;
    FaultInjector* faults = nullptr;
  };
  explicit Reconciler(Parts parts, const ReconcilerOptions& options = {}, Memory memory = {});

  // Thinks, then carries out. Gives when to look again. An error: the record could not be read or
  // stored; nothing was done. One thread at a time.
  base::Result<base::Duration> pass(const plan::Intent& intent, const std::stop_token& stop);

  // The two halves of a pass. Thinking reads the record, looks and plans, and changes nothing. What
  // was thought can be carried out late, or never. Each waits for the other.
  base::Result<Report> think(const plan::Intent& intent, const std::stop_token& stop);
  base::Result<base::Duration> carry_out(Report thought, const std::stop_token& stop);

  // Thinks for somebody who asks. A step takes minutes sometimes: Unavailable if the pass in hand
  // does not end soon, Cancelled if asked to stop. Thread-safe.
  base::Result<Report> dry_run(const plan::Intent& intent, const std::stop_token& stop);

  [[nodiscard]] Memory memory() const;
  // Of the newest pass; null before the first. Thread-safe.
  [[nodiscard]] std::shared_ptr<const Report> last() const;

 private:
  base::Result<Report> think_alone(const plan::Intent& intent, const std::stop_token& stop);
  base::Status load();
  plan::Observation look(const plan::Intent& intent, const std::stop_token& stop);
  base::Status store(const plan::Plan& plan, base::Instant now);
  void act(Report& report, const std::stop_token& stop);
  void remember(const plan::Step& step, const ApplyResult& result);
  base::Duration look_again(const Report& report);
  void tell(Report& report);
  void keep(const Report& report);
  std::unexpected<base::Error> give_up(Report report, base::Error why);

  const Parts parts_;
  const ReconcilerOptions options_;
  mutable std::timed_mutex pass_mutex_;  // guards memory_
  Memory memory_;
  mutable std::mutex mutex_;  // guards last_
  std::shared_ptr<const Report> last_;
};

// `status` with the transition times of `before` where the truth is the same.
void keep_transitions(const api::ClusterStatus& before, api::ClusterStatus& status);

}  // namespace engine
