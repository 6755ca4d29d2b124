// Every condition type as data: what it says and what a reader should do. The reference page, the
// CRDs and the alerts are made from this table.
#pragma once

#include <span>
#include <string_view>

#include "api/status.h"

namespace api {

struct ConditionInfo {
  ConditionType type;
  std::string_view name;
  Truth good;                   // the value that needs nobody's attention
  std::string_view meaning;     // of True
  std::string_view what_to_do;  // when it is not good
};

// In the order of ConditionType.
std::span<const ConditionInfo> condition_table();

}  // namespace api
