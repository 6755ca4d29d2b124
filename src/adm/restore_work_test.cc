#include "adm/restore_work.h"

#include <gtest/gtest.h>

#include "posix/files.h"
#include "posix/test_dir.h"

namespace adm {
namespace {

using Names = std::vector<std::string>;

// As a run that was killed leaves it.
std::string leave(const std::string& folder, const std::string& random) {
  std::string work = work_folder(folder, random);
  EXPECT_TRUE(begin_work(work, folder)) << work;
  EXPECT_TRUE(posix::make_dirs(data_in_work(work) + "/member"));
  return work;
}

TEST(RestoreWork, WhatAKilledRunLeftIsRemovedAndTold) {
  const posix::TestDir dir;
  const std::string folder = dir.path("restored");
  const std::string one = leave(folder, "0123456789abcdef"),
                    two = leave(folder, "00000000000000aa");
  const auto removed = sweep_work(folder);
  ASSERT_TRUE(removed) << removed.error().text();
  EXPECT_EQ(*removed, (Names{two, one}));
  EXPECT_EQ(posix::list_dir(dir.path("")).value_or(Names{"?"}), Names{});
  EXPECT_EQ(sweep_work("/no/such/place").value_or(Names{"?"}), Names{});
}

TEST(RestoreWork, WhatIsBuiltNowStays) {
  const posix::TestDir dir;
  const std::string folder = dir.path("restored");
  const std::string work = work_folder(folder, "0123456789abcdef");
  const auto held = begin_work(work, folder);
  ASSERT_TRUE(held);
  EXPECT_EQ(sweep_work(folder).value_or(Names{"?"}), Names{});
  EXPECT_EQ(posix::exists(work), base::Fact<bool>(true));
}

TEST(RestoreWork, NothingOfAUserIsRemoved) {
  const posix::TestDir dir;
  const std::string folder = dir.path("restored");
  const std::string plain = work_folder(folder, "0123456789abcdef");
  ASSERT_TRUE(posix::make_dirs(plain + "/data"));                                // without a note
  ASSERT_TRUE(posix::write_new(leave(folder, "00000000000000aa") + "/x", "x"));  // put beside ours
  leave(dir.path("other"), "00000000000000bb");
  leave(folder, "mine");
  // Given another name, its note is not believed.
  ASSERT_TRUE(
      posix::rename(leave(folder, "00000000000000cc"), work_folder(folder, "00000000000000dd")));
  const auto before = posix::list_dir(dir.path(""));
  EXPECT_EQ(sweep_work(folder).value_or(Names{"?"}), Names{});
  EXPECT_EQ(posix::list_dir(dir.path("")).value_or(Names{}), before.value_or(Names{"?"}));
}

}  // namespace
}  // namespace adm
