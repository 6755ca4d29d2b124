#include "manager/intents.h"

#include <gtest/gtest.h>

namespace manager {
namespace {

class SetClock final : public base::Clock {
 public:
  [[nodiscard]] base::Instant now() const override { return wall; }
  [[nodiscard]] base::Tick tick() const override { return ticks; }
  base::Instant wall{std::chrono::hours(24 * 365 * 50)};
  base::Tick ticks{};
};

class NoLog final : public base::Logger {
 public:
  void write(base::Level, std::string_view, const std::vector<base::Field>&) override {}
};

class MemoryStore final : public IntentStore {
 public:
  base::Status save(const base::ClusterKey& key, const SavedIntent& saved) override {
    kept[key] = saved;
    return {};
  }
  std::map<base::ClusterKey, SavedIntent> kept;
};

FolderLook look_of(const std::string& spec) {
  FolderLook look;
  FolderFile file;
  file.name = "a.yaml";
  file.bytes = base::Result<std::string>(
      "apiVersion: operator.etcd.io/v1alpha1\nkind: EtcdCluster\nmetadata: {name: a}\nspec: " +
      spec + "\n");
  look.files.push_back(std::move(file));
  return look;
}

class IntentsTest : public ::testing::Test {
 protected:
  const base::ClusterKey key_{"default", "a"};
  SetClock clock_;
  NoLog log_;
  MemoryStore store_;
  Intents intents_{{{.folder = "m"}, store_, clock_, log_}};
};

TEST_F(IntentsTest, CertificatesOfTheUsersOwnAreTheirs) {
  intents_.take(
      look_of("{version: 3.5.33, size: 3, tls: {provider: secrets, static: "
              "{member: {serverSecret: s, peerSecret: p}, operatorSecret: c}}}"));
  const auto view = intents_.view(key_);
  ASSERT_TRUE(view);
  ASSERT_TRUE(view->known) << view->intent.problem;
  EXPECT_EQ(view->intent.cluster.spec.tls.provider, api::TlsProvider::kUserSecrets);
  EXPECT_TRUE(view->intent.cluster.fields_not_acted_on.empty());
}

TEST_F(IntentsTest, ASecretThatComesOrChangesWakesTheClusterThatNamesIt) {
  EXPECT_TRUE(intents_.secret({"default", "p"}).is_unknown()) << "nothing was read yet";
  const auto with = [&](const std::string& secret) {
    auto look = look_of(
        "{version: 3.5.33, size: 3, tls: {provider: secrets, static: {member: {peerSecret: p}}}}");
    if (secret.empty()) return look;
    FolderFile file;
    file.name = "p.yaml";
    file.bytes = base::Result<std::string>(
        "apiVersion: v1\nkind: Secret\nmetadata: {name: p}\nstringData: {peer.crt: " + secret +
        "}\n");
    look.files.push_back(std::move(file));
    return look;
  };
  intents_.take(with(""));
  EXPECT_TRUE(intents_.secret({"default", "p"}).is_absent());
  EXPECT_TRUE(intents_.take(with("one")).contains(key_));
  EXPECT_FALSE(intents_.take(with("one")).contains(key_));
  EXPECT_TRUE(intents_.take(with("two")).contains(key_));
  EXPECT_EQ(intents_.secret({"default", "p"})->data.at("peer.crt"), "two");
}

const std::string kSpec = "{version: 3.5.33, size: 3}";

// A folder in which another file stays: a manifest that goes is then believed to be gone.
FolderLook without() {
  FolderLook look;
  look.other_entries = 1;
  look.files.push_back({"other.yaml", base::Result<std::string>("# nothing"), false});
  return look;
}
FolderLook with() {
  auto look = without();
  look.files.insert(look.files.begin(), look_of(kSpec).files[0]);
  return look;
}

TEST_F(IntentsTest, TheGraceOfAVanishedManifestIsNotOfTheWallClock) {
  intents_.take(with());
  intents_.take(without());
  clock_.wall += std::chrono::hours(24);  // somebody sets the clock
  clock_.ticks += base::Duration(1'000);
  intents_.take(without());
  EXPECT_EQ(intents_.view(key_)->intent.wish, plan::Wish::kStale);
  clock_.wall -= std::chrono::hours(48);
  clock_.ticks += base::Duration(9'000);
  intents_.take(without());
  EXPECT_EQ(intents_.view(key_)->intent.wish, plan::Wish::kDeleted);
}

}  // namespace
}  // namespace manager
