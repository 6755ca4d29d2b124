// What deserves a person's attention, as data: the Prometheus rules and the runbook pages are made
// from it. An expression may only use metrics of catalog.h and of etcd itself.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace metrics {

enum class Severity { kCritical, kWarning };
std::string_view name_of(Severity severity);  // "critical"

struct Alert {
  std::string_view name;
  std::string expression;
  std::string_view lasting;  // "5m"; how long it must hold
  Severity severity = Severity::kWarning;
  std::string_view summary;  // one line, with {{ $labels.… }}
  // The runbook page.
  std::string_view meaning, look, act;
};

std::span<const Alert> alerts();

// Of etcd's own metrics those that the alerts and the dashboard use.
std::span<const std::string_view> etcd_metrics();

}  // namespace metrics
