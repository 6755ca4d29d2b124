#include "e2e/host/gap_meter.h"

#include <algorithm>

namespace e2e {
namespace {

using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

constexpr std::size_t kClients = 3;
// A move takes some milliseconds. A restart of a member before or after it is not the move.
constexpr auto kAround = 25ms;

double longest(const std::vector<Steady::time_point>& acks, Steady::time_point around) {
  double worst = 0;
  for (std::size_t i = 1; i < acks.size(); ++i)
    if (acks[i] > around - kAround && acks[i - 1] < around + kAround)
      worst =
          std::max(worst, std::chrono::duration<double, std::milli>(acks[i] - acks[i - 1]).count());
  return worst;
}

}  // namespace

GapMeter::GapMeter(const Sandbox& sandbox, const std::string& cluster,
                   std::chrono::milliseconds deadline)
    : deadline_(deadline), acks_(kClients) {
  const auto access = sandbox.access(cluster);
  if (!access) return;
  for (const auto& url : access->endpoints) {
    endpoints_.push_back(std::make_unique<Endpoint>());
    endpoints_.back()->link = etcd::connect(url, access->tls);
  }
  for (const auto& endpoint : endpoints_)
    threads_.emplace_back([this, at = endpoint.get()](std::stop_token stop) { watch(*at, stop); });
  for (std::size_t i = 0; i < kClients; ++i)
    threads_.emplace_back([this, i](std::stop_token stop) { write(i, stop); });
}

std::size_t GapMeter::changes() const {
  const std::lock_guard lock(mutex_);
  return changes_.size();
}

void GapMeter::quiet_ends() {
  const std::lock_guard lock(mutex_);
  quiet_end_ = Steady::now();
}

GapMeter::Stalls GapMeter::stop() {
  for (auto& thread : threads_) thread.request_stop();
  threads_.clear();
  Stalls out;
  for (const auto& acks : acks_) {
    if (acks.empty()) continue;
    for (const auto change : changes_) out.moves.push_back(longest(acks, change));
    for (auto at = acks.front() + 100ms; at + kAround < quiet_end_; at += 100ms)
      out.quiet.push_back(longest(acks, at));
  }
  return out;
}

// What a client does between two tries.
void GapMeter::rest(std::chrono::milliseconds span, std::stop_token stop) {
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, stop, span, [] { return false; });
}

void GapMeter::write(std::size_t client, std::stop_token stop) {
  std::size_t at = client;
  const auto next = [&]() -> Endpoint& {
    for (std::size_t i = 0; i < endpoints_.size(); ++i)
      if (Endpoint& endpoint = *endpoints_[++at % endpoints_.size()]; endpoint.answers)
        return endpoint;
    rest(2ms, stop);
    return *endpoints_[++at % endpoints_.size()];
  };
  for (int n = 0; !stop.stop_requested(); ++n) {
    Endpoint& endpoint = next();
    const auto put =
        endpoint.link->put("gap/" + std::to_string(client), std::to_string(n), deadline_);
    if (!put) {
      endpoint.answers = false;
      continue;
    }
    const std::lock_guard lock(mutex_);
    acks_[client].push_back(Steady::now());
  }
}

void GapMeter::watch(Endpoint& endpoint, std::stop_token stop) {
  for (; !stop.stop_requested(); rest(5ms, stop)) {
    const auto status = endpoint.link->status(base::Duration(2'000));
    endpoint.answers = status.has_value() && status->leader;
    if (endpoint.answers) note_leader(status->leader, status->raft_term);
  }
}

void GapMeter::note_leader(base::MemberId leader, std::uint64_t term) {
  const std::lock_guard lock(mutex_);
  // One that lags behind still names the leader of an older term.
  if (term < term_ || leader == leader_) return;
  if (leader_) changes_.push_back(Steady::now());
  leader_ = leader;
  term_ = term;
}

double median(std::vector<double> values) {
  if (values.empty()) return -1;
  std::ranges::sort(values);
  return values[values.size() / 2];
}

}  // namespace e2e
