// The operator's HTTP address.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/result.h"
#include "http/server.h"

namespace manager {

// `address` as --http-addr takes it: IP:PORT.
base::Result<std::unique_ptr<http::Server>> serve_pages(
    const std::string& address, std::map<std::string, http::Handler> routes);

}  // namespace manager
