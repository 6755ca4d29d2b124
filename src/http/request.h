// The text of an HTTP request, read and answered. Pure; bytes from outside.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "http/server.h"

namespace http {

struct RequestLine {
  bool head = false;  // HEAD: the answer has no body
  Request request;
};

// "GET /path?a=b HTTP/1.1". InvalidArgument: malformed; Unimplemented: another method.
base::Result<RequestLine> parse_request_line(std::string_view line);

// With headers; the connection closes after it.
std::string to_text(const Response& response, bool head);

}  // namespace http
