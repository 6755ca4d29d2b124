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
  base::Result<SavedIntent> load(const base::ClusterKey& key) override {
    if (!load_answer) return std::unexpected(load_answer.error());
    const auto at = kept.find(key);
    if (at == kept.end()) return base::fail(base::Code::kNotFound, "no file");
    return at->second;
  }
  base::Status save(const base::ClusterKey& key, const SavedIntent& saved) override {
    ++saves;
    kept[key] = saved;
    return {};
  }
  base::Status load_answer;
  int saves = 0;
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

TEST_F(IntentsTest, CommandsThatCannotBeReadAreUnknownAndNotOverwritten) {
  intents_.take(with());
  ASSERT_TRUE(intents_.stop(key_, true));
  const auto kept = store_.kept;
  for (const auto code :
       {base::Code::kPermissionDenied, base::Code::kUnavailable, base::Code::kDataLoss}) {
    MemoryStore store;
    store.kept = kept;
    store.load_answer = base::fail(code, "open intent.json: no");
    Intents next({{.folder = "m"}, store, clock_, log_});
    next.learn(key_);
    EXPECT_FALSE(next.view(key_)->known);
    next.take(with());
    const auto unknown = next.view(key_);
    ASSERT_TRUE(unknown && unknown->known);
    EXPECT_TRUE(unknown->intent.paused);
    EXPECT_NE(unknown->intent.problem.find("open intent.json: no"), std::string::npos)
        << unknown->intent.problem;
    EXPECT_EQ(next.pause(key_, false).error().code, base::Code::kFailedPrecondition);
    EXPECT_EQ(store.saves, 0) << "what nobody could read was overwritten";
    store.load_answer = {};
    EXPECT_TRUE(next.take(with()).contains(key_)) << "nothing wakes it";
    const auto known = next.view(key_);
    EXPECT_FALSE(known->intent.paused);
    EXPECT_TRUE(known->intent.stop);
    EXPECT_EQ(known->intent.problem, "");
  }
}

TEST_F(IntentsTest, APersonWhoRemovesUnreadableCommandsEndsThePause) {
  store_.load_answer = base::fail(base::Code::kDataLoss, "damaged");
  intents_.learn(key_);
  intents_.take(with());
  EXPECT_TRUE(intents_.view(key_)->intent.paused);
  store_.load_answer = {};
  EXPECT_TRUE(intents_.take(with()).contains(key_));
  EXPECT_FALSE(intents_.view(key_)->intent.paused);
  EXPECT_TRUE(store_.kept.contains(key_));
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

TEST_F(IntentsTest, AWishToGoBackIsStoredAndTheNextTakesItsPlace) {
  intents_.take(with());
  api::Restore wish;
  wish.to_revision = 7;
  ASSERT_TRUE(intents_.restore(key_, wish));
  const auto first = intents_.view(key_)->intent.in_place;
  ASSERT_TRUE(first);
  EXPECT_EQ(first->to_revision, 7);
  EXPECT_EQ(first->asked_at, clock_.wall);
  EXPECT_NE(first->request, "");
  intents_.take(with());
  EXPECT_EQ(store_.kept.at(key_).in_place, first);
  clock_.wall += base::Duration(1);
  ASSERT_TRUE(intents_.restore(key_, wish));
  EXPECT_NE(intents_.view(key_)->intent.in_place->request, first->request);
}

TEST_F(IntentsTest, ADeletedOneIsForgottenAndComesBackWithWhatWasStored) {
  intents_.take(with());
  ASSERT_TRUE(intents_.pause(key_, true));
  EXPECT_FALSE(intents_.forget(key_)) << "it is declared";
  intents_.take(without());
  clock_.ticks += base::Duration(10'000);
  intents_.take(without());
  ASSERT_TRUE(intents_.forget(key_));
  intents_.take(without());
  EXPECT_FALSE(intents_.keys().contains(key_));
  EXPECT_EQ(intents_.view(key_).error().code, base::Code::kNotFound);
  EXPECT_TRUE(store_.kept.at(key_).deleted) << "its data is kept, and so is what was wanted of it";
  EXPECT_TRUE(intents_.take(with()).contains(key_));
  EXPECT_EQ(intents_.view(key_)->intent.wish, plan::Wish::kPresent);
  EXPECT_TRUE(intents_.view(key_)->intent.paused);
}

}  // namespace
}  // namespace manager
