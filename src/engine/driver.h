// What a platform does for one cluster. The engine calls one driver from one thread at a time;
// every call ends by its deadline or soon after the stop token asks.
#pragma once

#include <span>
#include <stop_token>
#include <string>

#include "api/status.h"
#include "base/result.h"
#include "base/time.h"
#include "plan/plan.h"

namespace engine {

struct Loaded {
  plan::RecordState state = plan::RecordState::kNone;
  plan::Record record;  // empty but for its key unless kOk
  std::string problem;  // of kTorn: what is wrong, for people
};

// What a look and a step are about.
struct Job {
  const plan::Intent& intent;
  const plan::Record& record;
  base::Duration deadline{20'000};
};

struct ApplyResult {
  plan::Outcome outcome = plan::Outcome::kDone;
  std::string text;      // why not kDone; etcd's own words where it has some
  bool damaged = false;  // bytes that were to be read fail their own check
  bool operator==(const ApplyResult&) const = default;
};

class Driver {
 public:
  virtual ~Driver() = default;

  // An error means that it could not be looked at: neither kNone nor kTorn.
  virtual base::Result<Loaded> load_record() = 0;
  // After success the record survives a crash of the machine; after an error the old one does.
  virtual base::Status save_record(const plan::Record& record) = 0;

  // Never fails: what could not be looked at is an unknown fact.
  virtual plan::Observation observe(const Job& job, bool want_hashes,
                                    const std::stop_token& stop) = 0;
  // Reads its preconditions again, then acts once. kMayHaveHappened when no answer tells.
  virtual ApplyResult apply(const plan::Step& step, const Job& job,
                            const std::stop_token& stop) = 0;
  // Best effort: what people and other programs see. After an error the events are told again,
  // with what came since behind them.
  virtual base::Status publish(const api::ClusterStatus& status,
                               std::span<const plan::Event> events) = 0;
};

}  // namespace engine
