#include "metrics/registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "metrics/catalog.h"

namespace metrics {
namespace {

constexpr size_t kMaxSeries = 20'000;

std::string number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return fmt::format("{}", value);
}

void append_escaped(std::string& out, std::string_view text, bool quotes) {
  for (const char c : text) {
    if (c == '\\')
      out += "\\\\";
    else if (c == '\n')
      out += "\\n";
    else if (c == '"' && quotes)
      out += "\\\"";
    else
      out += c;
  }
}

// `name{a="x",le="1"} value`; `extra` is a label that the declaration does not have.
struct Sample {
  std::string_view suffix = {}, extra_name = {}, extra_value = {};
};

void append_sample(std::string& out, const Declaration& d, const std::vector<std::string>& labels,
                   const Sample& sample, double value) {
  out += d.name;
  out += sample.suffix;
  std::string inside;
  const auto add = [&](std::string_view name, std::string_view text) {
    if (!inside.empty()) inside += ',';
    inside += name;
    inside += "=\"";
    append_escaped(inside, text, true);
    inside += '"';
  };
  for (size_t i = 0; i < labels.size(); ++i) add(d.label_names[i], labels[i]);
  if (!sample.extra_name.empty()) add(sample.extra_name, sample.extra_value);
  if (!inside.empty()) out += '{' + inside + '}';
  out += ' ' + number(value) + '\n';
}

}  // namespace

Registry::Key Registry::key_of(const Declaration& declaration, Values labels) {
  Key key;
  for (const auto value : labels)
    if (key.size() < declaration.label_count()) key.emplace_back(value);
  key.resize(declaration.label_count());
  return key;
}

Registry::Series* Registry::find(const Declaration& declaration, Values labels) {
  auto& family = families_[declaration.name];
  family.declaration = &declaration;
  auto key = key_of(declaration, labels);
  const auto it = family.series.find(key);
  if (it != family.series.end()) return &it->second;
  if (family.series.size() >= kMaxSeries) {
    auto& dropped = families_[kSeriesDropped.name];
    dropped.declaration = &kSeriesDropped;
    dropped.series[{}].value += 1;
    return nullptr;
  }
  auto& series = family.series[std::move(key)];
  if (declaration.kind == Kind::kHistogram) series.buckets.resize(kBuckets.size() + 1);
  return &series;
}

void Registry::set(const Declaration& gauge, Values labels, double value) {
  const std::scoped_lock lock(mutex_);
  if (auto* series = find(gauge, labels)) series->value = value;
}

void Registry::add(const Declaration& counter, Values labels, double amount) {
  const std::scoped_lock lock(mutex_);
  if (auto* series = find(counter, labels)) series->value += amount;
}

void Registry::observe(const Declaration& histogram, Values labels, double value) {
  const std::scoped_lock lock(mutex_);
  auto* series = find(histogram, labels);
  if (series == nullptr) return;
  const auto bound = std::lower_bound(kBuckets.begin(), kBuckets.end(), value);
  ++series->buckets[static_cast<size_t>(bound - kBuckets.begin())];
  ++series->count;
  series->value += value;
}

void Registry::forget(const Declaration& declaration, Values labels) {
  const std::scoped_lock lock(mutex_);
  const auto family = families_.find(declaration.name);
  if (family != families_.end()) family->second.series.erase(key_of(declaration, labels));
}

void Registry::forget_cluster(std::string_view ns, std::string_view name) {
  const std::scoped_lock lock(mutex_);
  for (auto& [metric, family] : families_) {
    const auto& names = family.declaration->label_names;
    if (names[0] != "namespace" || names[1] != "cluster") continue;
    std::erase_if(family.series, [&](const auto& entry) {
      return entry.first[0] == ns && entry.first[1] == name;
    });
  }
}

std::string Registry::text() const {
  const std::scoped_lock lock(mutex_);
  std::string out;
  for (const auto& [name, family] : families_) {
    if (family.series.empty()) continue;
    const auto& d = *family.declaration;
    out += fmt::format("# HELP {} ", d.name);
    append_escaped(out, d.help, false);
    out += fmt::format("\n# TYPE {} {}\n", d.name, name_of(d.kind));
    for (const auto& [labels, series] : family.series) {
      if (d.kind != Kind::kHistogram) {
        append_sample(out, d, labels, {}, series.value);
        continue;
      }
      std::uint64_t below = 0;
      for (size_t i = 0; i < series.buckets.size(); ++i) {
        below += series.buckets[i];
        const auto bound = i < kBuckets.size() ? number(kBuckets[i]) : std::string("+Inf");
        append_sample(out, d, labels,
                      {.suffix = "_bucket", .extra_name = "le", .extra_value = bound},
                      static_cast<double>(below));
      }
      append_sample(out, d, labels, {.suffix = "_sum"}, series.value);
      append_sample(out, d, labels, {.suffix = "_count"}, static_cast<double>(series.count));
    }
  }
  return out;
}

}  // namespace metrics
