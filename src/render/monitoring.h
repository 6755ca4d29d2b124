// Alerts, dashboard and scrape objects from the declarations in src/metrics. Pure.
#pragma once

#include <string>

#include "json/value.h"

namespace render {

// The groups of a Prometheus rule file; `runbooks` is where the pages are, without a slash at its
// end.
json::Value alert_groups(const std::string& runbooks);
json::Value prometheus_rule(const std::string& runbooks);  // the Prometheus operator's object
json::Value service_monitor();                             // the operator
json::Value pod_monitor();                                 // the members, in every namespace
json::Value dashboard();                                   // Grafana's JSON
// docs/runbook/NAME.md of one alert.
std::string runbook_page(size_t alert);

}  // namespace render
