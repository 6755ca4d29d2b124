// What a metric is, as data: the registry, the reference page, the alerts and the dashboard are
// made from the same lines.
#pragma once

#include <array>
#include <span>
#include <string_view>

namespace metrics {

enum class Kind { kCounter, kGauge, kHistogram };
enum class Stability {
  kStable,  // name, labels and meaning stay until a new major version
  kAlpha    // may change with any version
};
std::string_view name_of(Kind kind);            // "counter"
std::string_view name_of(Stability stability);  // "stable"

// One for the whole program; told apart by its address. Label values must come from small sets:
// clusters, members, reasons; never ids, texts or times.
struct Declaration {
  std::string_view name;  // with the unit as its end: "etcd_operator_…_seconds"
  Kind kind = Kind::kGauge;
  std::string_view unit;  // "seconds", "bytes", "ratio"; empty: a plain number
  std::string_view help;
  std::array<std::string_view, 4> label_names = {};  // empty from the first unused one on
  Stability stability = Stability::kAlpha;

  [[nodiscard]] constexpr size_t label_count() const {
    size_t count = 0;
    while (count < label_names.size() && !label_names[count].empty()) ++count;
    return count;
  }
};

// Upper bounds of every histogram's buckets, in seconds.
inline constexpr std::array<double, 13> kBuckets{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                                 0.25,  0.5,    1,     2.5,  5,     10};

// Everything in catalog.h, in the order of the reference page.
std::span<const Declaration* const> catalog();

}  // namespace metrics
