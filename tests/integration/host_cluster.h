// One cluster of real etcd processes under the planner, the engine, the host driver and the guard;
// the test makes the passes itself.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <functional>

#include "drivers/host/layout.h"
#include "drivers/host/platform.h"
#include "engine/reconciler.h"
#include "etcd/api.h"
#include "guard/files.h"
#include "posix/clock.h"
#include "posix/files.h"
#include "posix/lock.h"
#include "posix/logger.h"
#include "posix/process.h"
#include "posix/wakeup.h"
#include "support/etcd_process.h"

namespace integration {

using namespace std::chrono_literals;

// An operator of one cluster, whose passes the test makes itself.
class HostCluster : public ::testing::Test {
 protected:
  void SetUp() override {
    log_ = posix::make_logger({posix::LogFormat::kText, base::Level::kInfo, 0, {}}, clock_,
                              [this](std::string_view line) { said_ += line; });
    intent_.cluster.key = {"default", "c"};
    intent_.cluster.spec.size = 3;
    intent_.cluster.spec.version = *api::parse_version("3.5.12");
    intent_.template_hash = "t1";
    begin();
  }
  void TearDown() override {
    end();
    // Every member that ever was, whatever the record says of it now.
    const auto cluster = host::Layout(scratch_.root() + "/state").cluster(intent_.cluster.key);
    const auto names = posix::list_dir(cluster.members);
    for (size_t i = 0; names && i < names->size(); ++i) kill_member((*names)[i]);
    if (HasFailure()) std::fprintf(stderr, "%s\n", said_.c_str());
  }

  void begin() {
    host::PlatformOptions options;
    options.state_dir = (scratch_.root() + "/state");
    options.guard = EO_GUARD_PROGRAM;
    options.program = program_;
    options.ports = {26000, 26999};
    options.fetch = false;
    auto opened = host::Platform::open(options, clock_, random_, *log_);
    ASSERT_TRUE(opened) << opened.error().text();
    platform_ = std::move(*opened);
    driver_ = platform_->driver(intent_.cluster.key);
    reconciler_ = std::make_unique<engine::Reconciler>(engine::Reconciler::Parts{
        intent_.cluster.key, *driver_, clock_, random_, *log_, &plan::plan, nullptr});
  }
  void end() {
    reconciler_.reset();
    driver_.reset();
    platform_.reset();
  }

  // Passes until `reached` says so; false at the deadline.
  bool run_until(const std::function<bool()>& reached, base::Duration limit = 90s) {
    const auto until = posix::deadline_in(limit);
    while (posix::deadline_in({}) < until) {
      const auto again = reconciler_->pass(intent_, {});
      if (reconciler_->last() && reached()) return true;
      const base::Duration wait = again ? std::min(*again, base::Duration(500)) : 200ms;
      (void)posix::poll_until({}, posix::deadline_in(wait), {});
    }
    ADD_FAILURE() << "not reached; " << words();
    return false;
  }
  const api::ClusterStatus& status() { return reconciler_->last()->plan.status; }
  plan::Record record() {
    if (!reconciler_ || !reconciler_->last()) return {};
    return reconciler_->last()->plan.record;
  }
  bool healthy(int size) {
    return status().ready_size == size && status().current_size == size &&
           reconciler_->last()->plan.steps.empty() && record().open_to_clients &&
           !record().operation;
  }
  std::string words() {
    std::string out;
    for (const auto& c : status().conditions)
      out += fmt::format("{}={} {}: {}\n", api::name_of(c.type), api::name_of(c.status), c.reason,
                         c.message);
    return out;
  }

  host::MemberFiles files(const std::string& member) {
    return host::Layout((scratch_.root() + "/state")).member(intent_.cluster.key, member);
  }
  guard::State state(const std::string& member) {
    const auto bytes = posix::read_file(files(member).state, 1 << 20);
    return bytes ? guard::decode_state(*bytes).value_or(guard::State{}) : guard::State{};
  }
  // The guard too, so that nothing restarts it; waits until both are gone.
  void kill_member(const std::string& member) {
    const auto s = state(member);
    for (const auto pid : {s.guard_pid, s.etcd_pid})
      if (const auto process = posix::identify(pid)) (void)posix::send_signal(*process, SIGKILL);
    const auto until = posix::deadline_in(10s);
    while (posix::is_locked(files(member).lock) == base::Fact<bool>(true) &&
           posix::deadline_in({}) < until)
      (void)posix::poll_until({}, posix::deadline_in(20ms), {});
  }

  std::unique_ptr<etcd::EtcdApi> client(const std::string& url) {
    const auto connection = platform_->connection(intent_.cluster.key);
    if (!connection) return nullptr;
    etcd::Tls tls;
    if (!connection->cacert.empty()) {
      tls.ca = posix::read_file(connection->cacert, 1 << 20).value_or("");
      tls.cert = posix::read_file(connection->cert, 1 << 20).value_or("");
      tls.key = posix::read_file(connection->key, 1 << 20).value_or("");
    }
    return etcd::connect(url, tls);
  }
  // Through the first endpoint that takes it.
  bool put(const std::string& key, const std::string& value) {
    const auto connection = platform_->connection(intent_.cluster.key);
    if (!connection) return false;
    return std::ranges::any_of(connection->endpoints, [&](const std::string& url) {
      return client(url)->put(key, value, 3s).has_value();
    });
  }
  // What every member holds by itself.
  void expect_everywhere(const std::string& key, const std::string& value) {
    const auto connection = platform_->connection(intent_.cluster.key);
    ASSERT_TRUE(connection) << connection.error().text();
    for (const auto& url : connection->endpoints) {
      const auto api = client(url);
      ASSERT_TRUE(api->quorum_read(5s)) << url;
      const auto got = api->range(key, "", true, 0, 5s);
      ASSERT_TRUE(got) << got.error().text();
      ASSERT_EQ(got->kvs.size(), 1U) << url << " lacks " << key;
      EXPECT_EQ(got->kvs[0].value, value);
    }
  }

  support::ScratchDir scratch_;
  posix::SystemClock clock_;
  posix::SystemRandom random_;
  std::string said_;
  std::unique_ptr<base::Logger> log_;
  std::string program_;  // etcd-operator, where backups are taken
  plan::Intent intent_;
  std::unique_ptr<host::Platform> platform_;
  std::unique_ptr<engine::Driver> driver_;
  std::unique_ptr<engine::Reconciler> reconciler_;
};

}  // namespace integration
