#include "manager/manager.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>
#include <utility>

#include "api/status_json.h"
#include "base/text.h"
#include "engine/queue.h"
#include "engine/workers.h"
#include "http/server.h"
#include "json/json.h"
#include "manager/control.h"
#include "manager/fleet.h"
#include "manager/intents.h"
#include "manager/manifest_folder.h"
#include "manager/pages.h"
#include "manager/requests.h"
#include "manager/views.h"
#include "posix/files.h"
#include "posix/process.h"
#include "posix/wakeup.h"
#include "posix/watch.h"

namespace manager {
namespace {

constexpr size_t kIntentBytes = size_t{32} << 20;
constexpr base::Duration kSafetyPoll{1'000}, kSoon{60}, kStoreAgain{30'000};
const std::string kPlain = "text/plain; charset=utf-8";

class FileStore final : public IntentStore {
 public:
  explicit FileStore(host::Platform& platform) : platform_(platform) {}
  base::Result<SavedIntent> load(const base::ClusterKey& key) override {
    const auto file = platform_.files(key).intent;
    TRY(const auto bytes, posix::read_file(file, kIntentBytes));
    TRY_IN(file, auto saved, decode_saved_intent(bytes));
    return saved;
  }
  base::Status save(const base::ClusterKey& key, const SavedIntent& saved) override {
    const auto files = platform_.files(key);
    TRY_OK(posix::make_dirs(files.dir));
    return posix::write_atomic(files.intent, encode(saved));
  }

 private:
  host::Platform& platform_;
};

class HostManager final : public Manager {
 public:
  HostManager(const ManagerOptions& options, std::unique_ptr<host::Platform> platform,
              const base::Clock& clock, base::Random& random, base::Logger& log)
      : options_(options),
        platform_(std::move(platform)),
        clock_(clock),
        log_(log),
        started_(clock.now()),
        store_(*platform_),
        intents_({{options.manifests}, store_, clock, log}),
        fleet_({*platform_, intents_, clock, random, log, registry_, &plan::plan, options.faults}),
        queue_(clock, random, {}),
        requests_({*platform_, intents_, fleet_, clock,
                   [this](const base::ClusterKey& key) { wake(key); },
                   [this] { shutdown_.request_stop(); }, [this] { return about(); }}) {
    platform_->use_secrets([this](const base::ClusterKey& key) { return intents_.secret(key); });
  }

  base::Status learn();
  base::Status listen();
  base::Status run(std::stop_source& stop) override;
  [[nodiscard]] json::Value status() const override { return requests_.status(); }

 private:
  [[nodiscard]] json::Object about() const;
  void wake(const base::ClusterKey& key);
  void follow_folder(const std::stop_token& stop);
  void serve_requests(const std::stop_token& stop);
  [[nodiscard]] http::Response healthz() const;
  [[nodiscard]] http::Response readyz() const;
  [[nodiscard]] http::Response metrics();
  http::Response debug(const std::string& path);

