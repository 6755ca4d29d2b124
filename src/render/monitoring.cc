#include "render/monitoring.h"

#include <fmt/format.h>

#include <utility>

#include "metrics/alerts.h"
#include "metrics/catalog.h"
#include "render/kubernetes.h"

namespace render {
namespace {

using json::Array;
using json::Object;
using json::Value;

Value monitor(std::string_view kind, std::string_view name, Object spec) {
  return Object{
      {"apiVersion", "monitoring.coreos.com/v1"},
      {"kind", kind},
      {"metadata", Object{{"name", name},
                          {"namespace", "etcd-operator-system"},
                          {"labels", Object{{"app.kubernetes.io/name", "etcd-operator"}}}}},
      {"spec", std::move(spec)}};
}

// What a panel draws of a metric.
std::string query_of(const metrics::Declaration& metric) {
  std::string_view filter;
  if (metric.label_names[1] == "cluster")
    filter = R"({namespace=~"$namespace",cluster=~"$cluster"})";
  else if (metric.label_names[0] == "namespace")
    filter = R"({namespace=~"$namespace"})";
  switch (metric.kind) {
    case metrics::Kind::kCounter:
      return fmt::format("rate({}{}[5m])", metric.name, filter);
    case metrics::Kind::kHistogram:
      return fmt::format("histogram_quantile(0.99, sum by (le) (rate({}_bucket{}[5m])))",
                         metric.name, filter);
    case metrics::Kind::kGauge:
      // Times are shown as what is left or has passed.
      return metric.name.ends_with("_timestamp_seconds")
                 ? fmt::format("abs({}{} - time())", metric.name, filter)
                 : fmt::format("{}{}", metric.name, filter);
  }
  std::unreachable();
}

std::string legend_of(const metrics::Declaration& metric) {
  std::string out;
  for (size_t i = 0; i < metric.label_count(); ++i)
    out += fmt::format("{}{{{{{}}}}}", out.empty() ? "" : " ", metric.label_names.at(i));
  return out.empty() ? std::string(metric.name) : out;
}

class Dashboard {
 public:
  void row(std::string_view title) {
    if (column_ > 0) next_line();
    panels_.push_back(Object{{"type", "row"},
                             {"title", title},
                             {"collapsed", false},
                             {"id", static_cast<std::int64_t>(panels_.size() + 1)},
                             {"gridPos", place(24, 1)},
                             {"panels", Array{}}});
    line_ += 1;
  }

  void panel(std::string_view title, std::string_view description, std::string_view unit,
             const std::string& query, const std::string& legend) {
    panels_.push_back(Object{
        {"type", "timeseries"},
        {"title", title},
        {"description", description},
        {"id", static_cast<std::int64_t>(panels_.size() + 1)},
        {"gridPos", place(8, 7)},
        {"datasource", source()},
        {"fieldConfig", Object{{"defaults", Object{{"unit", unit}}}, {"overrides", Array{}}}},
        {"targets", Array{Object{{"refId", "A"},
                                 {"datasource", source()},
                                 {"expr", query},
                                 {"legendFormat", legend}}}}});
    column_ += 8;
    if (column_ == 24) next_line();
  }

  void metric(const metrics::Declaration& m) {
    const std::string_view unit = m.unit == "bytes" ? "bytes" : m.unit == "seconds" ? "s" : "short";
    panel(m.name, m.help, unit, query_of(m), legend_of(m));
  }

  Value whole() {
    return Object{
        {"title", "etcd clusters"},
        {"uid", "etcd-operator"},
        {"tags", Array{"etcd"}},
        {"schemaVersion", 39},
        {"editable", true},
        {"refresh", "30s"},
        {"time", Object{{"from", "now-3h"}, {"to", "now"}}},
        {"templating",
         Object{
             {"list",
              Array{Object{{"name", "datasource"}, {"type", "datasource"}, {"query", "prometheus"}},
                    variable("namespace", ""),
                    variable("cluster", R"({namespace=~"$namespace"})")}}}},
        {"panels", std::move(panels_)}};
  }

 private:
  static Value source() { return Object{{"type", "prometheus"}, {"uid", "${datasource}"}}; }

  static Value variable(std::string_view label, std::string_view filter) {
    const auto query =
        fmt::format("label_values({}{}, {})", metrics::kClusterCondition.name, filter, label);
    return Object{
        {"name", label},          {"type", "query"},
        {"datasource", source()}, {"query", query},
        {"refresh", 2},           {"includeAll", true},
        {"multi", true},          {"current", Object{{"text", "All"}, {"value", "$__all"}}}};
  }

