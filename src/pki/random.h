// Random bytes that may become keys, tokens and ids.
#pragma once

#include <cstddef>
#include <string>

#include "base/result.h"

namespace pki {

base::Result<std::string> random_bytes(size_t count);
base::Result<std::string> random_hex(size_t bytes);  // two digits a byte

}  // namespace pki
