// Numbers and names as they are written into canonical bytes: by rank, by order of appearance, by
// age.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/time.h"

namespace sim::model {

class Words {
 public:
  explicit Words(base::Instant now) : now_(now) {}

  void number(std::uint64_t n) {
    while (n >= 0x7f) {
      out_ += static_cast<char>(0x80U | (n & 0x7fU));
      n >>= 7U;
    }
    out_ += static_cast<char>(n);
  }
  template <class E>
  void choice(E e) {
    number(static_cast<std::uint64_t>(e));
  }
  void flag(bool b) { out_ += b ? '\1' : '\0'; }
  void text(std::string_view t) {
    number(t.size());
    out_ += t;
  }
  // Random names and ids: their first appearance numbers them.
  void name(const std::string& n) { number(n.empty() ? 0 : known_of(n)); }
  template <class Tag>
  void id(base::EtcdId<Tag> id) {
    number(id ? known_of(std::string(reinterpret_cast<const char*>(&id.value), 8)) : 0);
  }
  // How long ago: what the planner, the guard and etcd tell apart.
  void age(base::Instant at) {
    using std::chrono::seconds;
    if (at == base::Instant{}) return number(0);
    const auto ago = now_ - at;
    std::uint64_t bucket = 1;
    for (const auto limit : {seconds(10), seconds(31), seconds(61), seconds(121), seconds(301)})
      bucket += ago >= limit ? 1U : 0U;
    number(bucket);
  }
  // How long until: past, a moment, minutes (in steps of five), more than half an hour.
  void until(base::Instant at) {
    const auto left = at - now_;
    if (left.count() <= 0) return number(0);
    if (left <= std::chrono::seconds(10)) return number(1);
    number(2 + static_cast<std::uint64_t>(std::min<std::int64_t>(
                   6, std::chrono::duration_cast<std::chrono::minutes>(left).count() / 5)));
  }

  std::string take() { return std::move(out_); }

 private:
  std::uint64_t known_of(const std::string& n) {
    return known_.try_emplace(n, known_.size() + 1).first->second;
  }
  base::Instant now_;
  std::map<std::string, std::uint64_t> known_;
  std::string out_;
};

// The rank of values among themselves; equal values have equal ranks.
template <class T>
class Ranks {
 public:
  void add(T value) { values_.push_back(std::move(value)); }
  void sort() {
    std::ranges::sort(values_);
    values_.erase(std::unique(values_.begin(), values_.end()), values_.end());
  }
  [[nodiscard]] std::uint64_t of(const T& value) const {
    return static_cast<std::uint64_t>(std::ranges::lower_bound(values_, value) - values_.begin());
  }

 private:
  std::vector<T> values_;
};

}  // namespace sim::model
