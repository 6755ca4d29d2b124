#include "posix/users.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "posix/output_file.h"
#include "posix/test_dir.h"

namespace posix {
namespace {

// Every machine has it, and nothing is its.
constexpr const char* kOther = "nobody";

TEST(Users, AreFoundByNameAndByNumber) {
  const auto root = find_user("root");
  ASSERT_TRUE(root);
  EXPECT_EQ(root->uid, 0U);
  EXPECT_EQ(find_user(0U)->name, "root");
  EXPECT_EQ(find_user("eo-no-such-user").error().code, base::Code::kNotFound);
  EXPECT_EQ(find_user(4'000'000'123U).error().code, base::Code::kNotFound);
}

TEST(Users, WhatStopsOneIsNamed) {
  if (!is_root()) return;  // who could ask
  const auto other = find_user(kOther);
  ASSERT_TRUE(other);
  const TestDir dir;
  ASSERT_TRUE(let_pass(dir.path("")));
  EXPECT_EQ(file_info(dir.path(""))->mode, 0711U);
  const std::string folder = dir.path("f"), file = folder + "/x";
  ASSERT_TRUE(make_dirs(folder));
  ASSERT_TRUE(write_atomic(file, "x", 0600));

  auto found = find_obstacle(*other, file, Access::kRead);
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->path, folder);
  EXPECT_TRUE((*found)->on_way);
  ASSERT_TRUE(let_pass(folder));
  found = find_obstacle(*other, file, Access::kRead);
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->path, file);
  EXPECT_EQ((*found)->error.code, base::Code::kPermissionDenied);
  EXPECT_FALSE((*found)->on_way);

  ASSERT_TRUE(give_to(*other, file));
  for (const Access access : {Access::kRead, Access::kChange})
    EXPECT_FALSE(find_obstacle(*other, file, access)->has_value());
  EXPECT_TRUE(find_obstacle(*other, file, Access::kRun)->has_value());
  EXPECT_TRUE(find_obstacle(*other, folder + "/none", Access::kRead)->has_value());
  EXPECT_FALSE(find_obstacle(*other, "x", Access::kRead));
  EXPECT_TRUE(is_root());  // this thread is who it was
}

TEST(Users, ALinkIsGivenAwayButNotWhatItPointsTo) {
  if (!is_root()) return;
  const auto other = find_user(kOther);
  ASSERT_TRUE(other);
  const TestDir dir;
  const std::string file = dir.path("x"), name = dir.path("l");
  auto out = OutputFile::create(file);
  ASSERT_TRUE(out && out->write("x") && out->commit());
  ASSERT_EQ(::symlink(file.c_str(), name.c_str()), 0);
  ASSERT_TRUE(give_to(*other, name));
  EXPECT_EQ(file_info(file)->owner, 0U);
  EXPECT_EQ(file_info(name, false)->owner, other->uid);
  ASSERT_TRUE(give_to(*other, name, true));
  EXPECT_EQ(file_info(file)->owner, other->uid);

  auto replaced = OutputFile::create(file);
  ASSERT_TRUE(replaced && replaced->write("y"));
  ASSERT_TRUE(replaced->give_to(*other) && replaced->commit());
  EXPECT_EQ(file_info(file)->owner, other->uid);
}

}  // namespace
}  // namespace posix
