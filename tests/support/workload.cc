#include "support/workload.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <chrono>

#include "txn.pb.h"

namespace support {
namespace {

namespace pb = eo::support;

constexpr std::chrono::seconds kCall{20};

std::shared_ptr<grpc::Channel> dial(const std::string& endpoint, const etcd::Tls& tls) {
  grpc::ChannelArguments args;
  args.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  const auto credentials =
      tls.ca.empty()
          ? grpc::InsecureChannelCredentials()
          : grpc::SslCredentials(
                {.pem_root_certs = tls.ca, .pem_private_key = tls.key, .pem_cert_chain = tls.cert});
  return grpc::CreateCustomChannel("ipv4:" + endpoint.substr(endpoint.rfind('/') + 1), credentials,
                                   args);
}

template <class Request, class Response>
base::Status call(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
                  const Request& request, Response& response) {
  grpc::TemplatedGenericStub<Request, Response> stub(channel);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kCall);
  context.set_wait_for_ready(true);
  grpc::CompletionQueue queue;
  grpc::Status status;
  const auto pending = stub.PrepareUnaryCall(&context, method, request, &queue);
  pending->StartCall();
  pending->Finish(&response, &status, &context);
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);
  if (!status.ok()) return base::fail(base::Code::kUnavailable, status.error_message());
  return {};
}

}  // namespace

struct Workload::Channel {
  std::shared_ptr<grpc::Channel> channel;
};

Workload::Workload(const std::string& endpoint, const etcd::Tls& tls)
    : channel_(std::make_unique<Channel>(Channel{dial(endpoint, tls)})) {}
Workload::~Workload() = default;

base::Result<std::int64_t> Workload::write(const std::vector<WriteOp>& ops) {
  pb::TxnRequest request;
  for (const auto& op : ops) {
    auto& one = *request.add_success();
    if (op.remove) {
      one.mutable_delete_range()->set_key(op.key);
      one.mutable_delete_range()->set_range_end(op.range_end);
    } else {
      one.mutable_put()->set_key(op.key);
      one.mutable_put()->set_value(op.value);
      one.mutable_put()->set_lease(op.lease);
    }
  }
  pb::TxnResponse response;
  TRY_OK(call(channel_->channel, "/etcdserverpb.KV/Txn", request, response));
  return response.header().revision();
}

base::Result<std::int64_t> Workload::grant(std::int64_t ttl_seconds) {
  pb::LeaseGrantRequest request;
  request.set_ttl(ttl_seconds);
  pb::LeaseGrantResponse response;
  TRY_OK(call(channel_->channel, "/etcdserverpb.Lease/LeaseGrant", request, response));
  return response.id();
}

base::Result<std::int64_t> Workload::revoke(std::int64_t lease) {
  pb::LeaseRevokeRequest request;
  request.set_id(lease);
  pb::LeaseRevokeResponse response;
  TRY_OK(call(channel_->channel, "/etcdserverpb.Lease/LeaseRevoke", request, response));
  return response.header().revision();
}

}  // namespace support
