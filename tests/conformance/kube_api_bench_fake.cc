// Cases on the fake API server.
#include "conformance/kube_api_bench.h"
#include "sim/world/kube_controllers.h"
#include "sim/world/kube_server.h"

namespace conformance {
namespace {

struct Still final : base::Clock {
  [[nodiscard]] base::Instant now() const override {
    return base::Instant(std::chrono::days(20'000));
  }
  [[nodiscard]] base::Tick tick() const override { return base::Tick(base::Duration(1)); }
};

class FakeKube final : public KubeBench {
 public:
  FakeKube() {
    ns_ = "conformance";
    const json::Value object = json::Object{{"metadata", json::Object{{"name", ns_}}}};
    static_cast<void>(server_.send(create(kube::kNamespaces, "", object), {}, {}));
  }
  kube::Transport& transport() override { return server_; }

  bool until(const std::function<bool()>& holds) override {
    constexpr int kTurns = 50;
    for (int i = 0; i < kTurns && !holds(); ++i) turn();
    return holds();
  }
  void rest() override {
    while (turn()) {
    }
  }
  void pod_ended(const std::string& pod) override { server_.pod_ended(name(pod)); }
  void compact() override {
    forgotten_ = std::to_string(server_.changes() - 1);
    server_.compact(0);
  }
  std::string forgotten_version() override { return forgotten_; }

 private:
  bool turn() {
    const bool collected = server_.collect_garbage();
    const bool sets = controllers_.stateful_sets();
    const bool jobs = controllers_.jobs();
    return controllers_.budgets() || sets || jobs || collected;
  }

  Still clock_;
  sim::KubeServer server_{clock_};
  sim::KubeControllers controllers_{server_};
  std::string forgotten_;
};

}  // namespace

std::unique_ptr<KubeBench> fake_kube() {
  return std::make_unique<FakeKube>();
}

}  // namespace conformance
