#include "e2e/host/gap_meter.h"

#include <algorithm>

namespace e2e {
namespace {

using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

constexpr std::size_t kClients = 3;

std::vector<std::unique_ptr<etcd::EtcdApi>> link_all(const Access& access) {
  std::vector<std::unique_ptr<etcd::EtcdApi>> links;
  for (const auto& e : access.endpoints) links.push_back(etcd::connect(e, access.tls));
  return links;
}

// The longest gap that touches half a second on either side.
double longest(const std::vector<Steady::time_point>& acks, Steady::time_point around) {
  double worst = 0;
  for (std::size_t i = 1; i < acks.size(); ++i)
    if (acks[i] > around - 500ms && acks[i - 1] < around + 500ms)
      worst =
          std::max(worst, std::chrono::duration<double, std::milli>(acks[i] - acks[i - 1]).count());
  return worst;
}

}  // namespace

GapMeter::GapMeter(const Sandbox& sandbox, const std::string& cluster) : acks_(kClients) {
  const auto access = sandbox.access(cluster);
  if (!access) return;
  for (std::size_t i = 0; i < kClients; ++i)
    clients_.emplace_back([this, i, access](std::stop_token stop) { write(i, *access, stop); });
  clients_.emplace_back([this, access](std::stop_token stop) { watch(*access, stop); });
}

std::size_t GapMeter::changes() const {
  const std::lock_guard lock(mutex_);
  return changes_.size();
}

std::size_t GapMeter::writes() const {
  const std::lock_guard lock(mutex_);
  std::size_t all = 0;
  for (const auto& acks : acks_) all += acks.size();
  return all;
}

void GapMeter::quiet_ends() {
  const std::lock_guard lock(mutex_);
  quiet_end_ = Steady::now();
}

GapMeter::Stalls GapMeter::stop() {
  clients_.clear();
  Stalls out;
  for (const auto& acks : acks_) {
    if (acks.empty()) continue;
    for (const auto change : changes_) out.moves.push_back(longest(acks, change));
    for (auto at = acks.front() + 1s; at + 500ms < quiet_end_; at += 1s)
      out.quiet.push_back(longest(acks, at));
  }
  return out;
}

// What a client does between two tries.
void GapMeter::rest(std::chrono::milliseconds span, std::stop_token stop) {
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, stop, span, [] { return false; });
}

void GapMeter::write(std::size_t client, const Access& access, std::stop_token stop) {
  const auto links = link_all(access);
  std::size_t at = client;
  for (int n = 0; !stop.stop_requested(); ++n) {
    const auto put = links[at % links.size()]->put("gap/" + std::to_string(client),
                                                   std::to_string(n), kShortDeadline);
    if (!put) {
      ++at;
      rest(2ms, stop);
      continue;
    }
    const std::lock_guard lock(mutex_);
    acks_[client].push_back(Steady::now());
  }
}

void GapMeter::watch(const Access& access, std::stop_token stop) {
  const auto links = link_all(access);
  base::MemberId leader;
  std::uint64_t term = 0;
  for (; !stop.stop_requested(); rest(10ms, stop))
    for (const auto& link : links) {
      const auto status = link->status(base::Duration(200));
      // One that lags behind still names the leader of an older term.
      if (!status || !status->leader || status->raft_term < term) continue;
      term = status->raft_term;
      if (status->leader == leader) continue;
      if (leader) {
        const std::lock_guard lock(mutex_);
        changes_.push_back(Steady::now());
      }
      leader = status->leader;
    }
}

double median(std::vector<double> values) {
  if (values.empty()) return -1;
  std::ranges::sort(values);
  return values[values.size() / 2];
}

}  // namespace e2e
