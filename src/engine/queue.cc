#include "engine/queue.h"

#include <algorithm>

namespace engine {

Queue::Queue(const base::Clock& clock, base::Random& random, const Options& options)
    : clock_(clock), random_(random), options_(options) {}

void Queue::appoint(const base::ClusterKey& name, Key& key, base::Tick due) {
  if (key.appointment && key.appointment->due <= due) return;
  if (key.appointment) waiting_.erase({*key.appointment, name});
  key.appointment = Appointment{due, ++arrivals_};
  if (!key.working_since) waiting_.insert({*key.appointment, name});
}

base::Status Queue::wake(const base::ClusterKey& key, base::Duration delay) {
  const std::lock_guard lock(mutex_);
  if (!keys_.contains(key) && keys_.size() >= options_.limit)
    return base::fail(base::Code::kResourceExhausted,
                      "the queue is full: " + std::to_string(options_.limit) + " clusters");
  appoint(key, keys_[key], clock_.tick() + delay);
  changed_.notify_one();
  return {};
}

std::optional<base::ClusterKey> Queue::take_due() {
  if (waiting_.empty() || waiting_.begin()->first.due > clock_.tick()) return std::nullopt;
  base::ClusterKey name = waiting_.begin()->second;
  waiting_.erase(waiting_.begin());
  Key& key = keys_[name];
  key.appointment.reset();
  key.working_since = clock_.tick();
  return name;
}

std::optional<base::ClusterKey> Queue::try_take() {
  const std::lock_guard lock(mutex_);
  return take_due();
}

std::optional<base::ClusterKey> Queue::take(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    if (auto name = take_due()) {
      if (!waiting_.empty()) changed_.notify_one();  // another worker minds the next appointment
      return name;
    }
    const auto arrivals = arrivals_;
    const auto news = [&] { return arrivals_ != arrivals; };
    if (waiting_.empty())
      changed_.wait(lock, stop, news);
    else
      changed_.wait_for(lock, stop, waiting_.begin()->first.due - clock_.tick(), news);
  }
  return std::nullopt;
}

void Queue::finish(const base::ClusterKey& name, std::optional<base::Tick> again) {
  const auto found = keys_.find(name);
  if (found == keys_.end() || !found->second.working_since) return;
  Key& key = found->second;
  if (again) appoint(name, key, *again);
  key.working_since.reset();
  if (key.appointment) {
    waiting_.insert({*key.appointment, name});
    ++arrivals_;
    changed_.notify_one();
  } else if (key.failures == 0) {
    keys_.erase(found);
  }
}

void Queue::done(const base::ClusterKey& key, std::optional<base::Duration> again) {
  const std::lock_guard lock(mutex_);
  if (const auto found = keys_.find(key); found != keys_.end()) found->second.failures = 0;
  finish(key, again ? std::optional(clock_.tick() + *again) : std::nullopt);
}

void Queue::failed(const base::ClusterKey& key) {
  const std::lock_guard lock(mutex_);
  const auto found = keys_.find(key);
  if (found == keys_.end()) return;
  const auto wait = options_.backoff.wait(++found->second.failures, random_.next());
  finish(key, clock_.tick() + wait);
}

void Queue::remove(const base::ClusterKey& key) {
  const std::lock_guard lock(mutex_);
  const auto found = keys_.find(key);
  if (found == keys_.end()) return;
  if (found->second.appointment) waiting_.erase({*found->second.appointment, key});
  found->second.appointment.reset();
  found->second.failures = 0;
  if (!found->second.working_since) keys_.erase(found);
}

std::vector<Queue::InWork> Queue::in_work() const {
  const std::lock_guard lock(mutex_);
  std::vector<InWork> out;
  for (const auto& [name, key] : keys_)
    if (key.working_since) out.push_back({name, clock_.tick() - *key.working_since});
  return out;
}

size_t Queue::size() const {
  const std::lock_guard lock(mutex_);
  return static_cast<size_t>(
      std::ranges::count_if(keys_, [](const auto& k) { return k.second.appointment.has_value(); }));
}

std::optional<base::Duration> Queue::next() const {
  const std::lock_guard lock(mutex_);
  if (waiting_.empty()) return std::nullopt;
  return std::max(base::Duration{0}, waiting_.begin()->first.due - clock_.tick());
}

}  // namespace engine
