// Any bytes as the first line of an HTTP request: no crash, and what is accepted is a path.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "http/request.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, size_t size) {
  const std::string_view line(reinterpret_cast<const char*>(data), size);
  const auto request = http::parse_request_line(line);
  if (!request) return 0;
  if (!request->request.path.starts_with('/')) std::abort();
  if (request->request.path.find('\0') != std::string::npos && line.find('\0') == line.npos)
    std::abort();
  return 0;
}
