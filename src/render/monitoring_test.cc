#include "render/monitoring.h"

#include <gtest/gtest.h>

#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "api/conditions.h"
#include "api/yaml_text.h"
#include "json/json.h"
#include "metrics/alerts.h"
#include "metrics/catalog.h"

namespace render {
namespace {

namespace fs = std::filesystem;

constexpr const char* kMade = "# Generated from src/metrics; do not edit.\n";
constexpr const char* kRunbooks = "docs/runbook";

void expect_file(const std::string& path, const std::string& text) {
  if (std::getenv("EO_REWRITE") != nullptr) {
    fs::create_directories(fs::path(path).parent_path());
    std::ofstream(path) << text;
  }
  std::ifstream in(path);
  std::ostringstream there;
  there << in.rdbuf();
  EXPECT_EQ(text, there.str()) << path;
}

TEST(Monitoring, FilesAreThoseOfTheDeclarations) {
  const std::string folder = "deploy/monitoring/";
  const std::string chart = "deploy/helm/etcd-operator/files/";
  for (const auto& to : {folder, chart}) {
    expect_file(to + "alerts.yaml", kMade + api::to_yaml(alert_groups(kRunbooks)));
    expect_file(to + "dashboard.json", json::print(dashboard(), json::Style::kPretty) + "\n");
  }
  expect_file(folder + "prometheus-rule.yaml", kMade + api::to_yaml(prometheus_rule(kRunbooks)));
  expect_file(folder + "monitors.yaml", kMade + api::to_yaml({service_monitor(), pod_monitor()}));
}

TEST(Monitoring, EveryAlertHasItsPage) {
  std::set<std::string> names;
  for (size_t i = 0; i < metrics::alerts().size(); ++i) {
    const std::string name(metrics::alerts()[i].name);
    EXPECT_TRUE(names.insert(name + ".md").second) << name;
    expect_file(std::string(kRunbooks) + "/" + name + ".md", runbook_page(i));
  }
  for (const auto& file : fs::directory_iterator(kRunbooks))
    EXPECT_TRUE(names.contains(file.path().filename())) << file.path() << " is no alert's";
}

// Names in an expression that look like metrics.
std::set<std::string> metrics_in(const std::string& expression) {
  std::set<std::string> out;
  std::string word;
  for (const char c : expression + " ") {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_') {
      word += c;
      continue;
    }
    if (word.starts_with("etcd_") || word.starts_with("process_")) out.insert(word);
    word.clear();
  }
  return out;
}

bool is_known(std::string name) {
  if (name.ends_with("_bucket")) name.resize(name.size() - 7);
  for (const auto* metric : metrics::catalog())
    if (metric->name == name) return true;
  for (const auto etcd : metrics::etcd_metrics())
    if (etcd == name) return true;
  return false;
}

TEST(Monitoring, AlertsUseOnlyMetricsAndConditionsThatExist) {
  size_t conditions = 0;
  for (const auto& alert : metrics::alerts()) {
    const auto used = metrics_in(alert.expression);
    EXPECT_FALSE(used.empty()) << alert.name;
    for (const auto& name : used) EXPECT_TRUE(is_known(name)) << alert.name << " " << name;
    const auto at = alert.expression.find("condition=\"");
    if (at == std::string::npos) continue;
    const auto from = at + 11;
    const auto name = alert.expression.substr(from, alert.expression.find('"', from) - from);
    EXPECT_TRUE(api::parse_condition_type(name)) << alert.name << " " << name;
    ++conditions;
  }
  EXPECT_GE(conditions, 5U);
}

TEST(Monitoring, DashboardShowsEveryMetric) {
  const auto text = json::print(dashboard());
  for (const auto* metric : metrics::catalog())
    EXPECT_NE(text.find(std::string(metric->name)), std::string::npos) << metric->name;
}

}  // namespace
}  // namespace render
