// For tests of this module: a cluster, a store that fails as it is told, and time by hand.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "archive/catalog.h"
#include "archive/fake_member.h"
#include "archive/fetch.h"
#include "archive/run.h"
#include "objstore/memory_store.h"
#include "objstore/objstore_testing.h"
#include "posix/files.h"
#include "posix/test_dir.h"

namespace archive::testing {

struct Killed {};  // what a fault point throws

// A cluster of three, a store that fails as it is told, and time that a test lets pass.
class Bench : public ::testing::Test {
 protected:
  Bench() {
    cluster.members["c-0"].id = 1;
    cluster.members["c-1"].id = 2;
    cluster.members["c-2"].id = 3;
    for (int i = 0; i < 20; ++i) cluster.sample.put("k" + std::to_string(i % 7), "v");
    cluster.sample.remove("k3");
  }
  World world() {
    return {.store = &store,
            .connect = [this](const Endpoint& endpoint) -> std::unique_ptr<etcd::EtcdApi> {
              return std::make_unique<FakeApi>(cluster, cluster.members.at(endpoint.member));
            },
            .clock = &clock,
            .nonce = [this] { return fmt::format("{:016x}", ++nonces); },
            .key = key ? &*key : nullptr,
            .at =
                [this](std::string_view point) {
                  passed.emplace_back(point);
                  if (point == kill_at) throw Killed();
                }};
  }
  RunJob job(unsigned max_backups = 0) {
    RunJob out{.common = {.cluster = {"shop", "orders"}, .scratch = dir.path("scratch")},
               .incarnation = life,
               .epoch = 1,
               .endpoints = {{"c-0", "a"}, {"c-1", "b"}, {"c-2", "c"}},
               .max_backups = max_backups};
    return out;
  }
  FetchJob fetch_job() {
    return {.common = {.cluster = {"shop", "orders"}, .scratch = dir.path("scratch")},
            .to = dir.path("restored.db")};
  }
  RunReport backup(unsigned max_backups = 0) {
    clock.pass(std::chrono::minutes(1));
    return run(job(max_backups), world());
  }
  RunReport change_and_backup(unsigned max_backups = 0) {
    cluster.sample.put("more", std::to_string(cluster.sample.revision));
    return backup(max_backups);
  }
  Shelf shelf() { return {store, root_of({"shop", "orders"}, false)}; }
  objstore::Call call() { return {.deadline = clock.tick() + base::Duration(60'000)}; }
  Catalog catalog() {
    auto read = read_catalog(shelf(), {}, call());
    EXPECT_TRUE(read) << read.error().text();
    return read ? *std::move(read) : Catalog{};
  }
  std::vector<std::int64_t> revisions() {
    std::vector<std::int64_t> out;
    for (const auto& entry : catalog().entries) out.push_back(entry.name.revision);
    return out;
  }
  std::string key_of(const std::string& name, Part part) {
    return shelf().key(*Name::parse(name), part);
  }

  FakeCluster cluster;
  objstore::HandClock clock;
  std::function<std::optional<objstore::Fault>(std::string_view, const std::string&)> faults;
  objstore::MemoryStore store{clock, [this](std::string_view operation, const std::string& k) {
                                return faults ? faults(operation, k) : std::nullopt;
                              }};
  posix::TestDir dir;
  std::string life = "20261122T000000Z-aaaa";
  std::optional<Key> key;
  std::string kill_at;
  std::vector<std::string> passed;  // fault points
  std::uint64_t nonces = 0;
};

}  // namespace archive::testing
