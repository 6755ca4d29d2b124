#include "sim/run/lives.h"

namespace sim {

void KeptLog::write(base::Level level, std::string_view event,
                    const std::vector<base::Field>& fields) {
  std::string line = std::string(event) + " " + base::to_logfmt(fields);
  if (level == base::Level::kError) errors.push_back(line);
  if (event == "step") {
    went_on = went_on || refused_;
    refused_ = level != base::Level::kInfo;
  }
  lines.push_back(std::move(line));
}

void Fuse::at(std::string_view point) {
  if (looked_ && point == "observe.after") looked_();
  // Steps are named in capitals, what belongs to every pass is not.
  const bool step = point.front() >= 'A' && point.front() <= 'Z';
  if (acts_ && step && point.ends_with(".before")) acts_();
  if (left_ == 0 || --left_ > 0) return;
  throw Crash{std::string(point)};
}

Lives::Lives(World& world) : world_(world) {
  fuse_.on_act([this] {
    if (!acted_on_) acted_on_ = world_.record.bytes;
  });
  restart();
}

void Lives::restart() {
  operator_ = std::make_unique<Operator>(world_, base::ClusterKey{"default", "c"}, log_, &fuse_);
}

Lives::Passed Lives::pass(const plan::Intent& intent, unsigned crash_after) {
  Passed out;
  fuse_.set(crash_after);
  log_.begin();
  acted_on_.reset();
  try {
    const auto again = operator_->reconciler().pass(intent, {});
    if (again) out.again = *again;
    out.report = operator_->reconciler().last();
  } catch (const Crash& crash) {
    out.crashed_at = crash.point;
    restart();
  }
  fuse_.set(0);
  out.acted_on = std::move(acted_on_);
  return out;
}

std::optional<engine::Report> Lives::think(const plan::Intent& intent) {
  auto thought = operator_->reconciler().think(intent, {});
  if (!thought) return std::nullopt;
  return *std::move(thought);
}

bool Lives::stores_first(const engine::Report& thought) const {
  const auto stored = operator_->memory().engine.stored;
  return !stored || *stored != thought.plan.record;
}

base::Status Lives::carry_out(engine::Report thought) {
  const auto done = operator_->reconciler().carry_out(std::move(thought), {});
  if (!done) return std::unexpected(done.error());
  return {};
}

}  // namespace sim
