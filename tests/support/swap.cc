#include "support/swap.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <chrono>

#include "etcd/errors.h"
#include "txn.pb.h"

namespace support {
namespace {

namespace pb = eo::support;

pb::TxnRequest encode(const SwapRequest& request) {
  pb::TxnRequest out;
  pb::Compare& compare = *out.add_compare();
  compare.set_result(pb::Compare::EQUAL);
  compare.set_key(request.key);
  if (request.expected) {
    compare.set_target(pb::Compare::VALUE);
    compare.set_value(*request.expected);
  } else {
    compare.set_target(pb::Compare::VERSION);
    compare.set_version(0);
  }
  pb::Put& put = *out.add_success()->mutable_put();
  put.set_key(request.key);
  put.set_value(request.value);
  out.add_failure()->mutable_range()->set_key(request.key);
  return out;
}

}  // namespace

struct Swapper::Channel {
  explicit Channel(std::shared_ptr<grpc::Channel> c) : stub(c) {}
  grpc::TemplatedGenericStub<pb::TxnRequest, pb::TxnResponse> stub;
};

Swapper::Swapper(const std::string& endpoint, const etcd::Tls& tls) {
  grpc::ChannelArguments args;
  args.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);  // one call is one operation of a history
  args.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  const std::string address = endpoint.substr(endpoint.rfind('/') + 1);
  const auto credentials =
      tls.ca.empty()
          ? grpc::InsecureChannelCredentials()
          : grpc::SslCredentials(
                {.pem_root_certs = tls.ca, .pem_private_key = tls.key, .pem_cert_chain = tls.cert});
  channel_ =
      std::make_unique<Channel>(grpc::CreateCustomChannel("ipv4:" + address, credentials, args));
}

Swapper::Swapper(Swapper&&) noexcept = default;
Swapper& Swapper::operator=(Swapper&&) noexcept = default;
Swapper::~Swapper() = default;

etcd::Change<Swapped> Swapper::swap(const SwapRequest& request, base::Duration deadline) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + deadline);
  grpc::CompletionQueue queue;
  pb::TxnResponse response;
  grpc::Status status;
  const auto call =
      channel_->stub.PrepareUnaryCall(&context, "/etcdserverpb.KV/Txn", encode(request), &queue);
  call->StartCall();
  call->Finish(&response, &status, &context);
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);
  if (!status.ok()) {
    // A transaction fails as a put does.
    const auto judged = etcd::judge(
        etcd::Call::kPut, static_cast<etcd::GrpcCode>(status.error_code()), status.error_message());
    return std::unexpected(etcd::Failure{judged.outcome, judged.error});
  }
  Swapped swapped{.done = response.succeeded(), .found = {}};
  if (!swapped.done && response.responses_size() == 1 &&
      response.responses(0).range().kvs_size() == 1)
    swapped.found = response.responses(0).range().kvs(0).value();
  return swapped;
}

}  // namespace support
