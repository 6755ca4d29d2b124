#include "engine/fault_points.h"

#include <array>
#include <exception>
#include <utility>

namespace engine {
namespace {

template <size_t... I>
std::vector<std::string> action_names(std::index_sequence<I...> /*all*/) {
  return {std::string(plan::name_of(plan::Action(std::in_place_index<I>)))...};
}

}  // namespace

std::vector<std::string> fault_points() {
  std::vector<std::string> names{"load_record", "save_record", "observe", "publish"};
  for (auto& name : action_names(std::make_index_sequence<std::variant_size_v<plan::Action>>()))
    names.push_back(std::move(name));
  std::vector<std::string> points;
  for (const auto& name : names) {
    points.push_back(name + ".before");
    points.push_back(name + ".after");
  }
  return points;
}

FaultScope::FaultScope(FaultInjector* injector, std::string_view name) : injector_(injector) {
  if (injector_ == nullptr) return;
  name_ = name;
  exceptions_ = std::uncaught_exceptions();
  injector_->at(name_ + ".before");
}

FaultScope::~FaultScope() noexcept(false) {
  if (injector_ != nullptr && std::uncaught_exceptions() == exceptions_)
    injector_->at(name_ + ".after");
}

}  // namespace engine