  [[nodiscard]] Value place(int width, int height) const {
    return Object{{"x", column_}, {"y", line_}, {"w", width}, {"h", height}};
  }
  void next_line() {
    line_ += 7;
    column_ = 0;
  }

  Array panels_;
  int line_ = 0, column_ = 0;
};

void add_etcd_panels(Dashboard& out) {
  for (const auto name : metrics::etcd_metrics()) {
    const std::string filter = R"({namespace=~"$namespace",pod=~"($cluster)-.*"})";
    const bool histogram = name.ends_with("_duration_seconds") || name.ends_with("_time_seconds");
    const std::string query =
        histogram
            ? fmt::format("histogram_quantile(0.99, sum by (pod, le) (rate({}_bucket{}[5m])))",
                          name, filter)
        : name.ends_with("_total") ? fmt::format("rate({}{}[5m])", name, filter)
                                   : fmt::format("{}{}", name, filter);
    const std::string_view unit = histogram ? "s" : name.ends_with("_bytes") ? "bytes" : "short";
    out.panel(name, histogram ? "99th percentile, as etcd itself tells" : "as etcd itself tells",
              unit, query, "{{pod}}");
  }
}

}  // namespace

Value alert_groups(const std::string& runbooks) {
  Array rules;
  for (const auto& alert : metrics::alerts())
    rules.push_back(Object{
        {"alert", alert.name},
        {"expr", alert.expression},
        {"for", alert.lasting},
        {"labels", Object{{"severity", metrics::name_of(alert.severity)}}},
        {"annotations", Object{{"summary", alert.summary},
                               {"description", alert.meaning},
                               {"runbook_url", fmt::format("{}/{}.md", runbooks, alert.name)}}}});
  return Object{{"groups", Array{Object{{"name", "etcd-operator"}, {"rules", std::move(rules)}}}}};
}

Value prometheus_rule(const std::string& runbooks) {
  auto groups = alert_groups(runbooks);
  return monitor("PrometheusRule", "etcd-operator", *groups.if_object());
}

Value service_monitor() {
  return monitor(
      "ServiceMonitor", "etcd-operator",
      {{"selector", Object{{"matchLabels", Object{{"app.kubernetes.io/name", "etcd-operator"}}}}},
       {"endpoints",
        // The clusters' own labels namespace and cluster must stay theirs.
        Array{Object{{"port", "http"}, {"interval", "30s"}, {"honorLabels", true}}}}});
}

Value pod_monitor() {
  return monitor(
      "PodMonitor", "etcd-members",
      {{"namespaceSelector", Object{{"any", true}}},
       {"selector",
        Object{{"matchLabels", Object{{"app.kubernetes.io/name", "etcd"},
                                      {"app.kubernetes.io/managed-by", "etcd-operator"}}}}},
       {"podTargetLabels", Array{Value(kClusterLabel)}},
       {"podMetricsEndpoints", Array{Object{{"port", "metrics"}, {"interval", "30s"}}}}});
}

Value dashboard() {
  Dashboard out;
  const auto all = [&](std::string_view title, std::string_view first, std::string_view second) {
    out.row(title);
    for (const auto* metric : metrics::catalog())
      if (metric->name.starts_with(first) || (!second.empty() && metric->name.starts_with(second)))
        out.metric(*metric);
  };
  all("Clusters", "etcd_operator_cluster_", "etcd_operator_certificate");
  all("Members", "etcd_operator_member_", "");
  all("EtcdBackup objects", "etcd_operator_backup_request_", "");
  out.row("etcd");
  add_etcd_panels(out);
  out.row("Operator");
  for (const auto* metric : metrics::catalog())
    if (!metric->name.starts_with("etcd_operator_cluster_") &&
        !metric->name.starts_with("etcd_operator_certificate") &&
        !metric->name.starts_with("etcd_operator_backup_request_") &&
        !metric->name.starts_with("etcd_operator_member_"))
      out.metric(*metric);
  return out.whole();
}

std::string runbook_page(size_t alert) {
  const auto& it = metrics::alerts()[alert];
  return fmt::format(
      "# {}\n\nGenerated from `src/metrics/alerts.cc`; do not edit.\n\n"
      "Severity {}; fires when this holds for {}:\n\n```\n{}\n```\n\n"
      "## What it means\n\n{}\n\n## Where to look\n\n{}\n\n## What to do\n\n{}\n\n"
      "Reasons and conditions by name: [runbook](../runbook.md).\n",
      it.name, metrics::name_of(it.severity), it.lasting, it.expression, it.meaning, it.look,
      it.act);
}

}  // namespace render
