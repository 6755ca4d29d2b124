// The two ways to a CRC-32C, for their test; everybody else calls base::crc32c of text.h.
#pragma once

#include <cstdint>
#include <string_view>

namespace base {

std::uint32_t crc32c_by_table(std::string_view bytes, std::uint32_t crc);

}  // namespace base
