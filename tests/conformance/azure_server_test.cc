// Azure Blob Storage against azurite: the suite of all stores with an account's key, with the
// account in the path and in the host's name, and with a shared access signature.
#include <fmt/format.h>

#include "azurite.h"
#include "base/base64.h"
#include "http/escape.h"
#include "objstore/azure.h"
#include "pki/digest.h"
#include "posix/clock.h"
#include "store_bench.h"

namespace conformance {
namespace {

using base::Code;

const Azurite& azurite() {
  static const Azurite server;
  return server;
}

// Of the account, for everything, until `end`.
std::string shared_access(const std::string& permissions, const std::string& end) {
  const auto to_sign =
      fmt::format("{}\n{}\nb\nsco\n\n{}\n\n\n2019-12-12\n", kAccount, permissions, end);
  const auto signature = base::encode_base64(pki::hmac_sha256(*base::decode_base64(kKey), to_sign));
  return fmt::format("?sv=2019-12-12&ss=b&srt=sco&sp={}&se={}&sig={}", permissions,
                     http::escape(end), http::escape(signature));
}

class AzureBench final : public StoreBench {
 public:
  AzureBench(const std::string& endpoint, const std::string& prefix, objstore::AzureProof proof) {
    store_ = *objstore::open_azure({.account = kAccount,
                                    .container = "container",
                                    .prefix = prefix,
                                    .endpoint = endpoint,
                                    .part_bytes = 4 << 20,
                                    .courier = {.tries = 2}},
                                   std::move(proof), objstore::real_outside(clock_, random_));
  }
  std::string missing() override { return azurite().server().missing(); }
  objstore::Store& store() override { return *store_; }
  bool keeps_unfinished() override { return false; }

 private:
  posix::SystemClock clock_;
  posix::SystemRandom random_;
  std::unique_ptr<objstore::Store> store_;
};

std::unique_ptr<StoreBench> by_path() {
  return std::make_unique<AzureBench>(azurite().url() + "/" + kAccount, "",
                                      objstore::AzureKey{kKey});
}
std::unique_ptr<StoreBench> by_host() {
  return std::make_unique<AzureBench>(
      fmt::format("http://{}.blob.localhost:{}", kAccount, azurite().server().port()),
      "some/prefix", objstore::AzureKey{kKey});
}
std::unique_ptr<StoreBench> by_sas() {
  return std::make_unique<AzureBench>(
      azurite().url() + "/" + kAccount, "sas",
      objstore::AzureSas{shared_access("rwdlac", "2099-01-01T00:00:00Z")});
}
INSTANTIATE_TEST_SUITE_P(AzureByPath, StoreConformance, ::testing::Values(by_path));
INSTANTIATE_TEST_SUITE_P(AzureByHost, StoreConformance, ::testing::Values(by_host));
INSTANTIATE_TEST_SUITE_P(AzureBySas, StoreConformance, ::testing::Values(by_sas));

TEST(AzureServer, RefusesWhoMayNot) {
  if (const auto& why = azurite().server().missing(); !why.empty()) GTEST_SKIP() << why;
  const auto endpoint = azurite().url() + "/" + kAccount;
  const objstore::Call call{.deadline = posix::deadline_in(base::Duration(60'000))};
  const std::vector<objstore::AzureProof> proofs = {
      objstore::AzureKey{base::encode_base64("another key")},
      objstore::AzureSas{shared_access("rwdlac", "2020-01-01T00:00:00Z")},
      objstore::AzureSas{shared_access("rwdlac", "2099-01-01T00:00:00Z") + "x"},
      objstore::AzureSas{shared_access("r", "2099-01-01T00:00:00Z")}};
  for (const auto& proof : proofs) {
    AzureBench bench(endpoint, "", proof);
    const auto done = bench.store().put("a", "x", {}, call);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, Code::kPermissionDenied) << done.error().text();
    EXPECT_EQ(done.error().message.find("sig="), std::string::npos) << done.error().text();
  }
}

TEST(AzureServer, AnAbsentContainerIsNotAnEmptyOne) {
  if (const auto& why = azurite().server().missing(); !why.empty()) GTEST_SKIP() << why;
  posix::SystemClock clock;
  posix::SystemRandom random;
  const auto store = *objstore::open_azure(
      {.account = kAccount, .container = "none", .endpoint = azurite().url() + "/" + kAccount},
      objstore::AzureKey{kKey}, objstore::real_outside(clock, random));
  const objstore::Call call{.deadline = posix::deadline_in(base::Duration(60'000))};
  EXPECT_EQ(store->list({}, call).error().code, Code::kFailedPrecondition);
  EXPECT_EQ(store->stat("a", call).error().code, Code::kFailedPrecondition);
  EXPECT_EQ(store->put("a", "x", {}, call).error().code, Code::kFailedPrecondition);
}

}  // namespace
}  // namespace conformance
