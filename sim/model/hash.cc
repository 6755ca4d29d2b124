#include "sim/model/hash.h"

#include <cstring>

namespace sim::model {
namespace {

// MurmurHash3, x64, 128 bits (public domain, Austin Appleby).
constexpr std::uint64_t kC1 = 0x87c37b91114253d5ULL, kC2 = 0x4cf5ad432745937fULL;

constexpr std::uint64_t rotl(std::uint64_t x, int by) {
  return (x << by) | (x >> (64 - by));
}
constexpr std::uint64_t mix(std::uint64_t k) {
  k = (k ^ (k >> 33U)) * 0xff51afd7ed558ccdULL;
  k = (k ^ (k >> 33U)) * 0xc4ceb9fe1a85ec53ULL;
  return k ^ (k >> 33U);
}
std::uint64_t word(std::string_view bytes, std::size_t at) {
  std::uint64_t out = 0;
  std::memcpy(&out, bytes.data() + at, std::min<std::size_t>(8, bytes.size() - at));
  return out;
}

}  // namespace

Hash128 hash128(std::string_view bytes) {
  std::uint64_t h1 = 0, h2 = 0;
  std::size_t at = 0;
  for (; at + 16 <= bytes.size(); at += 16) {
    h1 ^= rotl(word(bytes, at) * kC1, 31) * kC2;
    h1 = (rotl(h1, 27) + h2) * 5 + 0x52dce729U;
    h2 ^= rotl(word(bytes, at + 8) * kC2, 33) * kC1;
    h2 = (rotl(h2, 31) + h1) * 5 + 0x38495ab5U;
  }
  if (at + 8 < bytes.size()) h2 ^= rotl(word(bytes, at + 8) * kC2, 33) * kC1;
  if (at < bytes.size()) h1 ^= rotl(word(bytes, at) * kC1, 31) * kC2;
  h1 ^= bytes.size();
  h2 ^= bytes.size();
  h1 += h2;
  h2 += h1;
  h1 = mix(h1);
  h2 = mix(h2);
  h1 += h2;
  return {h1, h2 + h1};
}

}  // namespace sim::model
