#include "plan/reason.h"

#include <array>
#include <cstddef>

namespace plan {
namespace {

struct Entry {
  std::string_view name, meaning;
};

constexpr std::array kReasons{
#define PLAN_REASON_ENTRY(name, meaning) Entry{#name, meaning},
    PLAN_REASONS(PLAN_REASON_ENTRY)
#undef PLAN_REASON_ENTRY
};

}  // namespace

std::string_view name_of(Reason reason) {
  return kReasons[static_cast<std::size_t>(reason)].name;
}

std::string_view meaning_of(Reason reason) {
  return kReasons[static_cast<std::size_t>(reason)].meaning;
}

}  // namespace plan
