// From the URL that a person gave to the client URLs of the cluster's members.
#pragma once

#include <string>
#include <vector>

#include "adm/context.h"
#include "base/result.h"

namespace adm {

struct Door {
  std::vector<std::string> client_urls;
  std::string said;  // which way was taken
};

// The URL as a client URL; as a peer URL, whose /members names the client URLs; the same host at
// the usual client port. Unavailable names each with its reason.
base::Result<Door> find_door(const Context& context, const Host& host);

// The client URLs in the body of a peer's /members.
base::Result<std::vector<std::string>> client_urls_in(const std::string& members);

}  // namespace adm
