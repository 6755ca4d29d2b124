// Doubles for the engine's tests.
#pragma once

#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "base/log.h"
#include "engine/driver.h"
#include "engine/fault_points.h"

namespace engine::testing {

class FakeClock final : public base::Clock {
 public:
  [[nodiscard]] base::Instant now() const override {
    const std::lock_guard lock(mutex_);
    return base::Instant(base::Duration(1'700'000'000'000)) + at_;
  }
  [[nodiscard]] base::Tick tick() const override {
    const std::lock_guard lock(mutex_);
    return base::Tick(at_);
  }
  void advance(base::Duration d) {
    const std::lock_guard lock(mutex_);
    at_ += d;
  }

 private:
  mutable std::mutex mutex_;
  base::Duration at_{1'000};
};

class FakeRandom final : public base::Random {
 public:
  [[nodiscard]] unsigned long long next() override { return 0; }
};

class NullLogger final : public base::Logger {
 public:
  void write(base::Level /*level*/, std::string_view /*event*/,
             const std::vector<base::Field>& /*fields*/) override {}
};

// Writes down every call in order; the answers are scripted.
class FakeDriver final : public Driver {
 public:
  std::vector<std::string> calls;
  Loaded stored;
  base::Status load_answer{}, save_answer{}, publish_answer{};
  std::deque<ApplyResult> apply_answers;  // empty: done
  plan::Observation seen;
  std::vector<api::ClusterStatus> published;
  std::vector<plan::Event> events;

  base::Result<Loaded> load_record() override {
    calls.emplace_back("load");
    if (!load_answer) return std::unexpected(load_answer.error());
    return stored;
  }
  base::Status save_record(const plan::Record& record) override {
    calls.emplace_back("save");
    if (save_answer) stored = {plan::RecordState::kOk, record, ""};
    return save_answer;
  }
  plan::Observation observe(const Job& /*job*/, bool want_hashes,
                            const std::stop_token& /*stop*/) override {
    calls.emplace_back(want_hashes ? "observe+hashes" : "observe");
    return seen;
  }
  ApplyResult apply(const plan::Step& step, const Job& /*job*/,
                    const std::stop_token& /*stop*/) override {
    calls.push_back(plan::to_text(step.action));
    if (apply_answers.empty()) return {};
    ApplyResult answer = apply_answers.front();
    apply_answers.pop_front();
    return answer;
  }
  base::Status publish(const api::ClusterStatus& status,
                       std::span<const plan::Event> told) override {
    calls.emplace_back("publish");
    if (!publish_answer) return publish_answer;
    published.push_back(status);
    events.insert(events.end(), told.begin(), told.end());
    return {};
  }
};

}  // namespace engine::testing
