// Cases on the API server that KUBECONFIG names: a testbed's. TESTBED_ETCD is its etcd.
#include <fmt/format.h>
#include <poll.h>

#include <chrono>

#include "base/base64.h"
#include "conformance/kube_api_bench.h"
#include "http/session.h"
#include "json/json.h"
#include "kube/credentials.h"
#include "posix/clock.h"
#include "posix/env.h"

namespace conformance {
namespace {

constexpr auto kPatience = std::chrono::seconds(60);
constexpr int kPauseMs = 50, kRestMs = 2000;

std::string need(const std::string& name) {
  auto value = posix::get_env(name);
  if (!value)
    throw std::runtime_error(name +
                             " is not set: this test needs a real API server; run it by "
                             "testbed/with --control-plane-only");
  return *std::move(value);
}

class RealKube final : public KubeBench {
 public:
  explicit RealKube(const std::string& case_name) : etcd_url_(need("TESTBED_ETCD")) {
    const auto access =
        kube::find_access({.kubeconfig = need("KUBECONFIG")}, {}, kube::system_sources().read);
    if (!access) throw std::runtime_error(access.error().message);
    auto made = kube::connect(*access, clock_);
    if (!made) throw std::runtime_error(made.error().message);
    transport_ = *std::move(made);
    ns_ = fmt::format("{}-{:06x}", case_name, posix::SystemRandom().next() & 0xffffff);
    const json::Value object = json::Object{{"metadata", json::Object{{"name", ns_}}}};
    if (status(create(kube::kNamespaces, "", object)) != 201)
      throw std::runtime_error("no namespace could be made");
    // Pods are refused before the account is there.
    if (!until([&] { return status(get(kube::kServiceAccounts, name("default"))) == 200; }))
      throw std::runtime_error("the namespace got no service account");
  }
  ~RealKube() override {
    try {
      status(remove(kube::kNamespaces, {"", ns_}));
    } catch (const std::exception&) {  // NOLINT: the testbed goes away as well
    }
  }

  kube::Transport& transport() override { return *transport_; }

  bool until(const std::function<bool()>& holds) override {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (!holds()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      poll(nullptr, 0, kPauseMs);
    }
    return true;
  }
  // The collector and the controllers answer within a second. What must *not* have happened is
  // looked at after this; a slow machine can only let a fault pass, never find one that is none.
  void rest() override { poll(nullptr, 0, kRestMs); }
  void pod_ended(const std::string& pod) override {
    status(kube::remove(kube::kPods, name(pod), {.grace_seconds = 0}));
  }
  // As the server itself does it every few minutes: it is told by a key of its own.
  void compact() override {
    const auto now = etcd("/v3/kv/range", R"({"key":"AA=="})");
    const auto revision = text_at(now, "header.revision");
    etcd("/v3/kv/compaction", fmt::format(R"({{"revision":"{}"}})", revision));
    etcd("/v3/kv/put",
         fmt::format(R"({{"key":"{}","value":"{}"}})", base::encode_base64("compact_rev_key"),
                     base::encode_base64(revision)));
  }
  std::string forgotten_version() override { return "1"; }

 private:
  int status(const kube::Request& request) {
    const auto reply = transport_->send(request, {}, {});
    if (!reply) throw std::runtime_error(reply.error().error.message);
    return reply->status;
  }
  json::Value etcd(const std::string& target, const std::string& body) {
    auto session = http::Session::open({.base_url = etcd_url_});
    if (!session) throw std::runtime_error(session.error().message);
    const auto reply = (*session)->perform({.method = "POST", .target = target, .body = body}, {});
    if (!reply) throw std::runtime_error(reply.error().error.message);
    if (reply->status != 200) throw std::runtime_error(target + ": " + reply->body);
    auto value = json::parse(reply->body);
    if (!value) throw std::runtime_error(target + ": " + value.error().message);
    return *std::move(value);
  }

  posix::SystemClock clock_;
  std::string etcd_url_;
  std::unique_ptr<kube::Transport> transport_;
};

}  // namespace

std::unique_ptr<KubeBench> real_kube(const std::string& case_name) {
  return std::make_unique<RealKube>(case_name);
}

}  // namespace conformance
