#include "archive/merge.h"

#include <gtest/gtest.h>

#include <random>

#include "archive/bump.h"
#include "archive/log_testing.h"
#include "etcd/bolt/hashkv.h"

namespace {

using archive::LogRecord;
using archive::Merged;
using archive::MergeQuestion;
using archive::testing::change;
using archive::testing::records_of;
using base::Code;
using bolt::testing::Sample;

archive::RecordSource source_of(std::string records) {
  return [records = std::move(records)](const archive::RecordSink& sink) -> base::Status {
    std::string_view rest = records;
    while (const auto record = archive::next_record(rest)) TRY_OK(sink(*record));
    return {};
  };
}

struct Result {
  Merged merged;
  std::string bytes;
};
base::Result<Result> merge(const Sample& base, const archive::RecordSource& log,
                           const MergeQuestion& question) {
  const auto file = base.file();
  const bolt::StringSource source(file);
  TRY(const auto facts, bolt::verify(source));
  TRY(const auto database, bolt::Database::open(source, facts.database_bytes));
  Result out;
  TRY(out.merged, archive::merge(database, facts, log, question, [&](std::string_view bytes) {
        out.bytes += bytes;
        return base::Status();
      }));
  return out;
}

bolt::Content content_of(const std::string& bytes) {
  const auto facts = bolt::verify(bolt::StringSource(bytes));
  EXPECT_TRUE(facts) << facts.error().text();
  return facts ? facts->content : bolt::Content();
}

std::map<std::string, std::string> bucket(const std::string& bytes, std::string_view name) {
  const bolt::StringSource source(bytes);
  const auto database = bolt::Database::open(source, bytes.size() - bolt::kTrailer);
  std::map<std::string, std::string> out;
  const auto walked = database->walk(name, [&](std::string_view key, std::string_view value) {
    out.emplace(key, value);
    return base::Status();
  });
  EXPECT_TRUE(walked) << walked.error().text();
  return out;
}

std::uint32_t hash(const std::string& bytes, std::int64_t revision, std::int64_t compacted) {
  const bolt::StringSource source(bytes);
  const auto database = bolt::Database::open(source, bytes.size() - bolt::kTrailer);
  const auto kv = bolt::hash_kv(
      *database, {.revision = revision, .compact_revision = compacted, .sip = {1, 2}});
  EXPECT_TRUE(kv) << kv.error().text();
  return kv ? kv->hash : 0;
}

// Random histories: what is merged at any revision is what the history was then.
TEST(Merge, EqualsTheHistoryAtEachRevision) {
  for (unsigned seed = 0; seed < 12; ++seed) {
    std::mt19937_64 random(seed);
    Sample sample;
    std::map<std::int64_t, Sample> then;
    while (sample.revision < 60) {
      change(sample, random);
      then[sample.revision] = sample;
    }
    const auto from = static_cast<std::int64_t>(5 + random() % 30);
    auto base = then.at(from);
    const auto compacted =
        seed % 3 == 0
            ? -1
            : 2 + static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(from - 2));
    if (compacted > 0) archive::testing::compact(base, compacted);
    // With what the base has already, as after a reconnection.
    const auto log = source_of(records_of(sample, from - 2, sample.revision));
    for (auto revision = from; revision <= sample.revision; revision += 1 + random() % 7) {
      const auto exact = merge(base, log, {.revision = revision, .exact = true});
      ASSERT_TRUE(exact) << exact.error().text();
      const auto whole = then.at(revision).file();
      EXPECT_EQ(hash(exact->bytes, revision, compacted), hash(whole, revision, compacted));
      auto expected = then.at(revision).buckets["key"];
      if (compacted < 0) EXPECT_EQ(bucket(exact->bytes, "key"), expected);
      EXPECT_EQ(merge(base, log, {.revision = revision, .exact = true})->bytes, exact->bytes);

      const auto raised = merge(base, log, {.revision = revision});
      ASSERT_TRUE(raised) << raised.error().text();
      const auto facts = bolt::verify(bolt::StringSource(raised->bytes));
      ASSERT_TRUE(facts) << facts.error().text();
      EXPECT_EQ(facts->revision, revision + archive::kBump);
      EXPECT_EQ(facts->live_keys, then.at(revision).keys.size());
      if (facts->live_keys > 0)
        EXPECT_EQ(facts->hash->hash, hash(whole, revision, revision)) << revision;
    }
  }
}

