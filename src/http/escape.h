// Percent-encoding of RFC 3986, as URLs and the signatures over them need it: capital hex digits,
// and only letters, digits and "-._~" stay as they are.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace http {

std::string escape(std::string_view text, std::string_view also_plain = "");
// No value: a broken escape. '+' stays as it is.
std::optional<std::string> unescape(std::string_view text);

}  // namespace http
