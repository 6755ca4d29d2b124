#include "etcd/grpc_link.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <grpc/grpc.h>
#include <grpc/support/log.h>
#include <grpc/support/time.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <array>
#include <string_view>

namespace etcd {
namespace {

constexpr int kMaxMessage = 512 << 20;
constexpr std::int64_t kEndMillis = 5'000, kEndPollMillis = 1;

// The library's log goes to stderr, where our own log is; what matters comes back as a status.
void silence_library() {
  static const bool once = [] {
    gpr_set_log_function([](gpr_log_func_args*) {});
    return true;
  }();
  static_cast<void>(once);
}

// An address needs no resolver; a name is given to the system's.
std::string target_of(std::string_view endpoint) {
  if (endpoint.starts_with("unix:")) return std::string(endpoint);
  for (const std::string_view scheme : {"https://", "http://"})
    if (endpoint.starts_with(scheme)) endpoint.remove_prefix(scheme.size());
  const auto host = endpoint.substr(0, endpoint.rfind(':'));
  std::array<unsigned char, sizeof(in6_addr)> address{};
  if (inet_pton(AF_INET, std::string(host).c_str(), address.data()) == 1)
    return fmt::format("ipv4:{}", endpoint);
  if (host.starts_with('[')) return fmt::format("ipv6:{}", endpoint);
  return fmt::format("dns:///{}", endpoint);
}

grpc::ChannelArguments arguments(const Tls& tls) {
  grpc::ChannelArguments args;
  args.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);  // the caller decides, by the outcome
  args.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
  args.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // Of its own: a channel with new certificates must not inherit an old connection's state.
  args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  args.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  args.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 5000);  // the limit of one attempt
  args.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  // etcd drops clients that ping more often than every 5 s, or while nothing is asked.
  args.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 10'000);
  args.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5'000);
  args.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 0);
  args.SetInt(GRPC_ARG_ENABLE_CHANNELZ, 0);
  args.SetMaxReceiveMessageSize(kMaxMessage);
  if (!tls.ca.empty() && !tls.server_name.empty()) args.SetSslTargetNameOverride(tls.server_name);
  return args;
}

std::shared_ptr<grpc::Channel> make_channel(const std::string& endpoint, const Tls& tls) {
  silence_library();
  std::shared_ptr<grpc::ChannelCredentials> credentials;
  if (tls.ca.empty()) {
    credentials = grpc::InsecureChannelCredentials();
  } else {
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = tls.ca;
    options.pem_private_key = tls.key;
    options.pem_cert_chain = tls.cert;
    credentials = grpc::SslCredentials(options);
  }
  return grpc::CreateCustomChannel(target_of(endpoint), credentials, arguments(tls));
}

// The text stands in the table of errors.cc: refused, because nothing was sent.
grpc::Status not_connected(const std::string& endpoint) {
  return {grpc::StatusCode::UNAVAILABLE,
          fmt::format("failed to connect to all addresses: {} did not answer in time", endpoint)};
}

}  // namespace

Link::Link(std::shared_ptr<grpc::Channel> c)
    : channel(std::move(c)), kv(channel), cluster(channel), maintenance(channel) {}

std::shared_ptr<Link> Linker::current() {
  const std::scoped_lock lock(mutex_);
  if (link_ == nullptr) link_ = std::make_shared<Link>(make_channel(endpoint_, tls_));
  return link_;
}

void Linker::drop(const std::shared_ptr<Link>& link) {
  const std::scoped_lock lock(mutex_);
  if (link_ == link) link_ = nullptr;
}

std::expected<std::shared_ptr<Link>, grpc::Status> Linker::connected(gpr_timespec deadline) {
  auto link = current();
  auto state = link->channel->GetState(true);
  if (state == GRPC_CHANNEL_TRANSIENT_FAILURE) {  // of an earlier time: look anew
    drop(link);
    link = current();
    state = link->channel->GetState(true);
  }
  while (state == GRPC_CHANNEL_IDLE || state == GRPC_CHANNEL_CONNECTING) {
    if (!link->channel->WaitForStateChange(state, deadline))
      return std::unexpected(not_connected(endpoint_));
    state = link->channel->GetState(true);
  }
  // A call on a failed channel ends at once with the reason of the failure.
  if (state != GRPC_CHANNEL_READY) drop(link);
  return link;
}

void wait_for_closed_connections() {
  const auto in = [](std::int64_t millis) {
    return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(millis, GPR_TIMESPAN));
  };
  const auto until = in(kEndMillis);
  // The library counts its own users; the last of them takes it down, in a thread of its own.
  while (grpc_is_initialized() != 0 && gpr_time_cmp(gpr_now(GPR_CLOCK_MONOTONIC), until) < 0)
    gpr_sleep_until(in(kEndPollMillis));
}

}  // namespace etcd
