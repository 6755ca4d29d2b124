#include <utility>

#include "drivers/host/shared.h"

namespace host {
namespace {

constexpr base::Duration kRest{60'000};  // after a failure

}  // namespace

Fetcher::~Fetcher() {
  std::map<std::string, Fetch> fetches;
  {
    const std::lock_guard lock(mutex_);
    fetches.swap(fetches_);
  }
  for (auto& [version, fetch] : fetches) fetch.thread.request_stop();
}

base::Status Fetcher::want(const api::Version& version) {
  if (!options_.fetch)
    return base::fail(base::Code::kFailedPrecondition,
                      "fetching is off; get it with: etcd-operator fetch-etcd " + version.text());
  const std::lock_guard lock(mutex_);
  Fetch& fetch = fetches_[version.text()];
  if (fetch.busy) return {};
  if (!fetch.problem.empty() && clock_.tick() - fetch.ended < kRest)
    return base::fail(base::Code::kUnavailable, fetch.problem);
  fetch.busy = true;
  fetch.problem.clear();
  fetch.thread = std::jthread([this, version](const std::stop_token& stop) { run(version, stop); });
  return {};
}

void Fetcher::run(const api::Version& version, const std::stop_token& stop) {
  const auto progress = [&](const std::string& line) {
    log_.info("fetch_etcd", {{"version", version.text()}, {"step", line}});
  };
  const auto got =
      fetch_etcd(version, {options_.etcd_dir, options_.release_url, true}, progress, stop);
  const std::lock_guard lock(mutex_);
  const auto found = fetches_.find(version.text());
  if (found == fetches_.end()) return;  // the platform ends
  found->second.busy = false;
  found->second.problem = got ? "" : got.error().message;
  found->second.ended = clock_.tick();
  ++ended_;
}

bool Fetcher::busy(const std::string& version) const {
  const std::lock_guard lock(mutex_);
  const auto found = fetches_.find(version);
  return found != fetches_.end() && found->second.busy;
}

unsigned Fetcher::ended() const {
  const std::lock_guard lock(mutex_);
  return ended_;
}

}  // namespace host
