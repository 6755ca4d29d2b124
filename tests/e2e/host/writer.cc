#include "e2e/host/writer.h"

#include <fmt/format.h>

#include <algorithm>

namespace e2e {
namespace {

using Steady = std::chrono::steady_clock;

std::chrono::milliseconds since(Steady::time_point start) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(Steady::now() - start);
}

}  // namespace

Writer::Writer(std::function<std::optional<Access>()> access, WriterOptions options)
    : access_(std::move(access)), options_(options) {
  for (int i = 0; i < options_.clients; ++i) clients_.emplace_back([this, i] { run(i); });
}

Writer::~Writer() {
  stop();
}

Written Writer::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  clients_.clear();
  const std::lock_guard lock(mutex_);
  return written_;
}

std::size_t Writer::count() const {
  const std::lock_guard lock(mutex_);
  return written_.acknowledged.size();
}

std::optional<Access> Writer::look_up() {
  const std::lock_guard lock(access_mutex_);
  if (Steady::now() - asked_ < std::chrono::seconds(1)) return last_;
  if (auto fresh = access_()) last_ = std::move(fresh);
  asked_ = Steady::now();
  return last_;
}

void Writer::run(int client) {
  const auto pace = std::chrono::milliseconds(1000 * options_.clients / options_.writes_per_second);
  std::optional<Access> access;
  std::vector<std::unique_ptr<etcd::EtcdApi>> links;
  std::size_t next = static_cast<std::size_t>(client);
  for (int n = 0;; ++n) {
    const std::string key = fmt::format("w/{}/{:08}", client, n);
    const auto start = Steady::now();
    std::optional<std::int64_t> revision;
    while (!revision && since(start) < options_.give_up) {
      if (links.empty()) {
        access = look_up();
        if (access)
          for (const auto& e : access->endpoints) links.push_back(etcd::connect(e, access->tls));
      }
      if (!links.empty()) {
        auto put = links[next % links.size()]->put(key, key, options_.try_deadline);
        if (put) revision = *put;
      }
      std::unique_lock lock(mutex_);
      if (stopping_ && !revision) return;  // neither acknowledged nor failed: it was cut short
      if (revision) break;
      if (++next % std::max<std::size_t>(links.size(), 1) == 0) links.clear();
      wake_.wait_for(lock, std::chrono::milliseconds(10), [&] { return stopping_; });
    }
    std::unique_lock lock(mutex_);
    written_.worst_stall = std::max(written_.worst_stall, since(start));
    if (revision) {
      written_.acknowledged[key] = *revision;
      written_.highest_revision = std::max(written_.highest_revision, *revision);
    } else {
      written_.failed.push_back(key);
    }
    if (wake_.wait_until(lock, start + pace, [&] { return stopping_; })) return;
  }
}

}  // namespace e2e
