// S3 against versitygw, the strictest server of S3 that runs here: the suite of all stores, by path
// and by host, over TLS, and what only a server can refuse.
#include <fmt/format.h>

#include "object_server.h"
#include "objstore/s3.h"
#include "pki/issue.h"
#include "posix/clock.h"
#include "posix/files.h"
#include "store_bench.h"

namespace conformance {
namespace {

using base::Code;

const objstore::AwsKeys kKeys{.id = "testkey", .secret = "testsecret12345"};

class Versity {
 public:
  explicit Versity(bool tls) {
    for (const auto* folder : {"data/bucket", "versions", "iam"})
      EXPECT_TRUE(posix::make_dirs(dir_.path(folder)));
    std::vector<std::string> argv = {object_server_path("versitygw-1.8.0"),
                                     "--port",
                                     "127.0.0.1:PORT",
                                     "--iam-dir",
                                     dir_.path("iam"),
                                     "--virtual-domain",
                                     "localhost:PORT",
                                     "--quiet"};
    if (tls) {
      const auto now = posix::SystemClock().now();
      const base::Duration life{3'600'000};
      const auto ca = *pki::make_ca({.common_name = "ca", .now = now, .life = life});
      const auto leaf =
          *pki::issue(ca, {.common_name = "s", .ips = {"127.0.0.1"}, .now = now, .life = life});
      ca_ = ca.cert;
      EXPECT_TRUE(posix::write_new(dir_.path("cert.pem"), leaf.cert));
      EXPECT_TRUE(posix::write_new(dir_.path("key.pem"), leaf.key));
      for (const auto& word : {std::string("--cert"), dir_.path("cert.pem"), std::string("--key"),
                               dir_.path("key.pem")})
        argv.push_back(word);
    }
    for (const auto& word : {std::string("posix"), dir_.path("data")}) argv.push_back(word);
    server_.emplace(ObjectServer::What{
        .argv = argv,
        .env = {"ROOT_ACCESS_KEY=" + kKeys.id, "ROOT_SECRET_KEY=" + kKeys.secret},
        .folder = dir_.path("")});
  }
  [[nodiscard]] const ObjectServer& server() const { return *server_; }
  [[nodiscard]] const std::string& ca() const { return ca_; }

 private:
  posix::TestDir dir_;
  std::string ca_;
  std::optional<ObjectServer> server_;
};

// One for all tests of this program.
const Versity& versity() {
  static const Versity server(/*tls=*/false);
  return server;
}
const Versity& versity_tls() {
  static const Versity server(/*tls=*/true);
  return server;
}

class World {
 public:
  objstore::Outside outside() { return objstore::real_outside(clock_, random_); }

 private:
  posix::SystemClock clock_;
  posix::SystemRandom random_;
};

class S3Bench : public StoreBench {
 public:
  S3Bench(const Versity& server, objstore::S3Options options) : server_(server) {
    options.bucket = "bucket";
    options.part_bytes = 5 << 20;
    options.courier.ca = server.ca();
    store_ = *objstore::open_s3(options, objstore::fixed_aws_keys(kKeys), world_.outside());
  }
  std::string missing() override { return server_.server().missing(); }
  objstore::Store& store() override { return *store_; }

