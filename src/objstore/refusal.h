// What is common to the refusals of all kinds of servers. Pure.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "objstore/courier.h"

namespace objstore {

// What a server's own word means, where its status alone would not tell.
struct Meaning {
  std::string_view reason;
  base::Code code;
  bool again = false;
};

struct Refusal {
  int status = 0;
  std::string reason = {}, words = {};            // the server's; may be empty
  base::Duration skew = std::chrono::minutes(5);  // how wrong a clock may be
};
// `reply` is no good answer. A precondition of the request that does not hold is AlreadyExists
// where it was to create, Aborted elsewhere.
Failure failure_of(const Request& request, const http::Reply& reply, const Refusal& refusal,
                   std::span<const Meaning> meanings, base::Instant now);

}  // namespace objstore
