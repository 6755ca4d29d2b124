#include "archive/describe.h"

#include "archive/archive_testing.h"
#include "json/json.h"

namespace archive {
namespace {

class Describe : public testing::Bench {};

TEST_F(Describe, AnEmptyPlace) {
  EXPECT_EQ(json::print(to_json(catalog())), "[]");
  EXPECT_EQ(to_text(catalog()), "no backups\n");
}

TEST_F(Describe, WhatThereIsAndWhyItIsKept) {
  const auto first = backup(2);
  ASSERT_EQ(first.outcome, RunOutcome::kUploaded) << first.error;
  ASSERT_TRUE(put_mark(shelf(), *Name::parse(first.name), Part::kProven,
                       {.time = clock.now(), .by = "drill"}, call()));
  for (int i = 0; i < 3; ++i) ASSERT_EQ(change_and_backup(2).outcome, RunOutcome::kUploaded);
  const auto rows = to_json(catalog());
  ASSERT_EQ(rows.if_array()->size(), 3U);  // two by the count, and the proven one
  EXPECT_EQ(*json::get_int(rows, "0.revision"), 25);
  EXPECT_EQ(*json::get_string(rows, "0.keptBecause"), "count");
  EXPECT_EQ(*json::get_bool(rows, "0.verified"), true);
  EXPECT_EQ(*json::get_bool(rows, "0.proven"), false);
  EXPECT_EQ(*json::get_string(rows, "2.name"), first.name);
  EXPECT_EQ(*json::get_string(rows, "2.keptBecause"), "proven");
  EXPECT_EQ(*json::get_string(rows, "2.incarnation"), life);
  EXPECT_EQ(*json::get_uint(rows, "2.sizeBytes"), first.size_bytes);
  EXPECT_EQ(*json::get_string(rows, "2.time"), base::to_rfc3339(*first.time));

  ASSERT_TRUE(put_mark(shelf(), *Name::parse(first.name), Part::kBad,
                       {.time = clock.now(), .by = "archive verify", .why = "x"}, call()));
  const auto marked = to_json(catalog());
  EXPECT_EQ(*json::get_bool(marked, "2.verified"), false);
  EXPECT_EQ(*json::get_bool(marked, "2.proven"), false);
  EXPECT_EQ(*json::get_string(marked, "2.why"), "it was found damaged");
  EXPECT_EQ(*json::get_string(marked, "2.keptBecause"), "");
  const auto text = to_text(catalog());
  EXPECT_NE(text.find("incarnation " + life + "\n"), std::string::npos);
  EXPECT_NE(text.find("it was found damaged"), std::string::npos);
  // It is not good any more, so the next backup removes it and its marks.
  ASSERT_EQ(change_and_backup(2).pruned, 2U);
  EXPECT_EQ(objstore::list_all(store, "", 100, call())->size(), 4U);
}

}  // namespace
}  // namespace archive
