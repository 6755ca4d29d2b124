#include "sim/model/pass.h"

#include "engine/record_codec.h"
#include "sim/world/operator.h"

namespace sim::model {
namespace {

class Injector final : public engine::FaultInjector {
 public:
  explicit Injector(const Twist& twist) : left_(twist.nth) {
    const bool inner = twist.call.find('.') != std::string::npos;
    if (twist.mishap == Mishap::kDieBefore) deadly_ = twist.call + (inner ? "" : ".before");
    if (twist.mishap == Mishap::kDieAfter) deadly_ = twist.call + ".after";
  }
  void at(std::string_view point) override {
    if (point == deadly_ && left_-- == 0) throw Crash{std::string(point)};
    if (point.ends_with(".after")) return;
    if (point.ends_with(".before")) point.remove_suffix(7);
    calls.emplace_back(point);
  }
  std::vector<std::string> calls;

 private:
  std::string deadly_;
  int left_;
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
  Injector injector(twist);
  NoLog log;
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
  if (out.thought && out.thought->seen.quorum_read.known())
    state.ghost.true_read = *out.thought->seen.quorum_read;
  if (out.died) forget_operator(state);
  out.calls = std::move(injector.calls);
  return out;
}

void forget_operator(Cluster& state) {
  state.memory = {};
}

}  // namespace sim::model
