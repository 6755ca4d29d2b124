#include "archive/base_taker.h"

#include "archive/run.h"

namespace archive {
namespace {

constexpr base::Duration kAgain{10'000};  // after one that failed

}  // namespace

BaseTaker::BaseTaker(const RunJob& job, const World& world) : job_(job), world_(world) {
  job_.common.scratch += "/base";
  // Any success that is there already was judged and found too old; and epochs of scheduled backups
  // are not counted with those of a log.
  job_.epoch = 0;
  job_.not_before.reset();
  job_.last_revision.reset();
  world_.stop = stop_.get_token();
}

std::optional<std::string> BaseTaker::poll() {
  std::optional<std::string> made;
  if (thread_.joinable()) {
    if (!done_.load(std::memory_order_acquire)) {
      if (wanted_) wanted_while_ = true;
      wanted_ = false;
      return {};
    }
    thread_.join();
    if (report_.outcome == RunOutcome::kUploaded) {
      made = report_.name;
      problem_.clear();
    } else {
      problem_ = report_.error.empty() ? std::string(name_of(report_.outcome)) : report_.error;
      again_ = world_.clock->tick() + kAgain;
      wanted_while_ = true;
    }
    if (wanted_while_) wanted_ = true;
    wanted_while_ = false;
  }
  if (wanted_ && world_.clock->tick() >= again_) {
    wanted_ = false;
    done_ = false;
    world_.pass("follow.base");
    thread_ = std::jthread([this] {
      report_ = run(job_, world_);
      done_.store(true, std::memory_order_release);
    });
  }
  return made;
}

void BaseTaker::stop() {
  stop_.request_stop();
  if (thread_.joinable()) thread_.join();
}

}  // namespace archive
