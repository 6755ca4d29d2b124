#include "manager/kube_manager.h"

#include <fmt/format.h>
#include <poll.h>

#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "base/text.h"
#include "engine/queue.h"
#include "engine/workers.h"
#include "http/server.h"
#include "json/json.h"
#include "kube/runner.h"
#include "manager/control.h"
#include "manager/kube_backups.h"
#include "manager/kube_clusters.h"
#include "manager/kube_restores.h"
#include "manager/pages.h"
#include "manager/views.h"
#include "posix/wakeup.h"
#include "render/crds.h"

namespace manager {
namespace {

constexpr base::Duration kTurn{1'000}, kCheckAgain{10'000}, kCall{8'000};
// A cluster is made by some fifty requests, and one at rest asks for none: enough that hundreds of
// them, declared or edited at once, do not wait for us. A server that has enough says so (429).
constexpr kube::Rate kRate{.per_second = 200, .burst = 400};
constexpr std::string_view kSchemaAnnotation = "operator.etcd.io/schema";
const std::string kPlain = "text/plain; charset=utf-8";

class Operator final : public KubeManager {
 public:
  Operator(const KubeManagerOptions& options, const KubeParts& parts, posix::Wakeup changed)
      : options_(options),
        parts_(parts),
        changed_(std::move(changed)),
        limiter_(parts.clock, kRate),
        elector_(options.lease, parts.clock),
        client_({.transport = parts.transport,
                 .limiter = limiter_,
                 .clock = parts.clock,
                 .fence = &elector_,
                 .registry = &registry_}),
        platform_(k8s::Platform::make(options.platform, {client_, parts.clock, parts.random,
                                                         parts.log, parts.machine, parts.connect})),
        clusters_({*platform_, client_, parts.clock, parts.random, parts.log, registry_,
                   &plan::plan, [this] { return term(); }, options.faults}),
        backups_(
            {*platform_, clusters_, parts.clock, parts.log, registry_, [this] { return term(); }}),
        restores_({*platform_, clusters_, parts.clock, parts.log, [this] { return term(); }}),
        queue_(parts.clock, parts.random, {}) {}

  base::Status listen() {
    std::map<std::string, http::Handler> routes{
        {"/healthz", [this](const http::Request&) { return healthz(); }},
        {"/readyz", [this](const http::Request&) { return readyz(); }},
        {"/metrics", [this](const http::Request&) { return metrics(); }},
        {std::string(kDebugPages), [this](const http::Request& r) { return debug(r.path); }}};
    TRY(server_, serve_pages(options_.http_addr, std::move(routes)));
    return {};
  }

  void run(const std::stop_token& stop) override;
  [[nodiscard]] std::string http_address() const override {
    return server_ ? server_->address() : "";
  }

 private:
  // Of the lease, while the schemas are good.
  [[nodiscard]] std::optional<std::int64_t> term() const {
    const auto led = elector_.term();
    if (!led || schemas_checked_ != led->number) return std::nullopt;
    return led->number;
  }
  void wake(const base::ClusterKey& key);
  void turn(const std::stop_token& stop);
  void check(const std::stop_token& stop);
  [[nodiscard]] http::Response healthz() const;
  [[nodiscard]] http::Response readyz() const;
  [[nodiscard]] http::Response metrics();
  http::Response debug(const std::string& path);

  const KubeManagerOptions options_;
  const KubeParts parts_;
  const posix::Wakeup changed_;  // something that is declared may have changed
  metrics::Registry registry_;
  kube::Limiter limiter_;
  kube::Elector elector_;
  kube::Client client_;
  const std::unique_ptr<k8s::Platform> platform_;
  KubeClusters clusters_;
  KubeBackups backups_;  // of the thread that looks after what asks for one thing
  KubeRestores restores_;
  engine::Queue queue_;
  std::atomic<std::int64_t> schemas_checked_ = -1;  // in this term
  std::atomic<bool> listed_ = false;
  base::Tick check_at_{};
  std::string schema_problem_;  // guarded by mutex_
  mutable std::mutex mutex_;
  MetricsPage metrics_page_{registry_};
  std::unique_ptr<http::Server> server_;  // last: its handlers use the rest
};

void Operator::wake(const base::ClusterKey& key) {
  if (const auto woken = queue_.wake(key); !woken)
    parts_.log.error("QueueFull", {{"cluster", key.text()}, {"why", woken.error().text()}});
}

// In each term once, until it is good: a person may mend it while we wait.
void Operator::check(const std::stop_token& stop) {
  const auto led = elector_.term();
  const auto now = parts_.clock.tick();
  if (!led) {  // whoever leads answers for them
    const std::lock_guard lock(mutex_);
    schema_problem_.clear();
    return;
  }
  if (schemas_checked_ == led->number || now < check_at_) return;
  check_at_ = now + kCheckAgain;
  auto good = check_schemas(client_, stop);
  if (!good && good.error().code == base::Code::kPermissionDenied) {
    parts_.log.warning("SchemasNotChecked", {{"why", good.error().message}});
    good = {};
  }
  {
    const std::lock_guard lock(mutex_);
    schema_problem_ = good ? "" : good.error().message;
  }
  if (!good && good.error().code == base::Code::kFailedPrecondition) {
    parts_.log.error("SchemasTooOld", {{"why", good.error().message}});
    return;
  }
  if (!good) {  // nobody knows: asked again soon
    parts_.log.warning("SchemasNotChecked", {{"why", good.error().message}});
    return;
  }
  schemas_checked_ = led->number;
  for (const auto& key : clusters_.keys()) wake(key);
}

void Operator::turn(const std::stop_token& stop) {
  check(stop);  // first: of a kind that is not installed nothing can be listed
  if (!platform_->ready()) return;
  const auto changed = clusters_.take();
  for (const auto& key : changed) wake(key);
  if (!listed_.exchange(true))
    for (const auto& key : clusters_.keys()) wake(key);
}

void Operator::run(const std::stop_token& stop) {
  parts_.log.info("Started", {{"version", EO_VERSION},
                              {"http", http_address()},
                              {"namespace", options_.platform.one_namespace},
                              {"identity", options_.lease.identity}});
  {
    engine::Workers workers(
        queue_, options_.workers,
        [this](const base::ClusterKey& key, const std::stop_token& t) {
          return clusters_.work(key, t);
        },
        parts_.log);
    const std::jthread watcher([&] {
      platform_->watch(
          [this](const base::ClusterKey& key) {
            wake(key);
            changed_.notify();
          },
          stop);
    });
    const kube::Surroundings around{client_, parts_.clock, parts_.log};
    // It ends after the workers: the lease is not given up while a change is on its way.
    const std::jthread elector([&](const std::stop_token& own) {
      kube::run_elector(elector_, around, [this](bool) { changed_.notify(); }, own);
    });
    const std::jthread requests([&] {
      while (!stop.stop_requested()) {
        backups_.turn(stop);
        restores_.turn(stop);
        parts_.machine.pause(kTurn, stop);
      }
    });
    while (!stop.stop_requested()) {
      turn(stop);
      posix::PollItem item{.fd = changed_.fd(), .events = POLLIN};
      if (posix::poll_until({&item}, posix::deadline_in(kTurn), stop)) changed_.clear();
    }
    parts_.log.info("Stopping", {{"members", "go on running"}});
    workers.stop();
  }
  parts_.log.info("Stopped");
}

http::Response Operator::healthz() const {
  return health_page(queue_, [](const base::ClusterKey&) { return false; });
}

// One that stands by is ready too: it takes over at once. Without the API server nobody can.
http::Response Operator::readyz() const {
  {
    const std::lock_guard lock(mutex_);
    if (!schema_problem_.empty()) return {503, kPlain, schema_problem_ + "\n"};
  }
  if (!listed_) return {503, kPlain, "the objects were not all listed yet\n"};
  if (elector_.term()) return {200, kPlain, "ok, leads\n"};
  const auto now = parts_.clock.tick();
  const auto silent = now - elector_.heard_at().value_or(base::Tick{});
  if (silent > options_.lease.life)
    return {503, kPlain,
            "the API server has not answered for " + base::to_text(silent) + ": nobody leads\n"};
  return {200, kPlain, "ok, stands by\n"};
}

http::Response Operator::metrics() {
  std::map<base::ClusterKey, MetricsPage::Known> known;
  // Who stands by knows nothing of them.
  for (const auto& key : term() ? clusters_.keys() : std::set<base::ClusterKey>())
    if (auto view = clusters_.view(key)) known[key] = {std::move(*view), clusters_.last(key)};
  return metrics_page_.answer(known, queue_.size(), parts_.clock.now());
}

http::Response Operator::debug(const std::string& path) {
  return debug_page(path, [this](const base::ClusterKey& key) -> base::Result<json::Value> {
    TRY(const auto view, clusters_.view(key));
    return debug_view(view, clusters_.last(key).get());
  });
}

}  // namespace

base::Status check_schemas(kube::Client& client, const std::stop_token& stop) {
  for (const auto& file : render::crds()) {
    const auto name = json::get_string(file.crd, "metadata.name").value_or("");
    const auto found = client.call(kube::get(kube::kDefinitions, {"", name}), kCall, stop);
    if (!found && found.error().code == base::Code::kNotFound)
      return base::fail(base::Code::kFailedPrecondition,
                        name + " is not installed: apply deploy/crds");
    if (!found) return std::unexpected(static_cast<const base::Error&>(found.error()));
    const auto* notes = found->at("metadata.annotations");
    const auto* note = notes == nullptr ? nullptr : notes->find(kSchemaAnnotation);
    const auto* text = note == nullptr ? nullptr : note->if_string();
    const auto schema = text == nullptr ? std::nullopt : base::parse_int(*text);
    if (!schema || *schema < render::kSchema)
      return base::fail(
          base::Code::kFailedPrecondition,
          fmt::format("{} is of an older schema ({}, {} is needed), which would drop "
                      "fields: apply deploy/crds",
                      name, text == nullptr ? "another operator's" : *text, render::kSchema));
  }
  return {};
}

base::Result<std::unique_ptr<KubeManager>> KubeManager::open(const KubeManagerOptions& options,
                                                             const KubeParts& parts) {
  TRY(auto changed, posix::Wakeup::create());
  auto out = std::make_unique<Operator>(options, parts, std::move(changed));
  TRY_OK(out->listen());
  return std::unique_ptr<KubeManager>(std::move(out));
}

}  // namespace manager
