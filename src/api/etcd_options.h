// Every flag of etcd 3.4 to 3.7 as data: since when, under which names, and whether a user may set
// it. Checks of what users write; the rendering of arguments reads the same table.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/cluster.h"
#include "api/problem.h"
#include "json/value.h"

namespace api {

// What a value must look like; etcd ends at once on a wrong one, so it is refused before.
enum class FlagValue { kText, kInteger, kDuration };

enum class FlagOwner {
  kUser,
  kOperator,  // the operator sets it itself
  kRefused    // nobody sets it: it would endanger the data or the next upgrade
};

struct EtcdFlag {
  std::string_view name;   // without dashes, in its newest form
  std::string_view since;  // the version that has this form; empty: all
  std::string_view until;  // the first version without it; empty: none
  FlagOwner owner = FlagOwner::kUser;
  bool is_switch = false;  // may stand without a value
  // The form before: "experimental-" + name, since which version (empty: never), gone in 3.7.
  std::string_view experimental_since = {};
  std::string_view gate = {};    // from 3.6 a feature gate takes its place
  std::string_view reason = {};  // why a user may not set it
  FlagValue value = FlagValue::kText;
};

std::span<const EtcdFlag> etcd_flags();
// By its newest or its experimental name; null: no such flag.
const EtcdFlag* find_etcd_flag(std::string_view name);
// The form in which this version knows the flag; no value: it does not. A flag whose place a gate
// has taken has no form from 3.6 on.
std::optional<std::string> flag_name_in(const EtcdFlag& flag, const Version& version);

// "--name=value" to its parts; the dashes may be one or two. `value` is empty for a bare switch.
struct Option {
  std::string name, value;
  bool has_value = false;
};
std::optional<Option> split_option(std::string_view text);

// Checks each, and adds it in the form "--name=value" to the spec. `into.version` is read.
void decode_etcd_options(const std::vector<std::string>& options, std::string_view path,
                         Report& report, ClusterSpec& into);
// A list of {name, value}; ETCD_X becomes the flag, because etcd refuses to start with both.
void decode_environment(const json::Value& list, std::string_view path, Report& report,
                        ClusterSpec& into);

}  // namespace api
