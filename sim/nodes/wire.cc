#include "sim/nodes/wire.h"

#include <chrono>

#include "sim/world/kube_answers.h"

namespace sim {
namespace {

constexpr base::Duration kLatency{2}, kTimeout{8'000}, kRetryAfter{1'000};

kube::Reply lost(bool sent) {
  return std::unexpected(kube::Lost{{base::Code::kUnavailable, "connection reset by peer"}, sent});
}

bool may_conflict(const kube::Request& request) {
  return request.method == kube::Method::kPut || request.method == kube::Method::kPatch;
}

}  // namespace

bool KubeWire::draw(unsigned of_thousand) {
  return of_thousand > 0 && random_.next() % 1'000 < of_thousand;
}

kube::Reply KubeWire::carried_out(const kube::Request& request, const kube::Limits& limits,
                                  const std::stop_token& stop) {
  if (request.changes() && at) at(request.what + ".before");
  auto reply = node_.server.send(request, limits, stop);
  if (request.changes() && at) at(request.what + ".after");
  return reply;
}

kube::Reply KubeWire::fail(const kube::Request& request) {
  switch (random_.next() % 4) {
    case 0:
      return refusal(500, "InternalError", "etcdserver: leader changed");
    case 1:
      return refusal(503, "ServiceUnavailable", "the server is currently unable to handle it");
    case 2:
      break;
    default:
      static_cast<void>(carried_out(request, {}, {}));
      break;
  }
  node_.world.advance(kTimeout);
  return refusal(504, "Timeout", "the server was unable to return a response in the time allotted");
}

kube::Reply KubeWire::send(const kube::Request& request, const kube::Limits& limits,
                           const std::stop_token& stop) {
  if (node_.world.waits()) node_.world.advance(kLatency);
  if (draw(weather.between)) node_.turn();
  if (draw(weather.lost_request)) return lost(true);
  if (draw(weather.lost_answer)) {
    static_cast<void>(carried_out(request, limits, stop));
    return lost(true);
  }
  if (draw(weather.busy)) {
    auto response = refusal(429, "TooManyRequests", "too many requests");
    response.retry_after = "1";
    if (node_.world.waits()) node_.world.advance(kRetryAfter);
    return response;
  }
  if (draw(weather.failed)) return fail(request);
  if (may_conflict(request) && draw(weather.conflict))
    return refusal(409, "Conflict", "the object has been modified");
  return carried_out(request, limits, stop);
}

kube::Reply KubeWire::stream(const kube::Request& request, const kube::Limits& limits,
                             const kube::Sink& sink, const std::stop_token& stop) {
  if (draw(weather.lost_request)) return lost(true);
  if (draw(weather.failed)) return refusal(500, "InternalError", "etcdserver: leader changed");
  return node_.server.stream(request, limits, sink, stop);
}

}  // namespace sim
