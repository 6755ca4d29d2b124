#include "kube/runner.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <string>

namespace kube {
namespace {

using base::Code;

constexpr base::Duration kListDeadline{60'000};
constexpr base::Duration kLeaseDeadline{5'000};
// The server sends a bookmark a minute; more than twice that without a byte is a dead connection.
constexpr base::Duration kSilence{150'000};
constexpr base::Duration kLongestNap{1'000};

// In naps, because a clock that is set by hand does not wake anybody. False: asked to stop.
bool wait_until(base::Tick when, const base::Clock& clock, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any changed;
  std::unique_lock lock(mutex);
  while (!stop.stop_requested()) {
    const auto left = when - clock.tick();
    if (left.count() <= 0) return true;
    changed.wait_for(lock, stop, std::min(left, kLongestNap), [] { return false; });
  }
  return false;
}

}  // namespace

void run_watch(Watcher& watcher, const Surroundings& around, const OnChanges& on_changes,
               const std::stop_token& stop) {
  const auto tell = [&](const std::vector<Change>& changes) {
    if (!changes.empty() && on_changes) on_changes(changes);
  };
  std::string told;
  size_t bad = 0;
  while (!stop.stop_requested()) {
    const auto next = watcher.next();
    if (!wait_until(next.not_before, around.clock, stop)) return;
    if (next.doing == Watcher::Doing::kList) {
      const auto answer = around.client.call(next.request, kListDeadline, stop);
      tell(watcher.listed(answer, around.clock.tick()));
    } else {
      const auto sink = [&](std::string_view bytes) -> base::Status {
        tell(watcher.heard(bytes, around.clock.tick()));
        if (watcher.ended_early()) return base::fail(Code::kAborted, "nothing more to learn");
        return {};
      };
      const Limits limits{.deadline = next.timeout + kListDeadline, .silence = kSilence};
      const auto how = around.client.stream(next.request, limits, sink, stop);
      watcher.ended(how, around.clock.tick());
    }
    if (stop.stop_requested()) return;
    if (watcher.problem() != told) {
      told = watcher.problem();
      if (!told.empty())
        around.log.warning("watch_failed", {{"request", next.request.what}, {"why", told}});
    }
    if (watcher.bad_objects() != bad)
      around.log.warning("objects_passed_over",
                         {{"request", next.request.what},
                          {"since_start", std::to_string(bad = watcher.bad_objects())}});
  }
}

void run_elector(Elector& elector, const Surroundings& around,
                 const std::function<void(bool)>& on_turn, const std::stop_token& stop) {
  bool leads = false;
  const auto look = [&] {
    if (elector.term().has_value() == leads) return;
    leads = !leads;
    around.log.info("leadership",
                    {{"leads", leads ? "true" : "false"}, {"holder", elector.holder()}});
    if (on_turn) on_turn(leads);
  };
  std::string told;
  while (!stop.stop_requested()) {
    const auto next = elector.next();
    if (!wait_until(next.not_before, around.clock, stop)) break;
    const auto sent_at = around.clock.tick();
    const auto answer = around.client.call(next.request, kLeaseDeadline, stop);
    if (stop.stop_requested()) break;
    elector.answered(answer, sent_at);
    const bool trouble = !answer && answer.error().code != Code::kNotFound &&
                         answer.error().code != Code::kAborted &&
                         answer.error().code != Code::kAlreadyExists;
    if (trouble && told != answer.error().message)
      around.log.warning("lease_failed", {{"why", answer.error().message}});
    told = trouble ? answer.error().message : "";
    look();
  }
  // Without the stop token, which has been asked already; by a deadline of its own.
  if (const auto request = elector.release())
    static_cast<void>(around.client.call(*request, base::Duration(1'000), {}));
  look();
}

}  // namespace kube
