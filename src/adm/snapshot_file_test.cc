#include "adm/snapshot_file.h"

#include <gtest/gtest.h>

#include <barrier>
#include <map>
#include <set>
#include <thread>
#include <vector>

#include "posix/files.h"
#include "posix/link.h"
#include "posix/test_dir.h"

namespace adm {
namespace {

constexpr base::Instant kNow{std::chrono::seconds(1'800'000'000)};

std::string read(const std::string& file) {
  return posix::read_file(file, 1 << 10).value_or("?");
}

// As `snapshot save` does it once what it streamed was judged good.
std::string save(const std::string& file, const std::string& bytes) {
  const auto part = part_of(file);
  EXPECT_TRUE(part && posix::write_atomic(*part, bytes));
  const auto older = give_snapshot_name(*part, file, kNow);
  EXPECT_TRUE(older) << older.error().text();
  EXPECT_EQ(posix::exists(*part), base::Fact<bool>(false));
  return older.value_or("?");
}

TEST(SnapshotFile, WhatHadTheNameBeforeIsKeptEachTime) {
  const posix::TestDir dir;
  const std::string file = dir.path("a.db");
  EXPECT_EQ(save(file, "one"), "");
  EXPECT_EQ(save(file, "two"), file + ".old");
  EXPECT_EQ(save(file, "three"), file + ".old-20270115T080000Z");
  EXPECT_EQ(save(file, "four"), file + ".old-20270115T080000Z-2");
  EXPECT_EQ(read(file), "four");
  EXPECT_EQ(read(file + ".old"), "one");
  EXPECT_EQ(read(file + ".old-20270115T080000Z"), "two");
  EXPECT_EQ(read(file + ".old-20270115T080000Z-2"), "three");
}

TEST(SnapshotFile, OfManyAtATimeEachIsKept) {
  const posix::TestDir dir;
  constexpr int kRounds = 20, kSavers = 4;
  std::barrier together(kSavers);
  {
    std::vector<std::jthread> savers;
    for (int saver = 0; saver < kSavers; ++saver)
      savers.emplace_back([&, saver] {
        for (int round = 0; round < kRounds; ++round) {
          const std::string file = dir.path(std::to_string(round) + ".db");
          const auto part = part_of(file);
          EXPECT_TRUE(part && posix::write_atomic(*part, std::to_string(saver)));
          together.arrive_and_wait();
          const auto older = give_snapshot_name(*part, file, kNow);
          EXPECT_TRUE(older) << older.error().text();
        }
      });
  }
  std::map<std::string, std::set<std::string>> kept;  // by round
  for (const auto& name : *posix::list_dir(dir.path("")))
    kept[name.substr(0, name.find('.'))].insert(read(dir.path(name)));
  ASSERT_EQ(kept.size(), static_cast<size_t>(kRounds));
  for (const auto& [round, texts] : kept) EXPECT_EQ(texts.size(), size_t{kSavers}) << round;
}

TEST(SnapshotFile, AFolderOrALinkKeepsItsName) {
  const posix::TestDir dir;
  const std::string folder = dir.path("backup"), link = dir.path("latest.db");
  ASSERT_TRUE(posix::make_dirs(folder));
  ASSERT_TRUE(posix::link_to(dir.path("elsewhere"), link));
  const auto refused = check_snapshot_name(folder);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, base::Code::kFailedPrecondition);
  EXPECT_NE(refused.error().message.find(folder + "/etcd-snapshot.db"), std::string::npos);
  EXPECT_FALSE(check_snapshot_name(link));
  EXPECT_TRUE(check_snapshot_name(dir.path("none.db")));
  const std::string part = dir.path("part");
  ASSERT_TRUE(posix::write_atomic(part, "x"));
  EXPECT_FALSE(give_snapshot_name(part, folder, kNow));
  EXPECT_TRUE(posix::file_info(folder)->directory);
}

TEST(SnapshotFile, APartIsOfOneSaveAndIsNotListed) {
  const auto one = part_of("/backup/a.db"), two = part_of("/backup/a.db");
  ASSERT_TRUE(one && two);
  EXPECT_NE(*one, *two);
  EXPECT_TRUE(one->starts_with("/backup/.a.db.part-")) << *one;
  EXPECT_TRUE(part_of("a.db")->starts_with(".a.db.part-"));
}

}  // namespace
}  // namespace adm
