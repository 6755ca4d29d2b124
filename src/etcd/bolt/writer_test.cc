#include "etcd/bolt/writer.h"

#include <gtest/gtest.h>

#include <random>

#include "etcd/bolt/testing/sample.h"
#include "etcd/bolt/verify.h"

namespace bolt {
namespace {

using base::Code;
using testing::Buckets;
using testing::file_of;

Buckets read_back(const std::string& file) {
  Buckets out;
  const StringSource source(file);
  const auto database = Database::open(source, file.size());
  if (!database) return out;
  PageSet pages = database->no_pages();
  const auto buckets = database->buckets(pages);
  if (!buckets) return out;
  for (const auto& bucket : *buckets) {
    auto& content = out[bucket.name];
    const auto walked = database->walk(
        bucket, pages, [&](std::string_view key, std::string_view value) -> base::Status {
          content.emplace(key, value);
          return {};
        });
    EXPECT_TRUE(walked) << walked.error().text();
  }
  EXPECT_TRUE(database->check_freelist(pages));
  EXPECT_EQ(pages.taken() + 2, database->meta().high_water) << "no page is lost";
  return out;
}

// A branch with one child passes bolt's own check and panics in a later compaction.
void expect_full_branches(const std::string& file, std::uint32_t page_size) {
  for (std::size_t at = 0; at < file.size();) {
    const PageHead head = parse_head(std::string_view(file).substr(at));
    if (head.flags == kBranch) {
      EXPECT_GE(head.count, 2) << "page " << head.id;
    }
    at += (std::size_t{head.overflow} + 1) * page_size;
  }
}

TEST(Writer, WhatIsReadIsWhatWasWritten) {
  std::mt19937 random(3);  // NOLINT(cert-msc51-cpp): the same every time
  for (const std::uint32_t page_size : {1024U, 4096U, 65536U})
    for (int round = 0; round < 10; ++round) {
      Buckets buckets;
      for (auto b = random() % 12; b > 0; --b) {
        auto& content = buckets[fmt::format("bucket-{}", random() % 100)];
        const auto items = random() % 3 == 0 ? random() % 3 : random() % 700;
        for (std::size_t i = 0; i < items; ++i) {
          const std::size_t length = random() % 50 == 0 ? random() % 30'000 : random() % 100;
          std::string key(1 + (random() % 40 == 0 ? random() % 3000 : random() % 20), 'k');
          for (char& c : key) c = static_cast<char>(random());
          content[key] = std::string(length, static_cast<char>(random()));
        }
      }
      const std::string file = file_of(buckets, {.page_size = page_size, .trailer = false});
      EXPECT_EQ(read_back(file), buckets);
      expect_full_branches(file, page_size);
      EXPECT_EQ(file, file_of(buckets, {.page_size = page_size, .trailer = false}));
    }
}

// Every number of leaves, so that each way to end a level occurs.
TEST(Writer, EveryBranchHasTwoChildren) {
  Buckets buckets;
  auto& content = buckets["key"];
  for (int i = 0; i < 400; ++i) {
    content[fmt::format("{:0100}", i)] = std::string(500, 'v');
    const std::string file = file_of(buckets, {.page_size = 1024, .trailer = false});
    expect_full_branches(file, 1024);
    if (i % 40 == 0) EXPECT_EQ(read_back(file), buckets);
  }
}

TEST(Writer, SmallBucketsAreInline) {
  Buckets buckets;
  buckets["empty"];
  buckets["fits"]["k"] = std::string(256 - kPageHead - kElement - 1, 'v');
  EXPECT_EQ(file_of(buckets, {.page_size = 1024, .trailer = false}).size(), 4 * 1024U);
  buckets["fits"]["k"] += 'v';
  EXPECT_EQ(file_of(buckets, {.page_size = 1024, .trailer = false}).size(), 5 * 1024U);
}

TEST(Writer, TheTrailerIsThatOfASnapshot) {
  const testing::Sample s;
  const auto facts = verify(StringSource(s.file()));
  ASSERT_TRUE(facts) << facts.error().text();
  EXPECT_NE(facts->sha256, "");
}

std::string why(const Contents& contents, const WriteOptions& options = {}) {
  const auto written =
      write_database(contents, [](std::string_view) -> base::Status { return {}; }, options);
  return written ? "" : written.error().message;
}

TEST(Writer, RefusesWhatBoltCannotHold) {
  EXPECT_EQ(why([](Items& items) { return items.item("a", ""); }),
            "an item before the first bucket");
  EXPECT_EQ(why([](Items& items) -> base::Status {
              TRY_OK(items.bucket("b"));
              return items.bucket("a");
            }),
            "bucket a is out of order");
  EXPECT_EQ(why([](Items& items) -> base::Status {
              TRY_OK(items.bucket("b"));
              TRY_OK(items.item("k", ""));
              return items.item("k", "");
            }),
            "item 1 of bucket b is out of order");
  EXPECT_EQ(why([](Items& items) -> base::Status {
              TRY_OK(items.bucket("b"));
              return items.item("", "v");
            }),
            "item 0 of bucket b: a key of 0 bytes with a value of 1");
  EXPECT_EQ(why([](Items& items) { return items.bucket(std::string(40'000, 'b')); }),
            "a bucket's name is empty or too long");
  EXPECT_EQ(why([](Items&) -> base::Status { return {}; }, {.page_size = 3000}),
            "a page size of 3000 bytes");
  int calls = 0;
  EXPECT_EQ(why([&](Items& items) { return items.bucket(++calls == 1 ? "a" : "b"); }), "");
  EXPECT_EQ(why([&](Items& items) -> base::Status {
              TRY_OK(items.bucket("a"));
              return ++calls % 2 == 0 ? items.item("k", "v") : base::Status();
            }),
            "the contents were not the same the second time");
}

TEST(Writer, AnErrorOfTheSinkIsGivenOn) {
  const auto written =
      write_database([](Items& items) { return items.bucket("a"); },
                     [](std::string_view) -> base::Status {
                       return base::fail(Code::kResourceExhausted, "the disk is full");
                     });
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, Code::kResourceExhausted);
}

}  // namespace
}  // namespace bolt
