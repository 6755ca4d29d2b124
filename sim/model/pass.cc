#include "sim/model/pass.h"

#include <algorithm>

#include "engine/record_codec.h"
#include "sim/model/truth.h"
#include "sim/world/operator.h"

namespace sim::model {
namespace {

bool serves(const World& world) {
  return std::ranges::any_of(look_at(world),
                             [](const Serving& each) { return each.leader != nullptr; });
}

class Injector final : public engine::FaultInjector {
 public:
  Injector(const Twist& twist, const World& world) : world_(world), left_(twist.nth) {
    const bool inner = twist.call.find('.') != std::string::npos;
    if (twist.mishap == Mishap::kDieBefore) deadly_ = twist.call + (inner ? "" : ".before");
    if (twist.mishap == Mishap::kDieAfter) deadly_ = twist.call + ".after";
  }
  void at(std::string_view point) override {
    if (point.starts_with("observe.")) served = served || serves(world_);
    if (!acted_on && point.ends_with(".before") && is_step(point)) acted_on = world_.record.version;
    if (point == deadly_ && left_-- == 0) throw Crash{std::string(point)};
    if (point.ends_with(".after")) return;
    if (point.ends_with(".before")) point.remove_suffix(7);
    calls.emplace_back(point);
  }
  std::vector<std::string> calls;
  std::optional<std::uint64_t> acted_on;
  bool served = false;  // when the operator began to look, or when it had looked

 private:
  // Steps are named in capitals, what belongs to every pass is not.
  static bool is_step(std::string_view point) {
    return point.front() >= 'A' && point.front() <= 'Z';
  }

  const World& world_;
  std::string deadly_;
  int left_;
};

// Hears how each step ended.
class StepLog final : public base::Logger {
 public:
  void write(base::Level level, std::string_view event,
             const std::vector<base::Field>& /*fields*/) override {
    if (event != "step") return;
    went_on = went_on || refused_;
    refused_ = level != base::Level::kInfo;
  }
  bool went_on = false;

 private:
  bool refused_ = false;
};

std::optional<CallFault> fault_of(Mishap mishap) {
  switch (mishap) {
    case Mishap::kRefused:
      return CallFault::kRefused;
    case Mishap::kLostAnswer:
      return CallFault::kLostAnswer;
    case Mishap::kLostRequest:
      return CallFault::kLostRequest;
    case Mishap::kNone:
    case Mishap::kDieBefore:
    case Mishap::kDieAfter:
      return std::nullopt;
  }
  return std::nullopt;
}

// What the engine remembers only to say less, not to decide.
void forget_words(engine::Memory& memory) {
  memory.last_steps.clear();
  memory.last_events.clear();
  memory.untold.clear();
  memory.published.reset();
  memory.repeats = 0;
}

void note_record(Cluster& state, std::uint64_t before, bool unclear) {
  if (state.world.record.version == before) return;
  state.torn = false;
  if (!unclear && state.memory.engine.stored) {
    state.stored = state.memory.engine.stored;
    return;
  }
  state.stored.reset();
  if (!state.world.record.bytes) return;
  if (auto record = engine::decode_record(*state.world.record.bytes))
    state.stored = std::make_shared<const plan::Record>(std::move(*record));
}

}  // namespace

Passed pass(Cluster& state, const Twist& twist) {
  Passed out;
  Injector injector(twist, state.world);
  StepLog log;
  const std::uint64_t before = state.world.record.version;
  if (const auto fault = fault_of(twist.mishap)) state.world.faults.once[twist.call] = *fault;
  {
    Operator operating(state.world, key_of_cluster(), log, &injector, std::move(state.memory));
    engine::Reconciler& engine = operating.reconciler();
    try {
      const std::stop_token never;
      if (auto thought = engine.think(state.intent, never)) {
        out.thought = *thought;
        (void)engine.carry_out(std::move(*thought), never);
        if (const auto last = engine.last()) out.thought = *last;
      }
    } catch (const Crash&) {
      out.died = true;
    }
    state.memory = operating.memory();
  }
  state.world.faults.once.clear();
  state.passed = true;
  forget_words(state.memory.engine);
  note_record(state, before, out.died || twist.mishap != Mishap::kNone);
  // Its own word is not enough: it may have asked one member alone.
  if (injector.served && out.thought && out.thought->seen.quorum_read.known())
    state.ghost.true_read = *out.thought->seen.quorum_read;
  if (out.died) forget_operator(state);
  out.calls = std::move(injector.calls);
  out.acted_on = injector.acted_on;
  out.went_on = log.went_on;
  return out;
}

void forget_operator(Cluster& state) {
  state.memory = {};
}

}  // namespace sim::model
