// Kubernetes quantities: "10Gi", "500m", "1e3", "0.5".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace api {

// Whole units, rounded up as Kubernetes does. InvalidArgument says what is allowed; negative values
// and those beyond 2^63 are refused.
base::Result<std::int64_t> parse_quantity(std::string_view text);
// Thousandths, for cpu.
base::Result<std::int64_t> parse_milli_quantity(std::string_view text);

// "10Gi": the largest binary unit that is exact, for messages.
std::string to_size_text(std::int64_t bytes);

}  // namespace api