 private:
  const Versity& server_;
  World world_;
  std::unique_ptr<objstore::Store> store_;
};

std::unique_ptr<StoreBench> by_path() {
  const auto& server = versity();
  return std::make_unique<S3Bench>(
      server,
      objstore::S3Options{.endpoint = fmt::format("http://127.0.0.1:{}", server.server().port())});
}
std::unique_ptr<StoreBench> by_host() {
  const auto& server = versity();
  return std::make_unique<S3Bench>(
      server,
      objstore::S3Options{.prefix = "some/prefix",
                          .endpoint = fmt::format("http://localhost:{}", server.server().port()),
                          .addressing = objstore::Addressing::kHost});
}
std::unique_ptr<StoreBench> over_tls() {
  const auto& server = versity_tls();
  return std::make_unique<S3Bench>(
      server,
      objstore::S3Options{.prefix = "tls",
                          .endpoint = fmt::format("https://127.0.0.1:{}", server.server().port())});
}

INSTANTIATE_TEST_SUITE_P(S3ByPath, StoreConformance, ::testing::Values(by_path));
INSTANTIATE_TEST_SUITE_P(S3ByHost, StoreConformance, ::testing::Values(by_host));
INSTANTIATE_TEST_SUITE_P(S3OverTls, StoreConformance, ::testing::Values(over_tls));

class S3Server : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const auto& why = versity().server().missing(); !why.empty()) GTEST_SKIP() << why;
  }
  base::Result<objstore::Page> list(const objstore::S3Options& options,
                                    const objstore::AwsKeys& keys, const base::Clock& clock) {
    auto with = options;
    with.courier.tries = 2;
    if (with.endpoint.empty())
      with.endpoint = fmt::format("http://127.0.0.1:{}", versity().server().port());
    const auto store = objstore::open_s3(with, objstore::fixed_aws_keys(keys),
                                         objstore::real_outside(clock, random_));
    return (*store)->list({}, {.deadline = posix::deadline_in(base::Duration(60'000))});
  }
  posix::SystemClock clock_;
  posix::SystemRandom random_;
};

class WrongClock final : public base::Clock {
 public:
  [[nodiscard]] base::Instant now() const override {
    return posix::SystemClock().now() + std::chrono::minutes(20);
  }
  [[nodiscard]] base::Tick tick() const override { return posix::SystemClock().tick(); }
};

TEST_F(S3Server, RefusesWrongKeys) {
  for (const auto& keys : {objstore::AwsKeys{.id = "testkey", .secret = "wrong"},
                           objstore::AwsKeys{.id = "nobody", .secret = "testsecret12345"}}) {
    const auto page = list({.bucket = "bucket"}, keys, clock_);
    ASSERT_FALSE(page);
    EXPECT_EQ(page.error().code, Code::kPermissionDenied) << page.error().text();
    EXPECT_NE(page.error().message.find("check the access key"), std::string::npos);
  }
}

TEST_F(S3Server, AnAbsentBucketIsNotAnEmptyOne) {
  const auto page = list({.bucket = "no-such-bucket"}, kKeys, clock_);
  ASSERT_FALSE(page);
  EXPECT_EQ(page.error().code, Code::kFailedPrecondition) << page.error().text();
}

TEST_F(S3Server, FindsItsRegion) {
  const auto page = list({.bucket = "bucket", .region = "eu-north-1"}, kKeys, clock_);
  // The server names no other region in every version; then it is told what to check.
  if (!page) EXPECT_EQ(page.error().code, Code::kFailedPrecondition) << page.error().text();
}

TEST_F(S3Server, AWrongClockIsNamed) {
  const WrongClock wrong;
  const auto page = list({.bucket = "bucket"}, kKeys, wrong);
  ASSERT_FALSE(page);
  EXPECT_EQ(page.error().code, Code::kFailedPrecondition) << page.error().text();
  EXPECT_NE(page.error().message.find("ahead of the server's"), std::string::npos)
      << page.error().text();
}

// What it makes of them is its own affair; that they are signed as they are sent is ours.
TEST_F(S3Server, TakesObjectsWithAClassAndEncryption) {
  for (const auto& [encryption, key] :
       {std::pair("AES256", ""), std::pair("aws:kms", "alias/backups")}) {
    objstore::S3Options options{
        .bucket = "bucket",
        .prefix = "class",
        .endpoint = fmt::format("http://127.0.0.1:{}", versity().server().port()),
        .storage_class = "STANDARD_IA",
        .encryption = encryption,
        .kms_key = key,
        .part_bytes = 5 << 20};
    const auto store = *objstore::open_s3(options, objstore::fixed_aws_keys(kKeys),
                                          objstore::real_outside(clock_, random_));
    const objstore::Call call{.deadline = posix::deadline_in(base::Duration(60'000))};
    const auto put = store->put("small", "abc", {}, call);
    ASSERT_TRUE(put) << put.error().text();
    const std::string large(6 << 20, 'x');
    const auto writing = *store->upload("large", {}, call);
    ASSERT_TRUE(writing->write(large, call));
    const auto made = writing->commit(call);
    ASSERT_TRUE(made) << made.error().text();
    EXPECT_EQ(objstore::read_all(*store, "small", 100, call), "abc");
    EXPECT_EQ(objstore::read_all(*store, "large", large.size(), call), large);
  }
}

TEST_F(S3Server, NobodyThere) {
  const auto port = posix::pick_free_ports({.first = 29790, .last = 29799}, 1, {})->at(0);
  const auto page = list({.bucket = "bucket", .endpoint = fmt::format("http://127.0.0.1:{}", port)},
                         kKeys, clock_);
  ASSERT_FALSE(page);
  EXPECT_EQ(page.error().code, Code::kUnavailable) << page.error().text();
}

TEST(S3ServerTls, AServerOfAnotherAuthorityIsRefused) {
  if (const auto& why = versity_tls().server().missing(); !why.empty()) GTEST_SKIP() << why;
  World world;
  objstore::S3Options options{
      .bucket = "bucket",
      .endpoint = fmt::format("https://127.0.0.1:{}", versity_tls().server().port())};
  options.courier.ca = pki::make_ca({.common_name = "other",
                                     .now = posix::SystemClock().now(),
                                     .life = base::Duration(3'600'000)})
                           ->cert;
  const auto store = *objstore::open_s3(options, objstore::fixed_aws_keys(kKeys), world.outside());
  const auto page = store->list({}, {.deadline = posix::deadline_in(base::Duration(60'000))});
  ASSERT_FALSE(page);
  EXPECT_EQ(page.error().code, Code::kFailedPrecondition) << page.error().text();
}

}  // namespace
}  // namespace conformance
