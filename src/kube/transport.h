// The way to an API server: the seam below the client, behind which a fake stands in tests.
#pragma once

#include <expected>
#include <functional>
#include <memory>
#include <stop_token>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "kube/access.h"
#include "kube/answer.h"
#include "kube/request.h"

namespace kube {

struct Lost {  // no answer
  base::Error error;
  bool sent = false;  // at least a part may have reached the server
};
using Reply = std::expected<Response, Lost>;
using Sink = std::function<base::Status(std::string_view)>;

struct Limits {
  base::Duration deadline{30'000};
  base::Duration silence{0};             // of a stream: longest time without a byte; 0: no limit
  size_t max_bytes = size_t{256} << 20;  // of the whole body; a stream has no limit
};

// Thread-safe.
class Transport {
 public:
  virtual ~Transport() = default;
  virtual Reply send(const Request& request, const Limits& limits, const std::stop_token& stop) = 0;
  // The body of a 2xx answer goes to `sink` as it comes and stays out of the reply.
  virtual Reply stream(const Request& request, const Limits& limits, const Sink& sink,
                       const std::stop_token& stop) = 0;
};

// To a real server, by HTTP. `clock` must outlive it.
base::Result<std::unique_ptr<Transport>> connect(const Access& access, const base::Clock& clock);

}  // namespace kube
