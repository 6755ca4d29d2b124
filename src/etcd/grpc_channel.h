// The one place that makes gRPC channels. For this module's own sources only.
#pragma once

#include <grpcpp/channel.h>

#include <memory>
#include <string>

#include "etcd/api.h"

namespace etcd {

// `endpoint` as etcd::connect takes it. Never fails: what is wrong shows in the first call.
std::shared_ptr<grpc::Channel> make_channel(const std::string& endpoint, const Tls& tls);

}  // namespace etcd
