// A gRPC channel to one endpoint that is known to be connected when a call begins. For this
// module's own sources only.
#pragma once

#include <grpc/support/time.h>
#include <grpcpp/channel.h>
#include <grpcpp/support/status.h>

#include <expected>
#include <memory>
#include <mutex>
#include <string>

#include "etcd.grpc.pb.h"
#include "etcd/api.h"

namespace etcd {

struct Link {
  explicit Link(std::shared_ptr<grpc::Channel> c);
  std::shared_ptr<grpc::Channel> channel;  // shared with the stubs, which is how gRPC has it
  etcdserverpb::KV::Stub kv;
  etcdserverpb::Cluster::Stub cluster;
  etcdserverpb::Maintenance::Stub maintenance;
};

// gRPC's channel moves its sockets only while a call waits on it, and answers from an old failure
// while it backs off. So a call here waits for the connection first, makes a fresh channel where
// the last one failed, and nothing tries to connect while nobody asks. Thread-safe.
class Linker {
 public:
  Linker(std::string endpoint, Tls tls) : endpoint_(std::move(endpoint)), tls_(std::move(tls)) {}

  // Connected, or an error that says that nothing was sent. Shared: calls may outlive the link's
  // place here.
  std::expected<std::shared_ptr<Link>, grpc::Status> connected(gpr_timespec deadline);

 private:
  std::shared_ptr<Link> current();
  void drop(const std::shared_ptr<Link>& link);

  const std::string endpoint_;
  const Tls tls_;
  std::mutex mutex_;
  std::shared_ptr<Link> link_;  // guarded by mutex_; null: none, or the last one failed
};

}  // namespace etcd
