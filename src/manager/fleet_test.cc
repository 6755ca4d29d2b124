#include "manager/fleet.h"

#include <gtest/gtest.h>

#include <functional>

#include "engine/engine_testing.h"

namespace manager {
namespace {

using engine::testing::FakeClock;
using engine::testing::FakeDriver;

class NoStore final : public IntentStore {
 public:
  base::Result<SavedIntent> load(const base::ClusterKey&) override {
    return base::fail(base::Code::kNotFound, "no file");
  }
  base::Status save(const base::ClusterKey&, const SavedIntent&) override { return {}; }
};

// A platform without a machine.
class FakePlatform final : public host::Platform {
 public:
  base::Result<std::vector<base::ClusterKey>> clusters() const override {
    return std::vector<base::ClusterKey>{};
  }
  host::ClusterFiles files(const base::ClusterKey&) const override { return {}; }
  void use_secrets(host::SecretSource) override {}
  std::unique_ptr<engine::Driver> driver(const base::ClusterKey&) override {
    ++drivers;
    auto out = std::make_unique<FakeDriver>();
    out->stored.state = plan::RecordState::kNone;
    return out;
  }
  base::Result<host::Connection> connection(const base::ClusterKey&) const override {
    return host::Connection{};
  }
  std::string long_work(const base::ClusterKey&) const override { return {}; }
  void forget(const base::ClusterKey& key) override { forgotten.insert(key); }
  void watch(const std::function<void(const base::ClusterKey&)>&, const std::stop_token&) override {
  }
  int drivers = 0;
  std::set<base::ClusterKey> forgotten;
};

FolderLook look(bool declared, const std::string& more) {
  FolderLook out;
  out.other_entries = 1;
  const auto text = "apiVersion: operator.etcd.io/v1alpha1\nkind: EtcdCluster\nmetadata: {name: a" +
                    more + "}\nspec: {version: 3.5.33, size: 3}\n";
  if (declared) out.files.push_back({"a.yaml", base::Result<std::string>(text), false});
  out.files.push_back({"b.yaml", base::Result<std::string>("# nothing"), false});
  return out;
}

class FleetTest : public ::testing::Test {
 protected:
  void declare_and_delete(const std::string& more = "") {
    intents_.take(look(true, more));
    intents_.take(look(false, more));
    clock_.advance(base::Duration(10'000));
    intents_.take(look(false, more));
  }
  const base::ClusterKey key_{"default", "a"};
  FakeClock clock_;
  engine::testing::FakeRandom random_;
  engine::testing::NullLogger log_;
  NoStore store_;
  FakePlatform platform_;
  metrics::Registry metrics_;
  Intents intents_{{{.folder = "m"}, store_, clock_, log_}};
  Fleet fleet_{{platform_, intents_, clock_, random_, log_, metrics_, &plan::plan}};
};

TEST_F(FleetTest, ADeletionThatIsDoneEndsTheLooksAndTheListing) {
  declare_and_delete();
  int passes = 0;
  for (bool again = true; again && passes < 10; ++passes) {
    const auto worked = fleet_.work(key_, {});
    ASSERT_TRUE(worked) << worked.error().text();
    again = worked->has_value();
    if (again) EXPECT_NE(fleet_.last(key_), nullptr);
  }
  EXPECT_LT(passes, 10) << "a deleted cluster is looked at for ever";
  EXPECT_GT(passes, 1) << "it was not even deleted";
  EXPECT_TRUE(intents_.keys().empty());
  EXPECT_EQ(fleet_.last(key_), nullptr);
  EXPECT_EQ(platform_.forgotten, std::set{key_});
}

TEST_F(FleetTest, AProtectedClusterGoesOnAndIsNotForgotten) {
  declare_and_delete(", annotations: {operator.etcd.io/protect: \"true\"}");
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(fleet_.work(key_, {})->has_value());
  EXPECT_TRUE(intents_.keys().contains(key_));
  EXPECT_TRUE(platform_.forgotten.empty());
}

// What a plan for nobody's cluster has read must not be taken for known when that cluster comes.
TEST_F(FleetTest, ADryRunOfAnUnknownClusterLeavesNothing) {
  plan::Intent intent;
  intent.cluster.key = key_;
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(fleet_.dry_run(key_, intent, {}));
  EXPECT_EQ(platform_.drivers, 2);
}

}  // namespace
}  // namespace manager
