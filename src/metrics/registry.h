// The present values of the metrics, and their text for Prometheus.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/declaration.h"

namespace metrics {

// Thread-safe. Label values stand in the order of the declaration's names; a value too few is
// empty, one too many is dropped. A metric keeps at most 20,000 series; what is beyond is counted.
class Registry {
 public:
  using Values = std::initializer_list<std::string_view>;

  void set(const Declaration& gauge, Values labels, double value);
  void add(const Declaration& counter, Values labels, double amount = 1);
  void observe(const Declaration& histogram, Values labels, double value);

  void forget(const Declaration& declaration, Values labels);
  // Forgets a cluster's series in all metrics: what is gone must not be shown for ever.
  void forget_cluster(std::string_view ns, std::string_view name);

  // Text format 0.0.4, sorted by name and labels; only metrics that have a value.
  [[nodiscard]] std::string text() const;

 private:
  struct Series {
    double value = 0;  // of a histogram: the sum
    std::uint64_t count = 0;
    std::vector<std::uint64_t> buckets;  // one more than bounds: +Inf
  };
  using Key = std::vector<std::string>;
  struct Family {
    const Declaration* declaration = nullptr;
    std::map<Key, Series> series;
  };

  static Key key_of(const Declaration& declaration, Values labels);
  Series* find(const Declaration& declaration, Values labels);

  mutable std::mutex mutex_;
  std::map<std::string_view, Family> families_;  // guarded by mutex_
};

}  // namespace metrics
