// Ports of the loopback interface.
#pragma once

#include <cstdint>
#include <set>
#include <stop_token>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "posix/errors.h"

namespace posix {

using Port = std::uint16_t;

// True if a server could listen on 127.0.0.1:port now.
base::Result<bool> is_port_free(Port port);

struct PortRange {
  Port first = 23000, last = 32767;  // below Linux's ephemeral ports
};
// The lowest `count` free ports of the range that are not in `taken`; ResourceExhausted if there
// are not so many.
base::Result<std::vector<Port>> pick_free_ports(const PortRange& range, size_t count,
                                                const std::set<Port>& taken);

// A stream to a server of this machine, non-blocking. Unavailable: nobody listens.
base::Result<Fd> connect_loopback(Port port, base::Duration deadline, const std::stop_token& stop);

}  // namespace posix
