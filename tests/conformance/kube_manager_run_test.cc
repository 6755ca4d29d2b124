// The operator as it runs: its threads, its lease and its pages, over the fake API server.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "http/client.h"
#include "manager/kube_manager.h"
#include "posix/clock.h"
#include "render/crds.h"
#include "sim/world/kube_server.h"

namespace conformance {
namespace {

using namespace std::chrono_literals;

constexpr auto kPatience = 30s;

// The fake server for many threads, with requests that hang or fail.
class SharedServer final : public kube::Transport {
 public:
  explicit SharedServer(const base::Clock& clock) : server_(clock) {}

  kube::Reply send(const kube::Request& request, const kube::Limits& limits,
                   const std::stop_token& stop) override {
    std::unique_lock lock(mutex_);
    if (!hangs.empty() && request.what.starts_with(hangs)) {
      said_.push_back("begun");
      changed_.notify_all();
      changed_.wait(lock, stop, [] { return false; });
      // What is on its way when it is asked to stop may still arrive.
      changed_.wait_for(lock, 500ms, [&] { return knows("given up"); });
      said_.push_back("ended");
    }
    if (!fails.empty() && request.what.starts_with(fails))
      return kube::Response{.status = 503, .body = R"({"kind":"Status","message":"not now"})"};
    auto reply = server_.send(request, limits, stop);
    if (request.path.find("/leases") != std::string::npos &&
        request.body.find(R"("holderIdentity":"")") != std::string::npos)
      said_.push_back("given up");
    changed_.notify_all();
    return reply;
  }
  kube::Reply stream(const kube::Request& request, const kube::Limits& limits,
                     const kube::Sink& sink, const std::stop_token& stop) override {
    std::unique_lock lock(mutex_);
    const auto before = server_.changes();
    changed_.wait_for(lock, stop, 1s, [&] { return server_.changes() != before; });
    return server_.stream(request, limits, sink, stop);
  }

  void must(const kube::Request& request) {
    const std::scoped_lock lock(mutex_);
    const auto reply = server_.send(request, {}, {});
    EXPECT_TRUE(reply && reply->status < 300) << request.what << (reply ? reply->body : "");
    changed_.notify_all();
  }
  bool wait_for(const std::string& word) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return knows(word); });
  }
  std::vector<std::string> said() {
    const std::scoped_lock lock(mutex_);
    return said_;
  }
  void set(std::string& what, std::string to) {
    const std::scoped_lock lock(mutex_);
    what = std::move(to);
  }
  // By how the request is called; to be set before the operator runs, or by set().
  std::string hangs, fails;

 private:
  [[nodiscard]] bool knows(const std::string& word) const {
    return std::ranges::find(said_, word) != said_.end();
  }

  std::mutex mutex_;  // guards all of it
  std::condition_variable_any changed_;
  sim::KubeServer server_;
  std::vector<std::string> said_;
};

class Heard final : public base::Logger {
 public:
  void write(base::Level /*level*/, std::string_view event,
             const std::vector<base::Field>& /*fields*/) override {
    const std::scoped_lock lock(mutex_);
    events_.emplace(event);
    changed_.notify_all();
  }
  bool knows(const std::string& event) {
    const std::scoped_lock lock(mutex_);
    return events_.contains(event);
  }
  bool wait_for(const std::string& event) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return events_.contains(event); });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::set<std::string> events_;
};

