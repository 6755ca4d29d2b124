#include "sim/model/cluster.h"

#include "base/text.h"

namespace sim::model {

base::ClusterKey key_of_cluster() {
  return {"default", "c"};
}

std::string member_name(int ordinal) {
  return "c-" + std::to_string(ordinal);
}

int ordinal_of(const std::string& member) {
  const auto dash = member.rfind('-');
  const auto number = dash == std::string::npos
                          ? std::nullopt
                          : base::parse_int(std::string_view(member).substr(dash + 1));
  return static_cast<int>(number.value_or(-1));
}

// An estimate: what is shared between states is not counted.
std::size_t Cluster::bytes() const {
  constexpr std::size_t kMember = 3'000, kRest = 6'000;
  const std::size_t recorded =
      memory.engine.loaded ? memory.engine.loaded->record.members.size() : 0;
  return kRest + kMember * std::max(world.places.size(), recorded);
}

}  // namespace sim::model
