#include "manager/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "api/conditions.h"
#include "base/text.h"

namespace manager {
namespace {

std::string text_at(const json::Value& value, std::string_view path) {
  const auto* at = value.at(path);
  if (at == nullptr) return {};
  const auto* text = at->if_string();
  return text == nullptr ? std::string() : *text;
}

std::int64_t number_at(const json::Value& value, std::string_view path) {
  const auto* at = value.at(path);
  if (at == nullptr) return 0;
  const auto number = at->as_int();
  return number ? *number : 0;
}

json::Array items_at(const json::Value& value, std::string_view path) {
  const auto* at = value.at(path);
  const auto* array = at == nullptr ? nullptr : at->if_array();
  return array == nullptr ? json::Array() : *array;
}

std::optional<base::Duration> age_at(const json::Value& value, std::string_view path,
                                     base::Instant now) {
  const auto at = base::parse_rfc3339(text_at(value, path));
  if (!at) return std::nullopt;
  return std::max(base::Duration{0}, now - *at);
}

// Whole seconds: milliseconds in a table only flicker.
std::string age_text(base::Duration age) {
  return base::to_text(std::chrono::duration_cast<std::chrono::seconds>(age));
}

std::string cluster_name(const json::Value& item) {
  return text_at(item, "metadata.namespace") + "/" + text_at(item, "metadata.name");
}

std::string paint(const TableOptions& options, std::string_view color, const std::string& text) {
  return options.color ? fmt::format("\x1b[{}m{}\x1b[0m", color, text) : text;
}

bool is_good(const json::Value& condition) {
  const auto type = api::parse_condition_type(text_at(condition, "type"));
  if (!type) return true;
  const auto& info = api::condition_table()[static_cast<size_t>(*type)];
  return text_at(condition, "status") == api::name_of(info.good);
}

std::string health_word(const json::Value& member) {
  const auto* healthy = member.find("healthy");
  if (healthy == nullptr) return "unknown";
  if (const auto known = healthy->as_bool()) return *known ? "yes" : "NO";
  const auto* text = healthy->if_string();
  if (text == nullptr) return "unknown";
  return *text == "True" ? "yes" : *text == "False" ? "NO" : "unknown";
}

std::string or_dash(std::string text) {
  return text.empty() ? "-" : std::move(text);
}

std::vector<std::string> member_row(const json::Value& member) {
  const auto size = number_at(member, "dbSize");
  const auto in_use = number_at(member, "dbInUse");
  return {text_at(member, "name"),
          or_dash(text_at(member, "role")),
          or_dash(text_at(member, "version")),
          health_word(member),
          size == 0 ? "-" : bytes_text(size),
          in_use == 0 ? "-" : bytes_text(in_use),
          or_dash(text_at(member, "id")),
          text_at(member, "note")};
}

std::string version_text(const json::Value& status) {
  const auto current = text_at(status, "currentVersion");
  const auto target = text_at(status, "targetVersion");
  if (current.empty()) return target.empty() ? "-" : target;
  return target.empty() || target == current ? current : current + " -> " + target;
}

std::string ready_text(const json::Value& status) {
  return fmt::format("{}/{}", number_at(status, "readyReplicas"), number_at(status, "replicas"));
}

std::string operation_text(const json::Value& status, base::Instant now) {
  const auto* operation = status.find("operation");
  if (operation == nullptr || operation->if_object() == nullptr) return {};
  std::string out = text_at(*operation, "kind");
  if (const auto step = text_at(*operation, "step"); !step.empty()) out += ": " + step;
  if (const auto age = age_at(*operation, "startedAt", now)) out += ", for " + age_text(*age);
  const auto deadline = base::parse_rfc3339(text_at(*operation, "deadline"));
  if (deadline)
    out += *deadline > now ? ", at most " + age_text(*deadline - now) + " more"
                           : std::string(", past its deadline");
  return out;
}

void put_conditions(const json::Value& status, const TableOptions& options, std::string& out) {
  std::vector<std::string> good;
  for (const auto& condition : items_at(status, "conditions")) {
    const auto type = text_at(condition, "type"), truth = text_at(condition, "status");
    const auto name = type + "=" + truth;
    if (is_good(condition)) {
      // What is as it should be is named only where that is good news.
      if (truth == "True") good.push_back(type);
    } else {
      out += fmt::format("  {} {}: {}\n", paint(options, "33", "! " + name),
                         text_at(condition, "reason"), text_at(condition, "message"));
    }
  }
  if (!good.empty()) out += "  ok  " + base::join(good, ", ") + "\n";
}

std::string block(const json::Value& item, const TableOptions& options) {
  const auto* found = item.find("status");
  const json::Value status = found == nullptr ? json::Value(json::Object{}) : *found;
  const auto age = age_at(status, "observedAt", options.now);
  std::string out =
      fmt::format("{}  {}  {} ready  etcd {}  {}\n", paint(options, "1", cluster_name(item)),
                  or_dash(text_at(status, "phase")), ready_text(status), version_text(status),
                  age ? "observed " + age_text(*age) + " ago" : std::string("not observed yet"));
  std::vector<std::vector<std::string>> rows{
      {"MEMBER", "ROLE", "VERSION", "HEALTHY", "DB SIZE", "IN USE", "ID", "NOTE"}};
  for (const auto& member : items_at(status, "members")) rows.push_back(member_row(member));
  if (rows.size() > 1) out += align(rows, 2);
  if (const auto operation = operation_text(status, options.now); !operation.empty())
    out += "  operation  " + operation + "\n";
  put_conditions(status, options, out);
  const auto next = next_step(item, options.state_dir);
  out += "  next  " + (next.empty() ? std::string("nothing to do for you") : next) + "\n";
  return out;
}

std::string attention(const json::Value& status) {
  std::vector<std::string> names;
  for (const auto& condition : items_at(status, "conditions"))
    if (!is_good(condition))
      names.push_back(text_at(condition, "type") + "=" + text_at(condition, "status"));
  return base::join(names, ",");
}

}  // namespace

std::string bytes_text(std::int64_t bytes) {
  static constexpr std::array<std::string_view, 4> kUnits{"kB", "MB", "GB", "TB"};
  if (bytes < 1000) return fmt::format("{} B", bytes);
  double amount = static_cast<double>(bytes) / 1000;
  size_t unit = 0;
  while (amount >= 999.5 && unit + 1 < kUnits.size()) {
    amount /= 1000;
    ++unit;
  }
  return fmt::format("{:.{}f} {}", amount, amount < 9.95 ? 1 : 0, kUnits[unit]);
}

std::string align(const std::vector<std::vector<std::string>>& rows, size_t indent) {
  const auto width_of = [](std::string_view text) {
    return static_cast<size_t>(std::ranges::count_if(
        text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
  };
  std::vector<size_t> widths;
  for (const auto& row : rows)
    for (size_t i = 0; i < row.size(); ++i) {
      if (widths.size() <= i) widths.push_back(0);
      widths[i] = std::max(widths[i], width_of(row[i]));
    }
  std::string out;
  for (const auto& row : rows) {
    std::string line(indent, ' ');
    for (size_t i = 0; i < row.size(); ++i)
      line += row[i] + std::string(widths[i] - width_of(row[i]) + 2, ' ');
    out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return out;
}

std::string next_step(const json::Value& item, const std::string& state_dir) {
  using enum api::ConditionType;
  static constexpr std::array kOrder{kNeedsApproval,     kSpecValid,      kNameConflict,
                                     kForeignObjects,    kUpgradeBlocked, kRestored,
                                     kDegraded,          kAvailable,      kStale,
                                     kCertificatesValid, kVersionHazard,  kEphemeralStorage};
  const auto conditions = items_at(item, "status.conditions");
  for (const auto type : kOrder)
    for (const auto& condition : conditions) {
      if (text_at(condition, "type") != api::name_of(type) || is_good(condition)) continue;
      if (type == kNeedsApproval)
        return fmt::format("etcd-operator approve {} --state {}   (read the message first)",
                           cluster_name(item), state_dir);
      const bool ours =
          item.at("status.operation") != nullptr && (type == kDegraded || type == kAvailable);
      if (ours) return "wait: the operation above is on it";
      return std::string(api::condition_table()[static_cast<size_t>(type)].what_to_do);
    }
  return item.at("status.operation") != nullptr ? "wait for the operation to end" : "";
}

std::string status_table(const json::Value& items, const TableOptions& options) {
  const auto* array = items.if_array();
  if (array == nullptr || array->empty()) return "no clusters\n";
  std::string out;
  if (options.details) {
    for (const auto& item : *array) out += (out.empty() ? "" : "\n") + block(item, options);
    return out;
  }
  std::vector<std::vector<std::string>> rows{
      {"CLUSTER", "PHASE", "READY", "VERSION", "OPERATION", "ATTENTION"}};
  for (const auto& item : *array) {
    const auto* status = item.find("status");
    if (status == nullptr) continue;
    rows.push_back({cluster_name(item), or_dash(text_at(*status, "phase")), ready_text(*status),
                    version_text(*status), or_dash(operation_text(*status, options.now)),
                    or_dash(attention(*status))});
  }
  return align(rows, 0);
}

std::string event_table(const json::Value& events) {
  const auto* array = events.if_array();
  if (array == nullptr || array->empty()) return "no events\n";
  std::vector<std::vector<std::string>> rows{{"TIME", "CLUSTER", "TYPE", "REASON", "MESSAGE"}};
  for (const auto& event : *array)
    rows.push_back({text_at(event, "time"), text_at(event, "cluster"), text_at(event, "type"),
                    text_at(event, "reason"), text_at(event, "message")});
  return align(rows, 0);
}

std::string plan_text(const json::Value& plan) {
  std::string out = text_at(plan, "cluster") + "\n";
  const auto steps = items_at(plan, "steps");
  for (const auto& step : steps)
    out += fmt::format("  would do  {}  ({})\n", text_at(step, "action"), text_at(step, "reason"));
  for (const auto& event : items_at(plan, "events"))
    out += fmt::format("  {}  {}: {}\n", text_at(event, "type"), text_at(event, "reason"),
                       text_at(event, "message"));
  for (const auto& condition : items_at(plan, "status.conditions"))
    if (!is_good(condition))
      out += fmt::format("  because   {}={} {}: {}\n", text_at(condition, "type"),
                         text_at(condition, "status"), text_at(condition, "reason"),
                         text_at(condition, "message"));
  if (steps.empty())
    out += "  would do nothing now; looks again in " + text_at(plan, "lookAgain") + "\n";
  if (const auto note = text_at(plan, "note"); !note.empty()) out += "  note      " + note + "\n";
  return out;
}

}  // namespace manager
