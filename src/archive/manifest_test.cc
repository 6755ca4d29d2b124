#include "archive/manifest.h"

#include <gtest/gtest.h>

#include "json/json.h"
#include "pki/digest.h"

namespace archive {
namespace {

using base::Code;

Manifest sample() {
  const auto name = *Name::parse(
      "20261122T031500Z-8f3a9c02/full-00000000000000000012-20261122T031607Z-0123456789abcdef");
  return {.name = name,
          .cluster = {"shop", "orders"},
          .epoch = 7,
          .time = name.time + base::Duration(123),
          .cluster_id = "abc",
          .member = "c-1",
          .etcd_version = "3.5.12",
          .compact_revision = 5,
          .keys = 10,
          .records = 20,
          .leases = 1,
          .auth_enabled = true,
          .hash = 4'000'000'000U,
          .hash_of_member = "c-0",
          .hash_compact_revision = -1,
          .snapshot = {100, std::string(64, 'a')},
          .data = {50, std::string(64, 'b')},
          .encryption = Encryption{"m", "k"},
          .max_backups = 3,
          .retention = {.daily = 7}};
}

TEST(Manifest, IsWrittenAndRead) {
  const auto manifest = sample();
  EXPECT_EQ(parse_manifest(to_json(manifest), manifest.name), manifest);
  auto plain = manifest;
  plain.encryption.reset();
  EXPECT_EQ(parse_manifest(to_json(plain), plain.name), plain);
}

TEST(Manifest, EveryDamageIsFound) {
  const auto manifest = sample();
  const auto good = to_json(manifest);
  // White space between the values says nothing; every other byte does.
  for (size_t at = 0; at < good.size(); ++at) {
    auto bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    const auto read = parse_manifest(bad, manifest.name);
    if (read)
      EXPECT_EQ(*read, manifest) << at;
    else
      EXPECT_TRUE(read.error().code == Code::kDataLoss || read.error().code == Code::kUnimplemented)
          << at << read.error().text();
    if (at < good.find_last_of('}'))
      EXPECT_FALSE(parse_manifest(good.substr(0, at), manifest.name)) << at;
  }
  auto other = manifest.name;
  other.revision = 13;
  const auto swapped = parse_manifest(good, other);
  ASSERT_FALSE(swapped);
  EXPECT_EQ(swapped.error().code, Code::kDataLoss);
}

TEST(Manifest, OfNewerPrograms) {
  const auto manifest = sample();
  auto value = *json::parse(to_json(manifest));
  const auto signed_again = [&] {
    value.if_object()->erase("digest");
    value["digest"] = pki::to_hex(pki::sha256(json::print(value)));
    return json::print(value);
  };
  value["somethingNew"] = 1;
  EXPECT_EQ(parse_manifest(signed_again(), manifest.name), manifest);
  value["format"] = 2;
  const auto newer = parse_manifest(signed_again(), manifest.name);
  ASSERT_FALSE(newer);
  EXPECT_EQ(newer.error().code, Code::kUnimplemented);
}

TEST(Manifest, Marks) {
  const Mark mark{.time = sample().time, .by = "drill", .why = "", .etcd_version = "3.6.16"};
  EXPECT_EQ(parse_mark(to_json(mark)), mark);
  EXPECT_FALSE(parse_mark("{}"));
}

}  // namespace
}  // namespace archive
