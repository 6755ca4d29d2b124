// An operator's way to the fake API server, on which requests and answers get lost, and the server
// refuses. Other callers of the server have their own, on which nothing happens.
#pragma once

#include <functional>

#include "sim/nodes/node.h"

namespace sim {

// For one thread. What it is given must outlive it.
class KubeWire final : public kube::Transport {
 public:
  // Of a thousand requests; of a refused one, whether it was carried out is one of two where the
  // real server says so little.
  struct Weather {
    unsigned lost_request = 0, lost_answer = 0;
    unsigned conflict = 0;  // 409, of patches and replacements
    unsigned busy = 0;      // 429
    unsigned failed = 0;    // 500, 503 and 504
    unsigned between = 0;   // controllers and the kubelet work before it
  };
  KubeWire(KubeNode& node, base::Random& random) : node_(node), random_(random) {}

  kube::Reply send(const kube::Request& request, const kube::Limits& limits,
                   const std::stop_token& stop) override;
  kube::Reply stream(const kube::Request& request, const kube::Limits& limits,
                     const kube::Sink& sink, const std::stop_token& stop) override;

  Weather weather;
  // Called before and after each request that changes something: an operator may die there.
  std::function<void(std::string_view point)> at;

 private:
  [[nodiscard]] bool draw(unsigned of_thousand);
  kube::Reply carried_out(const kube::Request& request, const kube::Limits& limits,
                          const std::stop_token& stop);
  kube::Reply fail(const kube::Request& request);

  KubeNode& node_;
  base::Random& random_;
};

}  // namespace sim
