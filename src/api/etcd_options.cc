#include "api/etcd_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "api/fields.h"
#include "base/text.h"

namespace api {
namespace {

constexpr size_t kMaxOptions = 200, kMaxOption = 4096;

bool is_flag_name(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

std::string near_flag(std::string_view name) {
  std::vector<std::string_view> names;
  for (const auto& flag : etcd_flags())
    if (flag.owner == FlagOwner::kUser) names.push_back(flag.name);
  const auto near = base::nearest(name, names);
  return near ? fmt::format("; did you mean --{}?", *near) : std::string();
}

// As etcd itself would say, but before a member is stopped for it.
std::optional<std::string> check_value(const Option& option, const EtcdFlag& flag) {
  const auto wrong = [&](std::string_view wanted) {
    return fmt::format("--{}={} is not allowed: {}", option.name, option.value.substr(0, 60),
                       wanted);
  };
  if (!option.has_value) return std::nullopt;
  if (flag.is_switch && option.value != "true" && option.value != "false")
    return wrong("true or false");
  if (flag.value == FlagValue::kInteger && !base::parse_int(option.value))
    return wrong("a whole number");
  // etcd knows no days.
  if (flag.value == FlagValue::kDuration &&
      (!base::parse_duration(option.value) || option.value.find('d') != std::string::npos))
    return wrong("a duration such as 500ms, 90s or 1h30m");
  if (flag.name == "auto-compaction-mode" && option.value != "periodic" &&
      option.value != "revision")
    return wrong("periodic, revision");
  return std::nullopt;
}

// etcd ends at once unless an election takes at least five heartbeats, and at most 50 s.
void check_election(std::string_view path, Report& report, const ClusterSpec& spec) {
  std::int64_t heartbeat = 100, election = 1000;
  for (const auto& text : spec.etcd_options) {
    const auto option = split_option(text);
    const auto number = base::parse_int(option->value);
    if (number && option->name == "heartbeat-interval") heartbeat = *number;
    if (number && option->name == "election-timeout") election = *number;
  }
  if (heartbeat < 1 || election < 1 || heartbeat > 10'000 || election > 50'000)
    report.error(std::string(path),
                 "heartbeat-interval must be 1 to 10000 and election-timeout 1 to "
                 "50000 (milliseconds)");
  else if (election < 5 * heartbeat)
    report.error(std::string(path), fmt::format("election-timeout {} must be at least five times "
                                                "heartbeat-interval {}",
                                                election, heartbeat));
}

// What is wrong with setting this flag; no value: nothing.
std::optional<std::string> check_option(const Option& option, const Version& version) {
  const auto* flag = find_etcd_flag(option.name);
  if (flag == nullptr)
    return fmt::format("etcd has no flag --{}{}", option.name.substr(0, 60),
                       near_flag(option.name));
  if (flag->owner == FlagOwner::kOperator)
    return fmt::format("--{} is set by the operator: {}", option.name, flag->reason);
  if (flag->owner == FlagOwner::kRefused)
    return fmt::format("--{} is refused: {}", option.name, flag->reason);
  if (!option.has_value && !flag->is_switch)
    return fmt::format("--{} needs a value: write --{}=VALUE", option.name, option.name);
  if (auto wrong = check_value(option, *flag)) return wrong;
  const bool known_version = version.major != 0;
  const bool by_gate = !flag->gate.empty() && version.minor >= 6;
  if (known_version && !by_gate && !flag_name_in(*flag, version))
    return fmt::format("etcd {} has no flag --{}", version.text(), option.name);
  return std::nullopt;
}

void add_option(const Option& option, std::string path, std::set<std::string>& seen, Report& report,
                ClusterSpec& into) {
  if (auto wrong = check_option(option, into.version)) return report.error(path, *wrong);
  const std::string canonical(find_etcd_flag(option.name)->name);
  if (!seen.insert(canonical).second)
    return report.error(path, fmt::format("--{} is set twice", option.name));
  into.etcd_options.push_back(option.has_value ? fmt::format("--{}={}", option.name, option.value)
                                               : "--" + option.name);
}

}  // namespace

std::optional<Option> split_option(std::string_view text) {
  if (!text.starts_with('-')) return std::nullopt;
  text.remove_prefix(text.starts_with("--") ? 2 : 1);
  Option out;
  const size_t equals = text.find('=');
  out.name = text.substr(0, equals);
  out.has_value = equals != std::string_view::npos;
  if (out.has_value) out.value = text.substr(equals + 1);
  if (!is_flag_name(out.name) || out.name.starts_with('-')) return std::nullopt;
  return out;
}

void decode_etcd_options(const std::vector<std::string>& options, std::string_view path,
                         Report& report, ClusterSpec& into) {
  if (options.size() > kMaxOptions)
    return report.error(std::string(path), fmt::format("at most {} are allowed", kMaxOptions));
  std::set<std::string> seen;
  for (const auto& already : into.etcd_options)
    if (const auto option = split_option(already)) seen.emplace(find_etcd_flag(option->name)->name);
  for (size_t i = 0; i < options.size(); ++i) {
    auto where = fmt::format("{}[{}]", path, i);
    const auto option = split_option(options[i]);
    if (options[i].size() > kMaxOption)
      report.error(where, fmt::format("is longer than {} characters", kMaxOption));
    else if (!option)
      report.error(where, fmt::format("{} is not a flag: write --name=value in one entry",
                                      show(options[i])));
    else
      add_option(*option, std::move(where), seen, report, into);
  }
  check_election(path, report, into);
}

void decode_environment(const json::Value& list, std::string_view path, Report& report,
                        ClusterSpec& into) {
  const auto* items = list.if_array();
  if (items == nullptr || items->size() > kMaxOptions)
    return report.error(std::string(path), "a list of {name, value} is needed, at most 200");
  constexpr std::string_view kPrefix = "ETCD_";
  std::set<std::string> seen, names;
  for (size_t i = 0; i < items->size(); ++i) {
    Fields entry(&(*items)[i], fmt::format("{}[{}]", path, i), report);
    const auto name = entry.text("name").value_or("");
    const auto value = entry.text("value").value_or("");
    if (entry.has("valueFrom")) entry.error("valueFrom", "is not supported: give the value itself");
    const bool plain = !name.empty() && !(name[0] >= '0' && name[0] <= '9') &&
                       std::ranges::all_of(name, [](char c) {
                         return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                                (c >= '0' && c <= '9') || c == '_';
                       });
    if (!plain) {
      entry.error("name", fmt::format("{} is not allowed: letters, digits and _", show(name)));
      continue;
    }
    if (!names.insert(name).second) {
      entry.error("name", fmt::format("{} is set twice", show(name)));
      continue;
    }
    if (!name.starts_with(kPrefix)) {
      into.pod.env.emplace_back(name, value);
      continue;
    }
    Option option{name.substr(kPrefix.size()), value, true};
    for (char& c : option.name) c = c == '_' ? '-' : static_cast<char>(c | 0x20);
    add_option(option, entry.path_of("name"), seen, report, into);
  }
  check_election(path, report, into);
}

}  // namespace api
