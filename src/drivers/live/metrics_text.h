// What a member's metrics page says.
#pragma once

#include <optional>
#include <string_view>

#include "api/version.h"

namespace live {

// Of etcd_cluster_version{cluster_version="3.5"} 1; no value: not decided, or not told.
std::optional<api::Version> cluster_version_in(std::string_view metrics);

}  // namespace live