  const ManagerOptions options_;
  const std::unique_ptr<host::Platform> platform_;
  const base::Clock& clock_;
  base::Logger& log_;
  const base::Instant started_;
  std::stop_source shutdown_;  // by request; declared before what may call it
  FileStore store_;
  metrics::Registry registry_;
  MetricsPage metrics_page_{registry_};
  Intents intents_;
  Fleet fleet_;
  engine::Queue queue_;
  Requests requests_;
  std::atomic<bool> folder_read_ = false;
  std::unique_ptr<http::Server> server_;  // last: its handlers use the rest
};

json::Object HostManager::about() const {
  return {{"version", EO_VERSION},
          {"pid", posix::own_pid()},
          {"httpAddress", server_ ? server_->address() : ""},
          {"startedAt", base::to_rfc3339(started_)},
          {"manifests", options_.manifests},
          {"state", options_.platform.state_dir},
          {"etcdDir", options_.platform.etcd_dir}};
}

void HostManager::wake(const base::ClusterKey& key) {
  // What an operator before us knew may be out of date: a deletion may have been taken back.
  if (!folder_read_) return;
  if (const auto woken = queue_.wake(key); !woken)
    log_.error("QueueFull", {{"cluster", key.text()}, {"why", woken.error().text()}});
}

// What an operator before us knew: a folder whose manifest cannot be read today goes on with it.
base::Status HostManager::learn() {
  TRY_IN("look at the state directory", const auto keys, platform_->clusters());
  for (const auto& key : keys) intents_.learn(key);
  return {};
}

void HostManager::follow_folder(const std::stop_token& stop) {
  ManifestFolder folder(options_.manifests);
  auto watch = posix::DirWatch::open(options_.manifests);
  if (!watch) log_.warning("NoInotify", {{"why", watch.error().text()}});
  base::Tick taken{};
  while (!stop.stop_requested()) {
    const auto look = folder.look(clock_.now());
    const auto now = clock_.tick();
    const auto deadline = intents_.next_deadline();
    const bool due = (deadline && *deadline <= now) || now - taken >= kStoreAgain;
    if (look.changed || due || !folder_read_) {
      const auto changed = intents_.take(look.look);
      taken = now;
      const bool first = !folder_read_.exchange(true);
      if (first)
        for (const auto& key : intents_.keys()) wake(key);
      else
        for (const auto& key : changed) wake(key);
    }
    auto pause = look.unsettled ? kSoon : kSafetyPoll;
    if (const auto next = intents_.next_deadline())
      pause = std::clamp(*next - now, base::Duration{10}, pause);
    if (watch && watch->wait(pause, stop)) continue;
    if (const auto waited = posix::poll_until({}, posix::deadline_in(pause), stop);
        !waited && waited.error().code == base::Code::kCancelled)
      return;
  }
}

void HostManager::serve_requests(const std::stop_token& stop) {
  const auto handler = [this](const Request& request, const std::stop_token& token) {
    return requests_.handle(request, token);
  };
  const auto socket = control_socket(options_.platform.state_dir);
  while (!stop.stop_requested()) {
    const auto served = serve_control(socket, handler, log_, stop);
    if (served) return;
    log_.error("ControlSocketFailed", {{"why", served.error().text()}});
    if (!posix::poll_until({}, posix::deadline_in(kSafetyPoll), stop)) continue;
  }
}

http::Response HostManager::healthz() const {
  return health_page(
      queue_, [this](const base::ClusterKey& key) { return !platform_->long_work(key).empty(); });
}

http::Response HostManager::readyz() const {
  if (!folder_read_) return {503, kPlain, "manifests were not read yet\n"};
  for (const auto& key : intents_.keys()) {
    const auto view = intents_.view(key);
    if (view && view->known && fleet_.last(key) == nullptr)
      return {503, kPlain, key.text() + " was not looked at yet\n"};
  }
  return {200, kPlain, "ok\n"};
}

http::Response HostManager::metrics() {
  std::map<base::ClusterKey, MetricsPage::Known> known;
  for (const auto& key : intents_.keys())
    if (auto view = intents_.view(key)) known[key] = {std::move(*view), fleet_.last(key)};
  return metrics_page_.answer(known, queue_.size(), clock_.now());
}

http::Response HostManager::debug(const std::string& path) {
  return debug_page(path, [this](const base::ClusterKey& key) {
    return requests_.handle({Op::kDebug, key, {}}, {});
  });
}

base::Status HostManager::listen() {
  std::map<std::string, http::Handler> routes{
      {"/healthz", [this](const http::Request&) { return healthz(); }},
      {"/readyz", [this](const http::Request&) { return readyz(); }},
      {"/metrics", [this](const http::Request&) { return metrics(); }},
      {std::string(kDebugPages), [this](const http::Request& r) { return debug(r.path); }}};
  TRY(server_, serve_pages(options_.http_addr, std::move(routes)));
  return {};
}

base::Status HostManager::run(std::stop_source& stop) {
  const auto file = about_file(options_.platform.state_dir);
  if (const auto written =
          posix::write_atomic(file, json::print(json::Value(about()), json::Style::kPretty) + "\n");
      !written)
    log_.warning("AboutNotStored", {{"why", written.error().text()}});
  log_.info("Started", {{"version", EO_VERSION},
                        {"http", server_->address()},
                        {"manifests", options_.manifests},
                        {"state", options_.platform.state_dir}});
  // One token for all: a request to shut down counts like a signal.
  const std::stop_callback by_request(shutdown_.get_token(), [&stop] { stop.request_stop(); });
  const auto token = stop.get_token();
  {
    engine::Workers workers(
        queue_, options_.workers,
        [this](const base::ClusterKey& key, const std::stop_token& t) {
          return fleet_.work(key, t);
        },
        log_);
    const std::jthread watcher(
        [&] { platform_->watch([this](const base::ClusterKey& key) { wake(key); }, token); });
    const std::jthread control([&] { serve_requests(token); });
    follow_folder(token);
    log_.info("Stopping", {{"members", "go on running"}});
    workers.stop();
  }
  fleet_.leave();
  log_.info("Stopped");
  return {};
}

}  // namespace

base::Result<std::unique_ptr<Manager>> Manager::open(const ManagerOptions& options,
                                                     const base::Clock& clock, base::Random& random,
                                                     base::Logger& log) {
  ManagerOptions own = options;
  own.platform.status_text = [](const base::ClusterKey&, const api::ClusterStatus& status) {
    return json::print(api::to_json(status)) + "\n";
  };
  TRY(auto platform, host::Platform::open(own.platform, clock, random, log));
  auto manager = std::make_unique<HostManager>(own, std::move(platform), clock, random, log);
  TRY_OK(manager->learn());
  TRY_OK(manager->listen());
  return manager;
}

std::string control_socket(const std::string& state_dir) {
  return state_dir + "/operator.sock";
}
std::string about_file(const std::string& state_dir) {
  return state_dir + "/operator.json";
}
std::string log_file(const std::string& state_dir) {
  return state_dir + "/operator.log";
}

}  // namespace manager