class KubeManagerRun : public testing::Test {
 protected:
  KubeManagerRun() {
    for (const auto& file : render::crds())
      server.must(kube::create(kube::kDefinitions, "", file.crd));
  }
  void open(base::Duration life = 15s) {
    manager::KubeManagerOptions options;
    options.http_addr = "127.0.0.1:0";
    options.platform.objects.operator_image = "etcd-operator:1";
    options.lease = {.name = {"default", "leader"}, .identity = "me", .life = life, .retry = 100ms};
    auto made = manager::KubeManager::open(
        options, {server, clock, random, log, *machine,
                  [](const std::string&, const etcd::Tls&) -> std::unique_ptr<etcd::EtcdApi> {
                    return nullptr;  // no member ever runs
                  }});
    ASSERT_TRUE(made);
    manager = *std::move(made);
    thread = std::jthread([this](const std::stop_token& stop) { manager->run(stop); });
  }
  // The page's text; empty: it says that it is not ready.
  std::string ready() {
    const auto page =
        http::fetch({.url = "http://" + manager->http_address() + "/readyz", .deadline = 5s}, {});
    return page.value_or("");
  }
  bool until(const std::function<bool()>& reached) {
    const auto end = clock.tick() + kPatience;
    while (clock.tick() < end)
      if (reached()) return true;
    return false;
  }

  posix::SystemClock clock;
  posix::SystemRandom random;
  Heard log;
  SharedServer server{clock};
  std::unique_ptr<k8s::Machine> machine = k8s::make_machine();
  std::unique_ptr<manager::KubeManager> manager;
  std::jthread thread;
};

TEST_F(KubeManagerRun, TheLeaseIsGivenUpAfterTheLastChange) {
  server.hangs = "create configmaps";
  server.must(
      kube::create(kube::kEtcdClusters, "default",
                   json::Object{{"apiVersion", kube::kEtcdClusters.api_version()},
                                {"kind", "EtcdCluster"},
                                {"metadata", json::Object{{"name", "c"}}},
                                {"spec", json::Object{{"size", 1}, {"version", "3.5.33"}}}}));
  open();
  ASSERT_TRUE(server.wait_for("begun"));
  thread.request_stop();
  thread.join();
  EXPECT_EQ(server.said(), (std::vector<std::string>{"begun", "ended", "given up"}));
}

TEST_F(KubeManagerRun, ADefinitionThatIsMissingIsToldAlthoughItsObjectsCannotBeListed) {
  server.must(kube::remove(
      kube::kDefinitions,
      {"", json::get_string(render::crds().front().crd, "metadata.name").value_or("")}));
  server.fails = "list etcd";
  open();
  ASSERT_TRUE(log.wait_for("SchemasTooOld"));
  EXPECT_EQ(ready(), "");
  server.must(kube::create(kube::kDefinitions, "", render::crds().front().crd));
  server.set(server.fails, "");
  EXPECT_TRUE(until([&] { return ready() == "ok, leads\n"; }));
}

// The schemas cannot be asked for, which says nothing of their age, and then another one leads.
TEST_F(KubeManagerRun, WhoStandsByIsReadyWhateverItFoundAsALeader) {
  server.fails = "get customresourcedefinitions";
  open();
  ASSERT_TRUE(log.wait_for("SchemasNotChecked"));
  EXPECT_FALSE(log.knows("SchemasTooOld"));
  EXPECT_EQ(ready(), "");
  json::Object spec{{"holderIdentity", "another"}, {"leaseTransitions", 7}};
  server.must(kube::merge_patch(kube::kLeases, {"default", "leader"},
                                json::Object{{"spec", std::move(spec)}}));
  EXPECT_TRUE(until([&] { return ready() == "ok, stands by\n"; }));
}

TEST_F(KubeManagerRun, NobodyIsReadyWhileTheServerIsSilent) {
  json::Object spec{
      {"holderIdentity", "another"}, {"leaseTransitions", 7}, {"leaseDurationSeconds", 3600}};
  server.must(kube::create(
      kube::kLeases, "default",
      json::Object{{"metadata", json::Object{{"name", "leader"}}}, {"spec", std::move(spec)}}));
  open(/*life=*/1s);
  EXPECT_TRUE(until([&] { return ready() == "ok, stands by\n"; }));
  server.set(server.fails, "get leases");
  EXPECT_TRUE(until([&] { return ready().empty(); }));
  server.set(server.fails, "");
  EXPECT_TRUE(until([&] { return ready() == "ok, stands by\n"; }));
}

}  // namespace
}  // namespace conformance
