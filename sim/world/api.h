// etcd::EtcdApi over the fake etcd: what a client sees of it through a network with faults.
#pragma once

#include <memory>
#include <string>

#include "etcd/api.h"
#include "sim/world/etcd.h"

namespace sim {

enum class CallFault {
  kNone,
  kRefused,     // the connection cannot be made: nothing was sent
  kLostAnswer,  // it was carried out, the answer is lost
  kLostRequest  // it got lost on the way, and the caller cannot tell
};

// What lies between a client and the members. The world implements it.
class Wire {
 public:
  virtual ~Wire() = default;
  virtual Etcd& etcd() = 0;
  [[nodiscard]] virtual base::Instant now() const = 0;
  // Time passes; what is due within it happens.
  virtual void advance(base::Duration by) = 0;
  // Asked once before each call, for its fault and its way to the member and back.
  virtual CallFault next_call(const std::string& url, std::string_view call) = 0;
  [[nodiscard]] virtual base::Duration latency() = 0;
  // A call that waits goes on in steps; false: time does not pass while it waits (the model), so it
  // is answered at once or times out.
  [[nodiscard]] virtual bool waits() const = 0;
};

struct Client {
  int machine = -1;  // for the network
  TlsSide tls;       // the leaf's name is the user when auth is on
};

// One connection: a handshake when it is first used and after the member was started again.
// `wire` outlives it. `url` as the member advertises it.
std::unique_ptr<etcd::EtcdApi> connect(Wire& wire, const std::string& url, const Client& client);

}  // namespace sim
