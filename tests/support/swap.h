// Compare-and-swap of one key, which the operator itself never needs, over one endpoint.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "etcd/api.h"

namespace support {

struct Swapped {
  bool done = false;
  std::optional<std::string> found;  // where it was not done: what the key held; empty: nothing
};

struct SwapRequest {
  std::string key;
  std::optional<std::string> expected;  // empty: that the key does not exist
  std::string value;
};

// Thread-safe; connects on first use.
class Swapper {
 public:
  Swapper(const std::string& endpoint, const etcd::Tls& tls);
  Swapper(Swapper&&) noexcept;
  Swapper& operator=(Swapper&&) noexcept;
  ~Swapper();

  etcd::Change<Swapped> swap(const SwapRequest& request, base::Duration deadline);

 private:
  struct Channel;
  std::unique_ptr<Channel> channel_;
};

}  // namespace support
