// A proof of who asks that is fetched when it is needed, and anew before it ends.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <utility>

#include "base/result.h"
#include "objstore/store.h"

namespace objstore {

// Thread-safe. While a fetch fails, the old value is given as long as it holds.
template <class T>
class Kept {
 public:
  struct Fresh {
    T value;
    base::Instant expires{};
  };
  using Fetch = std::function<base::Result<Fresh>(base::Instant now, const Call& call)>;
  explicit Kept(Fetch fetch) : fetch_(std::move(fetch)) {}

  base::Result<T> get(base::Instant now, const Call& call) {
    constexpr base::Duration kAhead = std::chrono::minutes(5);
    const std::scoped_lock lock(mutex_);  // one asks, the others wait for what it gets
    if (kept_ && now + kAhead < kept_->expires) return kept_->value;
    auto fresh = fetch_(now, call);
    if (fresh)
      kept_ = *std::move(fresh);
    else if (!kept_ || now >= kept_->expires)
      return std::unexpected(fresh.error());
    return kept_->value;
  }
  template <class Which>
  void forget(const Which& which) {
    const std::scoped_lock lock(mutex_);
    if (kept_ && which(kept_->value)) kept_.reset();
  }

 private:
  const Fetch fetch_;
  std::mutex mutex_;
  std::optional<Fresh> kept_;  // guarded by mutex_
};

}  // namespace objstore
