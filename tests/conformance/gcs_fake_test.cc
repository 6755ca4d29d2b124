// Google Cloud Storage over the fake: the suite of all stores, uploads that break, tokens that end.
#include "gcs_fake.h"

#include "objstore/gcs.h"
#include "pki/digest.h"
#include "posix/clock.h"
#include "store_bench.h"

namespace conformance {
namespace {

using base::Code;

constexpr size_t kMiB = size_t{1} << 20;

class GcsBench final : public StoreBench {
 public:
  explicit GcsBench(bool checks_at_begin = false) {
    fake_.checks_at_begin = checks_at_begin;
    auto outside = objstore::real_outside(clock_, random_);
    outside.dial = [this](const http::SessionOptions&) { return fake_.session(); };
    outside.wait = [](base::Duration, const std::stop_token&) {};
    auto tokens = objstore::fetched_token([this](base::Instant now, const objstore::Call&) {
      ++fetched;
      return base::Result<objstore::Token>(
          {.value = fake_.token, .expires = now + std::chrono::hours(1)});
    });
    store_ = *objstore::open_gcs({.bucket = GcsFake::kBucket,
                                  .prefix = "some/prefix",
                                  .endpoint = GcsFake::kServer,
                                  .part_bytes = 2 * kMiB},
                                 std::move(tokens), std::move(outside));
  }
  objstore::Store& store() override { return *store_; }
  bool keeps_unfinished() override { return false; }
  GcsFake& fake() { return fake_; }
  int fetched = 0;

 private:
  posix::SystemClock clock_;
  posix::SystemRandom random_;
  GcsFake fake_;
  std::unique_ptr<objstore::Store> store_;
};

std::unique_ptr<StoreBench> make() {
  return std::make_unique<GcsBench>();
}
std::unique_ptr<StoreBench> make_strict() {
  return std::make_unique<GcsBench>(/*checks_at_begin=*/true);
}
INSTANTIATE_TEST_SUITE_P(Gcs, StoreConformance, ::testing::Values(make));
INSTANTIATE_TEST_SUITE_P(GcsChecksAtBegin, StoreConformance, ::testing::Values(make_strict));

objstore::Call call() {
  return {.deadline = posix::deadline_in(base::Duration(60'000))};
}

TEST(GcsUpload, GoesOnWhereItBroke) {
  std::string bytes(9 * kMiB + 5, '\0');
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 7 / 3);
  for (unsigned which = 0; which < 8; ++which)
    for (const auto fate : {Chunk::kHalf, Chunk::kLostAnswer, Chunk::kCutOff}) {
      GcsBench bench;
      bench.fake().chunks = [&](unsigned number) { return number == which ? fate : Chunk::kWhole; };
      auto writing =
          *bench.store().upload("a", {.condition = {.when = objstore::When::kAbsent}}, call());
      ASSERT_TRUE(writing->write(bytes, call()));
      const auto done = writing->commit(call());
      ASSERT_TRUE(done) << which << " " << static_cast<int>(fate) << ": " << done.error().text();
      const auto back = objstore::read_all(bench.store(), "a", bytes.size(), call());
      ASSERT_TRUE(back) << back.error().text();
      EXPECT_EQ(pki::sha256(*back), pki::sha256(bytes)) << which;
    }
}

TEST(GcsToken, AnEndedTokenIsFetchedAnew) {
  GcsBench bench;
  EXPECT_TRUE(bench.store().put("a", "1", {}, call()));
  EXPECT_EQ(bench.fetched, 1);
  bench.fake().expire("token-2");
  EXPECT_TRUE(bench.store().put("a", "2", {}, call()));
  EXPECT_EQ(bench.fetched, 2);
}

TEST(GcsToken, ATokenThatIsNeverTakenEndsSomewhere) {
  posix::SystemClock clock;
  posix::SystemRandom random;
  GcsFake fake;
  auto outside = objstore::real_outside(clock, random);
  outside.dial = [&](const http::SessionOptions&) { return fake.session(); };
  const auto store = *objstore::open_gcs({.bucket = GcsFake::kBucket, .endpoint = GcsFake::kServer},
                                         objstore::fixed_token("SECRETTOKEN"), std::move(outside));
  const auto page = store->list({}, call());
  ASSERT_FALSE(page);
  EXPECT_EQ(page.error().code, Code::kPermissionDenied);
  EXPECT_EQ(page.error().message.find("SECRET"), std::string::npos);
}

TEST(GcsBucket, AnAbsentOneIsNotEmpty) {
  posix::SystemClock clock;
  posix::SystemRandom random;
  GcsFake fake;
  auto outside = objstore::real_outside(clock, random);
  outside.dial = [&](const http::SessionOptions&) { return fake.session(); };
  const auto store = *objstore::open_gcs({.bucket = "other", .endpoint = GcsFake::kServer},
                                         objstore::fixed_token(fake.token), std::move(outside));
  EXPECT_EQ(store->list({}, call()).error().code, Code::kFailedPrecondition);
  EXPECT_EQ(store->stat("a", call()).error().code, Code::kFailedPrecondition);
}

}  // namespace
}  // namespace conformance