TEST(Merge, WhatIsMissingIsNamed) {
  std::mt19937_64 random(1);
  Sample sample;
  while (sample.revision < 20) change(sample, random);
  const auto base = sample;
  while (sample.revision < 40) change(sample, random);
  const auto said = [&](const std::string& log, std::int64_t revision) {
    const auto done = merge(base, source_of(log), {.revision = revision, .exact = true});
    return done ? "good" : done.error().text();
  };
  EXPECT_NE(said(records_of(sample, 21, 30) + records_of(sample, 32, 40), 35)
                .find("gap: revision 30 is followed by 32"),
            std::string::npos);
  EXPECT_NE(said(records_of(sample, 21, 30), 31).find("gap: the log ends at revision 30"),
            std::string::npos);
  EXPECT_EQ(said(records_of(sample, 21, 30), 30), "good");
  EXPECT_EQ(said("", 20), "good");
  EXPECT_NE(said("", 19).find("before the backup's"), std::string::npos);
}

TEST(Merge, EachLeaseThatIsNamedHasARecord) {
  Sample sample;
  sample.grant(7, 100);
  sample.put("a", "1", 7);
  const auto base = sample;
  sample.put("b", "1", 8);
  sample.put("c", "1", 9);
  sample.put("d", "1", 7);
  auto log = records_of(sample, base.revision + 1, sample.revision);
  Sample leases;
  leases.grant(8, 42);
  leases.grant(11, 42);  // which no key names
  for (const auto& [key, value] : leases.buckets["lease"])
    archive::append_record(log, {key, value});
  const auto done = merge(base, source_of(log), {.revision = sample.revision, .exact = true});
  ASSERT_TRUE(done) << done.error().text();
  EXPECT_EQ(done->merged.unknown_leases, 1U);
  std::map<std::int64_t, std::int64_t> ttl;
  for (const auto& [key, value] : bucket(done->bytes, "lease")) {
    const auto lease = bolt::parse_lease(key, value);
    ASSERT_TRUE(lease) << lease.error().text();
    ttl[lease->id] = lease->ttl;
  }
  EXPECT_EQ(ttl, (std::map<std::int64_t, std::int64_t>{{7, 100}, {8, 42}, {9, 60}}));
}

// A frame holds many revisions, and what was learnt of its leases comes last in it.
TEST(Merge, ALeaseIsKnownAtEachRevisionOfTheFrameThatLearntIt) {
  Sample sample;
  sample.put("a", "1");
  const auto base = sample;
  sample.put("b", "1", 8);
  const auto asked = sample.revision;
  for (int i = 0; i < 10; ++i) sample.put("c", std::to_string(i));
  auto log = records_of(sample, base.revision + 1, sample.revision);
  Sample leases;
  leases.grant(8, 90);
  for (const auto& [key, value] : leases.buckets["lease"])
    archive::append_record(log, {key, value});
  const auto done = merge(base, source_of(log), {.revision = asked, .exact = true});
  ASSERT_TRUE(done) << done.error().text();
  EXPECT_EQ(done->merged.unknown_leases, 0U);
  EXPECT_EQ(done->merged.revision, asked);
  for (const auto& [key, value] : bucket(done->bytes, "lease")) {
    const auto lease = bolt::parse_lease(key, value);
    ASSERT_TRUE(lease) << lease.error().text();
    EXPECT_EQ(lease->ttl, 90);
  }
  EXPECT_EQ(bucket(done->bytes, "lease").size(), 1U);
}

TEST(Merge, AlarmsAreDroppedAndTheRestStays) {
  Sample sample;
  sample.put("a", "1");
  sample.buckets["alarm"][std::string("\x08\x01\x10\x01", 4)] = "";
  const auto done = merge(sample, source_of(""), {.revision = sample.revision, .exact = true});
  ASSERT_TRUE(done) << done.error().text();
  EXPECT_TRUE(content_of(done->bytes).alarms.empty());
  EXPECT_EQ(content_of(done->bytes).members.size(), 1U);
  EXPECT_EQ(bucket(done->bytes, "meta"), sample.buckets["meta"]);
}

}  // namespace
