// One life after another of an operator: each ends by a crash and begins with an empty memory.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/world/operator.h"

namespace sim {

class KeptLog final : public base::Logger {
 public:
  void write(base::Level level, std::string_view event,
             const std::vector<base::Field>& fields) override;
  // A new pass begins.
  void begin() { refused_ = went_on = false; }
  std::vector<std::string> lines, errors;
  bool went_on = false;  // after a step that was not done another one was begun

 private:
  bool refused_ = false;
};

// Throws at the point after so many others.
class Fuse final : public engine::FaultInjector {
 public:
  void at(std::string_view point) override;
  void set(unsigned after) { left_ = after; }  // 0: never
  // Called when the operator has looked and before it acts.
  void on_look(std::function<void()> looked) { looked_ = std::move(looked); }
  // Called when a step is about to be carried out.
  void on_act(std::function<void()> acts) { acts_ = std::move(acts); }

 private:
  unsigned left_ = 0;
  std::function<void()> looked_, acts_;
};

class Lives {
 public:
  struct Passed {
    std::optional<base::Duration> again;           // none: the pass failed, or it crashed
    std::string crashed_at;                        // empty: it did not
    std::shared_ptr<const engine::Report> report;  // of this pass; null: there is none
    // What the store held when its first step was about to be carried out; null: none was.
    std::shared_ptr<const std::string> acted_on;
  };
  // The world outlives it.
  explicit Lives(World& world);

  // Crashes at the point after so many others; 0: it does not.
  Passed pass(const plan::Intent& intent, unsigned crash_after);
  void restart();

  // The two halves of a pass, for one that is carried out late.
  std::optional<engine::Report> think(const plan::Intent& intent);
  // Whether to carry it out begins with a record to be stored.
  [[nodiscard]] bool stores_first(const engine::Report& thought) const;
  base::Status carry_out(engine::Report thought);

  [[nodiscard]] KeptLog& log() { return log_; }
  [[nodiscard]] Fuse& fuse() { return fuse_; }

 private:
  World& world_;
  KeptLog log_;
  Fuse fuse_;
  std::shared_ptr<const std::string> acted_on_;
  std::unique_ptr<Operator> operator_;
};

}  // namespace sim
