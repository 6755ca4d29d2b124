// RFC 4648 with padding, as Kubernetes writes bytes into JSON.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace base {

std::string encode_base64(std::string_view bytes);
// No value: not base64. White space is passed over, as Kubernetes' tools wrap long values.
std::optional<std::string> decode_base64(std::string_view text);

}  // namespace base
