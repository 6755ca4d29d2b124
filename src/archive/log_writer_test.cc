#include "archive/log_writer.h"

#include "archive/follow_testing.h"
#include "archive/log_prune.h"

namespace {

using archive::Frame;
using archive::LogWriter;
using archive::testing::change;
using archive::testing::records_of;

class LogWriters : public archive::testing::FollowBench {
 protected:
  LogWriters() {
    faults = [this](std::string_view operation,
                    const std::string&) -> std::optional<objstore::Fault> {
      if (operation == "get") ++gets;
      return {};
    };
  }
  LogWriter open() {
    auto opened = LogWriter::open(the_shelf, owner, dir.path("scratch"), the_world,
                                  [this] { return call(); });
    EXPECT_TRUE(opened) << opened.error().error.text();
    return *std::move(opened);
  }
  // Without changes: that nothing happened.
  void add(LogWriter& writer, int changes) {
    clock.pass(std::chrono::seconds(1));
    const auto first = cluster.sample.revision + 1;
    while (cluster.sample.revision < first + changes - 1) change(cluster.sample, random);
    Frame frame{
        .first = first, .last = cluster.sample.revision, .time = clock.now(), .records = {}};
    const auto records = records_of(cluster.sample, first, frame.last, &frame.count);
    frame.records = records;
    const auto added = writer.add(frame);
    ASSERT_TRUE(added) << added.error().text();
  }
  void segment(LogWriter& writer, int changes) {
    add(writer, changes);
    const auto sealed = writer.seal(call());
    ASSERT_TRUE(sealed) << sealed.error().error.text();
  }

  archive::Shelf the_shelf = shelf();  // writers point to it
  unsigned gets = 0;
  archive::LogOwner owner{.incarnation = *archive::Incarnation::parse(life),
                          .cluster = {"shop", "orders"},
                          .cluster_id = "abc",
                          .epoch = 1,
                          .nonce = "0123456789abcdef"};
  archive::World the_world = follow_world();
};

// Of a log of any length a few heads are read.
TEST_F(LogWriters, ALongLogIsTakenUpAndPrunedByItsEnds) {
  ASSERT_EQ(backup().outcome, archive::RunOutcome::kUploaded);
  ASSERT_TRUE(posix::make_dirs(dir.path("scratch")));
  {
    auto writer = open();
    writer.begin(cluster.sample.revision + 1);
    for (int i = 0; i < 3; ++i) segment(writer, 0);
    for (int i = 0; i < 2; ++i) segment(writer, 3);
    for (int i = 0; i < 1500; ++i) segment(writer, 0);
  }
  gets = 0;
  const auto writer = open();
  EXPECT_LE(gets, 2U);
  EXPECT_EQ(writer.next(), cluster.sample.revision + 1);
  EXPECT_EQ(writer.chain_first(), catalog().entries.at(0).name.revision + 1);
  gets = 0;
  const auto pruned = prune_log(shelf(), owner.incarnation, the_world, call());
  EXPECT_EQ(pruned.problem, "");
  EXPECT_EQ(pruned.removed, 3U);
  EXPECT_LE(gets, 5U);  // one is the manifest
  EXPECT_EQ(log().ranges.size(), 1U);
  EXPECT_EQ(open().chain_first(), catalog().entries.at(0).name.revision + 1);
}

// What is between the ends is known by its names.
TEST_F(LogWriters, WhatIsBehindALostSegmentIsAChainOfItsOwn) {
  ASSERT_TRUE(posix::make_dirs(dir.path("scratch")));
  {
    auto writer = open();
    writer.begin(cluster.sample.revision + 1);
    for (int i = 0; i < 5; ++i) segment(writer, 2);
  }
  const auto lost = log().entries.at(2);
  ASSERT_TRUE(store.remove(shelf().key(lost.name.text()), call()));
  EXPECT_EQ(open().chain_first(), lost.head->last + 1);
}

// The store has the segment, and nobody heard of it: what came then is in a part.
TEST_F(LogWriters, WhatIsBeyondADoubtfulSegmentIsNotLost) {
  ASSERT_TRUE(posix::make_dirs(dir.path("scratch")));
  {
    auto writer = open();
    writer.begin(cluster.sample.revision + 1);
    segment(writer, 2);
    add(writer, 2);
    ASSERT_TRUE(writer.save_part(call()));
    bool lost = false;
    faults = [&](std::string_view operation, const std::string&) -> std::optional<objstore::Fault> {
      if (!std::exchange(lost, true)) return objstore::Fault{objstore::Trouble::kLostAnswer};
      if (operation == "get") return objstore::Fault{objstore::Trouble::kRefused};
      return {};
    };
    EXPECT_FALSE(writer.seal(call()));
    faults = {};
    add(writer, 2);
    ASSERT_TRUE(writer.save_part(call()));
  }
  EXPECT_EQ(open().next(), cluster.sample.revision + 1);
  const auto now = log();
  ASSERT_EQ(now.ranges.size(), 1U);
  EXPECT_EQ(now.ranges[0].last, cluster.sample.revision);
  EXPECT_TRUE(now.problems.empty()) << now.problems.front();
  EXPECT_TRUE(now.stale.empty());
}

// Once may be the way and not the part.
TEST_F(LogWriters, APartThatReadsBadlyOnceIsNotLost) {
  ASSERT_TRUE(posix::make_dirs(dir.path("scratch")));
  for (const int bad : {1, 2}) {
    {
      auto writer = open();
      if (writer.next() == 0) writer.begin(cluster.sample.revision + 1);
      segment(writer, 2);
      add(writer, 2);
      ASSERT_TRUE(writer.save_part(call()));
    }
    int seen = 0;
    faults = [&](std::string_view operation,
                 const std::string& object) -> std::optional<objstore::Fault> {
      if (operation != "get" || object.find(".part-") == std::string::npos || ++seen != bad)
        return {};
      return objstore::Fault{objstore::Trouble::kLiedHalf};
    };
    EXPECT_EQ(open().next(), cluster.sample.revision + 1) << bad;
    EXPECT_EQ(log().ranges.size(), 1U);
    faults = {};
  }
}

TEST_F(LogWriters, WhatIsListedAndNotGivenIsNotTakenForGone) {
  ASSERT_TRUE(posix::make_dirs(dir.path("scratch")));
  {
    auto writer = open();
    writer.begin(cluster.sample.revision + 1);
    segment(writer, 2);
  }
  faults = [&](std::string_view operation, const std::string&) -> std::optional<objstore::Fault> {
    if (operation != "get") return {};
    return objstore::Fault{.trouble = objstore::Trouble::kRefused, .code = base::Code::kNotFound};
  };
  const auto opened =
      LogWriter::open(the_shelf, owner, dir.path("scratch"), the_world, [this] { return call(); });
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().error.code, base::Code::kUnavailable) << opened.error().error.text();
}

}  // namespace
