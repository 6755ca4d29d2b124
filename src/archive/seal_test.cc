#include "archive/seal.h"

#include <gtest/gtest.h>

#include <random>

namespace archive {
namespace {

using base::Code;

std::string noise(size_t size) {
  std::mt19937 random(3);
  std::string out(size, '\0');
  for (auto& c : out) c = static_cast<char>(random() % 100);
  return out;
}

struct Sealed {
  std::string bytes;
  Manifest manifest;
};
Sealed seal(const std::string& plain, const Key* key) {
  Sealed out;
  auto sealer = Sealer::make(key, [&](std::string_view bytes) {
    out.bytes += bytes;
    return base::Status();
  });
  EXPECT_TRUE(sealer);
  for (size_t at = 0; at < plain.size(); at += 70'001)
    EXPECT_TRUE((*sealer)->write(std::string_view(plain).substr(at, 70'001)));
  EXPECT_TRUE((*sealer)->finish());
  out.manifest.snapshot = (*sealer)->plain();
  out.manifest.data = (*sealer)->sealed();
  if (key != nullptr) out.manifest.encryption = key->encryption();
  return out;
}

base::Result<std::string> unseal(const Sealed& sealed, const Key* key, size_t piece = 999) {
  std::string out;
  TRY(const auto unsealer, Unsealer::make(sealed.manifest, key, [&](std::string_view bytes) {
        out += bytes;
        return base::Status();
      }));
  for (size_t at = 0; at < sealed.bytes.size(); at += piece)
    TRY_OK(unsealer->write(std::string_view(sealed.bytes).substr(at, piece)));
  TRY_OK(unsealer->finish());
  return out;
}

const Key kKey = *Key::parse("0123456789abcdef0123456789ABCDEF", "k");

TEST(Seal, ComesBackAsItWas) {
  for (const size_t size :
       {size_t{0}, size_t{1}, size_t{65'536}, size_t{300'000}, size_t{2'000'000}})
    for (const Key* key : {static_cast<const Key*>(nullptr), &kKey}) {
      const auto plain = noise(size);
      const auto sealed = seal(plain, key);
      EXPECT_EQ(sealed.manifest.data.size_bytes, sealed.bytes.size());
      EXPECT_EQ(sealed.manifest.snapshot.size_bytes, size);
      for (const size_t piece : {size_t{999}, size_t{1} << 24})
        EXPECT_EQ(unseal(sealed, key, piece), plain) << size;
    }
  EXPECT_NE(seal("a", &kKey).bytes, seal("a", &kKey).bytes);
}

TEST(Seal, EveryChangeIsFound) {
  const auto plain = noise(200'000);
  for (const Key* key : {static_cast<const Key*>(nullptr), &kKey}) {
    const auto good = seal(plain, key);
    const auto expect_bad = [&](const Sealed& sealed) {
      const auto got = unseal(sealed, key);
      ASSERT_FALSE(got);
      EXPECT_EQ(got.error().code, Code::kDataLoss) << got.error().text();
    };
    for (size_t at = 0; at < good.bytes.size(); at += good.bytes.size() / 40) {
      auto bad = good;
      bad.bytes[at] ^= 4;
      expect_bad(bad);
      bad = good;
      bad.bytes.resize(at);
      expect_bad(bad);
      // What the digest of the manifest would find is found without it, too.
      if (key == nullptr || at == 0) continue;
      auto decrypter = Decrypter::make(*key, [](std::string_view) { return base::Status(); });
      auto done = (*decrypter)->write(std::string_view(good.bytes).substr(0, at));
      if (done) done = (*decrypter)->finish();
      EXPECT_FALSE(done) << at;
    }
    auto longer = good;
    longer.bytes += 'x';
    expect_bad(longer);
    auto other = good;
    other.manifest.snapshot.sha256[0] ^= 1;
    expect_bad(other);
  }
}

TEST(Seal, ABombStopsAtTheSizeThatWasNoted) {
  auto sealed = seal(std::string(50'000'000, 'a'), nullptr);
  sealed.manifest.snapshot.size_bytes = 1000;
  const auto got = unseal(sealed, nullptr);
  ASSERT_FALSE(got);
  EXPECT_NE(got.error().message.find("more than 1000 bytes"), std::string::npos);
}

TEST(Seal, Keys) {
  const std::string raw(32, '\x01');
  const auto key = Key::parse(raw, "f");
  ASSERT_TRUE(key);
  std::string hex;
  for (int i = 0; i < 32; ++i) hex += "01";
  EXPECT_EQ(Key::parse(hex + "\n", "f")->bytes(), raw);
  EXPECT_EQ(Key::parse("AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n", "f")->bytes(), raw);
  EXPECT_EQ(key->encryption().key_id.size(), 16U);
  for (const auto& bad : {std::string(), std::string(31, 'a'), hex.substr(1), hex + "00"}) {
    const auto none = Key::parse(bad, "/keys/k");
    ASSERT_FALSE(none);
    EXPECT_TRUE(none.error().message.starts_with("/keys/k: no key of 32 bytes"));
  }
}

}  // namespace
}  // namespace archive
