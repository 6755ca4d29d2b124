#include "archive/segment.h"

#include <gtest/gtest.h>

#include <random>

#include "archive/log.h"
#include "archive/log_testing.h"

namespace {

using archive::Frame;
using archive::SegmentHead;
using archive::SegmentName;
using archive::testing::records_of;
using base::Code;

const auto kLife = *archive::Incarnation::parse("20261122T031500Z-8f3a9c02");

base::Instant at(std::int64_t ms) {
  return base::Instant(base::Duration(1'800'000'000'000 + ms));
}

bolt::testing::Sample history(unsigned count) {
  bolt::testing::Sample sample;
  std::mt19937_64 random(count);
  while (sample.revision < count) archive::testing::change(sample, random);
  return sample;
}

struct Built {
  SegmentHead head;
  std::string bytes;
};
// Revisions first to last in frames of `step`.
Built build(const bolt::testing::Sample& sample, std::int64_t first, std::int64_t last,
            const SegmentName& name, const SegmentHead* before = nullptr, std::int64_t step = 3,
            const archive::Key* key = nullptr) {
  Built out;
  out.head = {.name = name,
              .cluster = {"shop", "orders"},
              .cluster_id = "abc",
              .epoch = 3,
              .nonce = "0123456789abcdef",
              .base = "b",
              .previous = before != nullptr ? digest(*before) : "",
              .joins = before != nullptr,
              .first = first,
              .last = last,
              .begin = at(first),
              .end = at(std::max(first, last)),
              .users = {.revision = 1, .enabled = true},
              .etcd_version = "3.6.16"};
  auto bytes = seal_segment(out.head, key, [&](const objstore::Sink& sink) -> base::Status {
    for (auto from = first; from <= last; from += step) {
      const auto to = std::min(last, from + step - 1);
      std::uint32_t count = 0;
      const auto records = records_of(sample, from, to, &count);
      out.head.records += count;
      TRY_OK(sink(archive::frame_bytes(
          {.first = from, .last = to, .time = at(to), .count = count, .records = records})));
    }
    return {};
  });
  EXPECT_TRUE(bytes) << bytes.error().text();
  out.bytes = bytes.value_or("");
  return out;
}

base::Status read(const std::string& bytes, const SegmentName& name, std::string* records = nullptr,
                  const archive::Key* key = nullptr, size_t piece = 100) {
  archive::SegmentReader reader(name, key, [&](const Frame& frame) {
    if (records != nullptr) *records += frame.records;
    return base::Status();
  });
  for (size_t from = 0; from < bytes.size(); from += piece)
    TRY_OK(reader.write(std::string_view(bytes).substr(from, piece)));
  return reader.finish();
}

TEST(Segment, NamesAreSpelledInOneWay) {
  for (const auto& name :
       {SegmentName{kLife, 1, 0}, SegmentName{kLife, 123'456, 0}, SegmentName{kLife, 7, 12}}) {
    const auto parsed = SegmentName::parse(name.text());
    ASSERT_TRUE(parsed) << name.text();
    EXPECT_EQ(*parsed, name);
  }
  EXPECT_EQ((SegmentName{kLife, 7, 12}.text()),
            "20261122T031500Z-8f3a9c02/log-000000000007.part-00012.seg");
  for (const auto* bad : {"log-000000000007.seg", "20261122T031500Z-8f3a9c02/log-7.seg",
                          "20261122T031500Z-8f3a9c02/log-000000000000.seg",
                          "20261122T031500Z-8f3a9c02/log-000000000007.part-00000.seg",
                          "20261122T031500Z-8f3a9c02/log-000000000007.part-1.seg",
                          "20261122T031500Z-8f3a9c02/log-0000000000x7.seg",
                          "20261122T031500Z-8f3a9c02/log-000000000007.sega"})
    EXPECT_FALSE(SegmentName::parse(bad)) << bad;
}

TEST(Segment, WhatWasSealedComesBack) {
  const auto sample = history(60);
  const auto key = *archive::Key::parse(std::string(64, 'a'), "f");
  for (const auto* with : {static_cast<const archive::Key*>(nullptr), &key}) {
    const SegmentName name{kLife, 4, 0};
    const auto built = build(sample, 5, 50, name, nullptr, 7, with);
    for (const size_t piece : {size_t{1}, size_t{777}, built.bytes.size()}) {
      std::string records;
      const auto done = read(built.bytes, name, &records, with, piece);
      ASSERT_TRUE(done) << done.error().text();
      EXPECT_EQ(records, records_of(sample, 5, 50));
    }
  }
}

TEST(Segment, WithoutItsKeyAndWithAnotherOne) {
  const auto sample = history(20);
  const auto key = *archive::Key::parse(std::string(64, 'a'), "f");
  const auto other = *archive::Key::parse(std::string(64, 'b'), "f");
  const SegmentName name{kLife, 1, 0};
  const auto built = build(sample, 2, 10, name, nullptr, 3, &key);
  EXPECT_EQ(read(built.bytes, name).error().code, Code::kFailedPrecondition);
  EXPECT_EQ(read(built.bytes, name, nullptr, &other).error().code, Code::kFailedPrecondition);
}

TEST(Segment, CutAnywhereItIsDamaged) {
  const auto sample = history(40);
  const SegmentName name{kLife, 2, 3};
  const auto built = build(sample, 2, 30, name);
  for (size_t size = 0; size < built.bytes.size(); size += 1 + size / 50) {
    const auto done = read(built.bytes.substr(0, size), name);
    ASSERT_FALSE(done) << size;
    EXPECT_EQ(done.error().code, Code::kDataLoss) << size;
  }
}

TEST(Segment, NoChangedBitIsTaken) {
  const auto sample = history(40);
  const SegmentName name{kLife, 2, 0};
  const auto built = build(sample, 2, 30, name);
  std::mt19937_64 random(7);
  for (int i = 0; i < 300; ++i) {
    auto bytes = built.bytes;
    bytes[random() % bytes.size()] ^= static_cast<char>(1 << random() % 8);
    const auto done = read(bytes, name);
    ASSERT_FALSE(done);
    EXPECT_TRUE(done.error().code == Code::kDataLoss || done.error().code == Code::kUnimplemented)
        << done.error().text();
  }
  EXPECT_NE(read(built.bytes, {kLife, 3, 0}).error().message.find("it names "), std::string::npos);
}

// Frames that are well formed, and do not hold what the head or their order says.
TEST(Segment, WhatIsMissingOrDoubledInItIsNamed) {
  const auto sample = history(40);
  const auto frame = [&](std::int64_t first, std::int64_t last, std::int64_t time,
                         const std::string& more = "") {
    std::uint32_t count = more.empty() ? 0 : 1;
    const auto records = records_of(sample, first, last, &count) + more;
    return archive::frame_bytes(
        {.first = first, .last = last, .time = at(time), .count = count, .records = records});
  };
  const SegmentName name{kLife, 1, 0};
  const auto said = [&](const std::vector<std::string>& frames) {
    SegmentHead head{
        .name = name, .cluster = {"a", "b"}, .first = 2, .last = 9, .begin = at(0), .end = at(100)};
    const auto bytes = seal_segment(head, nullptr, [&](const objstore::Sink& sink) -> base::Status {
      for (const auto& one : frames) TRY_OK(sink(one));
      return {};
    });
    const auto done = read(*bytes, name);
    return done ? std::string("good") : done.error().message;
  };
  EXPECT_NE(said({frame(2, 4, 1), frame(6, 9, 2)}).find("gap: revision 5"), std::string::npos);
  EXPECT_NE(said({frame(2, 4, 1), frame(4, 9, 2)}).find("overlap: revision 4"), std::string::npos);
  EXPECT_NE(said({frame(2, 4, 2), frame(5, 9, 1)}).find("time"), std::string::npos);
  EXPECT_NE(said({frame(2, 4, 1)}).find("ends at revision 4, not at 9"), std::string::npos);
  EXPECT_NE(said({frame(2, 10, 1)}).find("a frame of the revisions"), std::string::npos);
  EXPECT_NE(said({frame(2, 9, 1)}).find("records, not 0"), std::string::npos);
  // A frame that says that it has more than is in it.
  std::uint32_t count = 0;
  const auto fewer = records_of(sample, 2, 8, &count);
  EXPECT_NE(said({archive::frame_bytes(
                     {.first = 2, .last = 9, .time = at(1), .count = count, .records = fewer})})
                .find("ends at revision 8, not at 9"),
            std::string::npos);
  // A revision within a frame, and the first change of one.
  std::string holed;
  archive::append_record(holed, {bolt::revision_key({2, 1}, true), std::string("\x0a\x01k", 3)});
  EXPECT_NE(said({archive::frame_bytes(
                     {.first = 2, .last = 2, .time = at(1), .count = 1, .records = holed})})
                .find("gap: after revision 1 comes 2.1"),
            std::string::npos);
}

// ---- Many of them. -----------------------------------------------------------------------------

archive::LogEntry entry(const Built& built) {
  return {.name = built.head.name, .size_bytes = built.bytes.size(), .head = built.head};
}

TEST(Log, SegmentsAndPartsThatFollowEachOther) {
  const auto sample = history(60);
  const auto one = build(sample, 2, 9, {kLife, 5, 0});
  const auto two = build(sample, 10, 20, {kLife, 6, 0}, &one.head);
  const auto part1 = build(sample, 21, 25, {kLife, 7, 1}, &two.head);
  const auto part2 = build(sample, 26, 26, {kLife, 7, 2}, &part1.head);
  const auto stale = build(sample, 18, 20, {kLife, 6, 3}, &one.head);
  const auto log =
      archive::judge_log({entry(part2), entry(stale), entry(one), entry(part1), entry(two)});
  EXPECT_TRUE(log.problems.empty()) << log.problems.front();
  ASSERT_EQ(log.ranges.size(), 1U);
  EXPECT_EQ(log.ranges[0].first, 2);
  EXPECT_EQ(log.ranges[0].last, 26);
  EXPECT_EQ(log.stale, (std::vector<SegmentName>{{kLife, 6, 3}}));
  EXPECT_NE(log.covering(2, 26), nullptr);
  EXPECT_EQ(log.covering(1, 26), nullptr);
  EXPECT_EQ(log.covering(2, 27), nullptr);
}

// What came while the backup was made may be in it: it is no way to a time before its end.
TEST(Log, IsReachedFromTheEndOfABackupOn) {
  const auto sample = history(60);
  const auto one = build(sample, 2, 20, {kLife, 1, 0});
  const auto log = archive::judge_log({entry(one)});
  const auto& range = log.ranges.at(0);
  archive::Entry base{.name = {kLife, 9, range.begin, "0123456789"},
                      .manifest = archive::Manifest{.time = range.begin},
                      .time = range.begin,
                      .verified = true};
  archive::Catalog catalog{.entries = {base}};
  EXPECT_EQ(archive::reach(catalog, kLife, log).at(0).begin, range.begin);
  const auto taken = range.begin + base::Duration(1);
  catalog.entries[0].manifest->taken = taken;
  EXPECT_EQ(archive::reach(catalog, kLife, log).at(0).begin, taken);
}

std::string problems(std::vector<archive::LogEntry> entries, size_t ranges) {
  const auto log = archive::judge_log(std::move(entries));
  EXPECT_EQ(log.ranges.size(), ranges);
  std::string out;
  for (const auto& problem : log.problems) out += problem + "\n";
  return out;
}

TEST(Log, WhatIsWrongIsNamed) {
  const auto sample = history(60);
  const auto one = build(sample, 2, 9, {kLife, 1, 0});
  const auto two = build(sample, 10, 20, {kLife, 2, 0}, &one.head);
  const auto three = build(sample, 21, 30, {kLife, 3, 0}, &two.head);
  EXPECT_EQ(problems({entry(two), entry(three)}, 1), "");  // older ones were removed
  const auto missing = problems({entry(one), entry(three)}, 2);
  EXPECT_NE(missing.find("log-000000000003.seg: gap: between it and "), std::string::npos)
      << missing;
  const auto gap = build(sample, 12, 20, {kLife, 2, 0}, &one.head);
  EXPECT_NE(problems({entry(one), entry(gap)}, 2).find("gap: it begins at revision 12, and"),
            std::string::npos);
  const auto overlap = build(sample, 8, 20, {kLife, 2, 0}, &one.head);
  EXPECT_NE(problems({entry(one), entry(overlap)}, 2).find("overlap: it begins at revision 8"),
            std::string::npos);
  const auto another = build(sample, 2, 8, {kLife, 1, 0});
  EXPECT_NE(problems({entry(another), entry(two)}, 2).find("it does not follow"),
            std::string::npos);
  // Lost, and said so by its writer.
  auto begun = two;
  begun.head.joins = false;
  begun.head.first = 15;
  EXPECT_EQ(problems({entry(one), entry(begun)}, 2), "");
  const auto damaged = problems(
      {entry(one), {.name = {kLife, 2, 0}, .problem = "torn: it has 3 bytes, not 9"}, entry(three)},
      2);
  EXPECT_NE(damaged.find("log-000000000002.seg: torn"), std::string::npos) << damaged;
}

}  // namespace
