// Azure Blob Storage (azurite) and Google Cloud Storage (our fake on a port) as the place of a
// cluster's backups and as what it begins from: the shipped programs and real etcd.
#include <fmt/format.h>

#include <memory>
#include <random>

#include "../../conformance/azurite.h"
#include "../../conformance/gcs_server.h"
#include "e2e/host/bucket_fixture.h"

namespace e2e {
namespace {

constexpr int kLarge = 24;  // values of a MiB that nothing makes smaller: uploads of four parts

class Cloud {
 public:
  virtual ~Cloud() = default;
  virtual std::string missing() const { return {}; }
  virtual std::string values() const = 0;  // of the Secret, one a line, indented by two
  virtual std::string wrong() const = 0;   // the same that the store refuses
  virtual std::string place() const = 0;   // a storage block on one line
  virtual std::string source() const = 0;  // the same bucket; the rest is that of the backups
};

class Azure final : public Cloud {
 public:
  std::string missing() const override { return server_.server().missing(); }
  std::string values() const override {
    return fmt::format("  storage-account: {}\n  storage-key: {}\n", conformance::kAccount,
                       conformance::kKey);
  }
  std::string wrong() const override {
    return fmt::format("  storage-account: {}\n  storage-key: d3Jvbmc=\n", conformance::kAccount);
  }
  std::string place() const override {
    return fmt::format("abs: {{path: container/etcd, absSecret: store, endpoint: \"{}/{}\"}}",
                       server_.url(), conformance::kAccount);
  }
  std::string source() const override { return "abs: {path: container/etcd}"; }

 private:
  conformance::Azurite server_;
};

class Google : public Cloud {
 public:
  std::string values() const override {
    return fmt::format("  access-token: {}\n", server_.token());
  }
  std::string wrong() const override { return "  access-token: wrong\n"; }
  std::string place() const override {
    return fmt::format("gcs: {{path: bucket/etcd, gcpSecret: store, endpoint: \"{}\"}}",
                       server_.url());
  }
  std::string source() const override { return "gcs: {path: bucket/etcd}"; }

 protected:
  conformance::GcsServer server_;
};

// By what `gcloud auth application-default login` leaves: a token is fetched for it.
class GoogleForAPerson final : public Google {
 public:
  std::string values() const override { return file(conformance::GcsServer::kRefreshToken); }
  std::string wrong() const override { return file("wrong"); }

 private:
  [[nodiscard]] std::string file(const std::string& refresh_token) const {
    return fmt::format("  credentials.json: '{}'\n", server_.credentials(refresh_token));
  }
};

struct Kind {
  std::string name;
  std::unique_ptr<Cloud> (*open)();
};
const Kind kAzure{"Azure", [] -> std::unique_ptr<Cloud> { return std::make_unique<Azure>(); }};
const Kind kGoogle{"Google", [] -> std::unique_ptr<Cloud> { return std::make_unique<Google>(); }};
const Kind kGoogleForAPerson{"GoogleForAPerson", [] -> std::unique_ptr<Cloud> {
                               return std::make_unique<GoogleForAPerson>();
                             }};

class CloudsTest : public BucketTest, public testing::WithParamInterface<Kind> {
 protected:
  CloudsTest() : BucketTest("c"), cloud_(GetParam().open()) {}

  void secret(const std::string& values) const {
    sandbox_.write(
        "secret.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: store\nstringData:\n" + values);
  }
  void apply() const {
    sandbox_.write(
        "c.yaml",
        manifest("c", 3, "3.6.16",
                 fmt::format("  backup:\n    backupPolicy:\n      backupIntervalInSecond: 7200\n"
                             "      maxBackups: 3\n      storageSource:\n        {}\n"
                             "  restore:\n    restorePolicy:\n      {}\n",
                             cloud_->place(), cloud_->source())));
  }
  [[nodiscard]] bool settled() const { return sandbox_.settled(name_, 3); }

  std::unique_ptr<Cloud> cloud_;
};

INSTANTIATE_TEST_SUITE_P(Stores, CloudsTest, testing::Values(kAzure, kGoogle, kGoogleForAPerson),
                         [](const auto& param) { return param.param.name; });

TEST_P(CloudsTest, BackedUpProvenDeletedAndBroughtBack) {
  if (const auto why = cloud_->missing(); !why.empty()) GTEST_SKIP() << why;
  sandbox_.start_operator();
  // With wrong credentials it could not be looked, which is not an empty store.
  secret(cloud_->wrong());
  apply();
  ASSERT_TRUE(eventually(120s, [&] {
    return sandbox_.reason(name_, "Restored") == "RestoreLookupFailed";
  })) << say();
  EXPECT_TRUE(sandbox_.all_members().empty());
  secret(cloud_->values());
  ASSERT_TRUE(eventually(150s, [&] { return settled(); })) << say();
  EXPECT_EQ(sandbox_.reason(name_, "Restored"), "NoBackupFound") << say();

  std::mt19937_64 random(1);  // NOLINT(cert-msc51-cpp): the same every time
  std::string large(std::size_t{1} << 20, 'x');
  for (int i = 0; i < kLarge; ++i) {
    for (char& byte : large) byte = static_cast<char>(random());
    ASSERT_NE(put(fmt::format("large/{}", i), large), 0);
  }
  const std::int64_t old = put("greeting", "hello");
  ASSERT_NO_FATAL_FAILURE(back_up(old));
  EXPECT_TRUE(eventually(120s, [&] { return is("BackupProven", "True"); })) << say();
  EXPECT_TRUE(is("BackupHealthy", "True")) << say();

  put("later", "not in any backup");
  ASSERT_NO_FATAL_FAILURE(remove_cluster());
  ASSERT_NO_FATAL_FAILURE(lose_all());
  apply();
  ASSERT_TRUE(eventually(240s, [&] { return settled() && is("Restored", "True"); })) << say();
  EXPECT_EQ(get("greeting"), "hello");
  EXPECT_EQ(get(fmt::format("large/{}", kLarge - 1)), large);
  EXPECT_EQ(get("later"), "");
  EXPECT_GT(put("greeting", "again"), old + 1'000'000) << "revisions are raised";
  expect_watch_ends(old);
}

}  // namespace
}  // namespace e2e
