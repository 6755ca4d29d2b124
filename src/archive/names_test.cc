#include "archive/names.h"

#include <gtest/gtest.h>

namespace archive {
namespace {

const Incarnation kLife = *Incarnation::parse("20261122T031500Z-8f3a9c02");

TEST(Names, OfABackupAndItsParts) {
  const Name name{.incarnation = kLife,
                  .revision = 12,
                  .time = *base::parse_rfc3339("2026-11-22T03:16:07.000Z"),
                  .nonce = "0123456789abcdef"};
  const std::string text =
      "20261122T031500Z-8f3a9c02/full-00000000000000000012-20261122T031607Z-0123456789abcdef";
  EXPECT_EQ(name.text(), text);
  EXPECT_EQ(Name::parse(text), name);
  for (const auto part : {Part::kData, Part::kManifest, Part::kProven, Part::kBad}) {
    const auto parsed = parse_part(text + std::string(suffix_of(part)));
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->name, name);
    EXPECT_EQ(parsed->part, part);
  }
}

TEST(Names, WhatIsNotOursIsNoName) {
  const std::string good =
      "20261122T031500Z-8f3a9c02/full-00000000000000000012-20261122T031607Z-0123456789abcdef";
  ASSERT_TRUE(Name::parse(good));
  const auto with = [&](size_t at, char c) {
    auto text = good;
    text[at] = c;
    return text;
  };
  for (const auto& text :
       {std::string(), std::string("/"), good + "/x", good.substr(1), good.substr(26), with(0, 'x'),
        with(15, 'z'), with(17, 'A'), with(25, '-'), with(26, 'g'), with(31, '-'), with(31, '9'),
        with(50, ' '), with(51, '_'), with(56, '9'), good + "X", good + ".db",
        good + std::string(40, 'a'), with(good.size() - 1, 'g')})
    EXPECT_FALSE(Name::parse(text)) << text;
  for (const auto* suffix : {"", ".", ".db", ".db.zst.tmp", ".json.json", "x.json", ".JSON"})
    EXPECT_FALSE(parse_part(good + suffix)) << suffix;
  // No revision 0, no day that there is not, and one spelling for each time.
  EXPECT_FALSE(Name::parse(
      "20261122T031500Z-8f3a9c02/full-00000000000000000000-20261122T031607Z-0123456789abcdef"));
  EXPECT_FALSE(Incarnation::parse("20261131T031500Z-8f3a"));
  EXPECT_FALSE(Incarnation::parse("20261122T031560Z-8f3a"));
  EXPECT_FALSE(Incarnation::parse("20261122T031500Z-8f"));
  EXPECT_FALSE(Incarnation::parse("20261122T031500Z"));
}

TEST(Names, IncarnationsAreOrderedByTheirBegin) {
  const auto earlier = *Incarnation::parse("20251122T031500Z-ffff");
  const auto same = *Incarnation::parse("20261122T031500Z-0000");
  EXPECT_LT(earlier, kLife);
  EXPECT_LT(same, kLife);
  const auto made = make_incarnation(kLife.begin + base::Duration(999), "8f3a9c02");
  EXPECT_EQ(made, kLife);
  EXPECT_EQ(Incarnation::parse(made.text), made);
}

TEST(Names, RootsOfClustersWhoseNamesShareABeginning) {
  EXPECT_EQ(root_of({"shop", "orders"}, false), "shop/orders/");
  EXPECT_FALSE(
      root_of({"shop", "orders-2"}, false).starts_with(root_of({"shop", "orders"}, false)));
  EXPECT_EQ(root_of({"shop", "orders"}, true), "");
}

}  // namespace
}  // namespace archive
