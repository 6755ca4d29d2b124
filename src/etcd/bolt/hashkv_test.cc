// HashKV against a plain copy of etcd's rules over random histories.
#include "etcd/bolt/hashkv.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "base/text.h"
#include "etcd/bolt/testing/sample.h"

namespace bolt {
namespace {

using testing::Sample;

TEST(SipHash, TheVectorsOfItsAuthors) {
  SipKey key{0x0706050403020100, 0x0f0e0d0c0b0a0908};
  const auto empty = siphash128(key, "");
  EXPECT_EQ(empty[0], 0xe6a825ba047f81a3);
  EXPECT_EQ(empty[1], 0x930255c71472f66d);
  const auto one = siphash128(key, std::string_view("\0", 1));
  EXPECT_EQ(one[0], 0x44af996bd8c187da);
  EXPECT_EQ(one[1], 0x45fc229b11597634);
}

// As a server computes it: which records a compaction at the revision would keep, then one pass.
std::uint32_t expected(const Sample& s, std::int64_t revision, std::int64_t compacted) {
  std::map<std::string, std::string> newest;  // key -> its record's key
  for (const auto& [key, value] : s.buckets.at("key")) {
    const auto record = *parse_record(key, value);
    if (record.revision.main > revision) continue;
    if (record.tombstone)
      newest.erase(std::string(record.key));
    else
      newest[std::string(record.key)] = key;
  }
  std::set<std::string> keep;
  for (const auto& [key, at] : newest) keep.insert(at);
  std::string all = "key";
  for (const auto& [key, value] : s.buckets.at("key")) {
    const auto record = *parse_record(key, value);
    if (record.revision.main > revision) continue;
    if (record.revision.main <= compacted && !keep.empty() && !keep.contains(key)) continue;
    if (record.revision.main == compacted && record.tombstone) continue;
    all += key + value;
  }
  return base::crc32c(all);
}

base::Result<HashKv> hash_of(const std::string& file, const HashQuestion& question) {
  const StringSource source(file);
  TRY(const auto database, Database::open(source, file.size()));
  return hash_kv(database, question);
}

TEST(HashKv, RandomHistoriesAtEveryRevision) {
  std::mt19937 random(7);  // NOLINT(cert-msc51-cpp): the same every time
  for (int round = 0; round < 60; ++round) {
    Sample s;
    const auto keys = 1 + random() % 6;
    for (int i = 0; i < 30; ++i) {
      std::set<std::string> touched;
      for (auto n = 1 + random() % 3; n > 0; --n) {
        const std::string key = fmt::format("k{}", random() % keys);
        if (!touched.insert(key).second) continue;
        if (s.keys.contains(key) && random() % 2 == 0)
          s.remove(key, touched.size() > 1);
        else
          s.put(key, fmt::format("v{}", i), 0, touched.size() > 1);
      }
    }
    const std::string file = s.file({.page_size = 1024, .trailer = false});
    for (std::int64_t revision = 1; revision <= s.revision; ++revision)
      for (std::int64_t compacted = -1; compacted <= revision; compacted += 3) {
        const auto hash = hash_of(
            file, {.revision = revision, .compact_revision = compacted, .sip = {1, random()}});
        ASSERT_TRUE(hash) << hash.error().text();
        ASSERT_EQ(hash->hash, expected(s, revision, compacted))
            << round << ": " << revision << " compacted at " << compacted;
      }
  }
}

TEST(HashKv, ACompactionOfTheFileLeavesTheHashAsItWas) {
  Sample s;
  for (int i = 0; i < 50; ++i) s.put(fmt::format("k{}", i % 7), "v");
  s.remove("k3");
  const HashQuestion at{.revision = 51, .compact_revision = 30, .sip = {}};
  const auto before = hash_of(s.file(), at);
  s.mark_compacted(30);
  std::map<std::string, std::string> last;
  for (const auto& [key, value] : s.buckets["key"])
    if (const auto r = *parse_record(key, value); r.revision.main <= 30)
      last[std::string(r.key)] = key;
  std::erase_if(s.buckets["key"], [&](const auto& item) {
    const auto r = *parse_record(item.first, item.second);
    return r.revision.main <= 30 && last[std::string(r.key)] != item.first;
  });
  const auto after = hash_of(s.file(), at);
  ASSERT_TRUE(before && after);
  EXPECT_EQ(*before, *after);
  EXPECT_EQ(*hash_of(s.file(), {.revision = 51, .compact_revision = {}, .sip = {}}), *after);
}

TEST(HashKv, AskedForWhatTheFileDoesNotHave) {
  Sample s;
  for (int i = 0; i < 9; ++i) s.put("k", "v");
  s.mark_compacted(5);
  const std::string file = s.file();
  const auto why = [&](std::optional<std::int64_t> revision,
                       std::optional<std::int64_t> compacted) {
    const auto hash =
        hash_of(file, {.revision = revision, .compact_revision = compacted, .sip = {}});
    return hash ? "" : hash.error().message;
  };
  EXPECT_EQ(why(5, {}), "");
  EXPECT_EQ(why(4, {}), "revision 4 is gone: compacted at 5");
  EXPECT_EQ(why(11, {}), "revision 11 is not there: the newest is 10");
  EXPECT_EQ(why(10, 3), "the file is compacted at 5, and the question is of 3");
}

TEST(HashKv, AnEmptyEtcdIsAtRevisionOne) {
  const std::string file = Sample().file();
  EXPECT_EQ(hash_of(file, {})->revision, 1);
  EXPECT_EQ(hash_of(file, {})->hash, base::crc32c("key"));
}

TEST(LiveRecords, ManyKeys) {
  LiveRecords live({1, 2});
  for (int round = 0; round < 3; ++round)
    for (int i = 0; i < 20'000; ++i)
      ASSERT_TRUE(live.add(fmt::format("key {}", i), round == 2 && i % 2 == 0));
  live.settle();
  EXPECT_EQ(live.count(), 10'000U);
  EXPECT_FALSE(live.live(1));
  EXPECT_FALSE(live.live(40'000));
  EXPECT_TRUE(live.live(40'001));
  EXPECT_FALSE(live.live(60'000));
}

}  // namespace
}  // namespace bolt
