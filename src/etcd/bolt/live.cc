#include "etcd/bolt/live.h"

#include <bit>
#include <limits>

#include "etcd/bolt/page.h"

namespace bolt {
namespace {

class Sip {
 public:
  explicit Sip(const SipKey& key)
      : a_(0x736f6d6570736575 ^ key.low),
        b_(0x646f72616e646f6d ^ key.high ^ 0xee),
        c_(0x6c7967656e657261 ^ key.low),
        d_(0x7465646279746573 ^ key.high) {}

  void word(std::uint64_t value) {
    d_ ^= value;
    rounds(2);
    a_ ^= value;
  }
  std::array<std::uint64_t, 2> finish() {
    c_ ^= 0xee;
    rounds(4);
    const std::uint64_t first = a_ ^ b_ ^ c_ ^ d_;
    b_ ^= 0xdd;
    rounds(4);
    return {first, a_ ^ b_ ^ c_ ^ d_};
  }

 private:
  void rounds(int n) {
    for (; n > 0; --n) {
      a_ += b_;
      b_ = std::rotl(b_, 13) ^ a_;
      a_ = std::rotl(a_, 32);
      c_ += d_;
      d_ = std::rotl(d_, 16) ^ c_;
      a_ += d_;
      d_ = std::rotl(d_, 21) ^ a_;
      c_ += b_;
      b_ = std::rotl(b_, 17) ^ c_;
      c_ = std::rotl(c_, 32);
    }
  }
  std::uint64_t a_, b_, c_, d_;
};

}  // namespace

std::array<std::uint64_t, 2> siphash128(const SipKey& key, std::string_view bytes) {
  Sip sip(key);
  std::size_t at = 0;
  for (; bytes.size() - at >= 8; at += 8) sip.word(load<std::uint64_t>(bytes, at));
  std::uint64_t last = static_cast<std::uint64_t>(bytes.size()) << 56;
  for (int shift = 0; at < bytes.size(); ++at, shift += 8)
    last |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[at])) << shift;
  sip.word(last);
  return sip.finish();
}

LiveRecords::LiveRecords(const SipKey& key) : sip_(key), slots_(1024) {}

std::size_t LiveRecords::place(const std::array<std::uint32_t, 3>& key) const {
  return (static_cast<std::size_t>(key[0]) << 32 | key[1]) & (slots_.size() - 1);
}

LiveRecords::Slot& LiveRecords::find(const std::array<std::uint32_t, 3>& key) {
  std::size_t at = place(key);
  while (slots_[at].record != 0 && slots_[at].key != key) at = (at + 1) & (slots_.size() - 1);
  return slots_[at];
}

void LiveRecords::grow() {
  std::vector<Slot> old(slots_.size() * 2);
  old.swap(slots_);
  for (const auto& slot : old)
    if (slot.record != 0) find(slot.key) = slot;
}

base::Status LiveRecords::add(std::string_view key, bool tombstone) {
  if (added_ >= std::numeric_limits<std::uint32_t>::max() - 1)
    return base::fail(base::Code::kResourceExhausted, "more than four billion records");
  const auto hash = siphash128(sip_, key);
  Waiting& one = waiting_[added_ % kWaiting];
  if (added_ - live_.size() == kWaiting) apply(one);
  ++added_;
  one = {{static_cast<std::uint32_t>(hash[0] >> 32), static_cast<std::uint32_t>(hash[0]),
          static_cast<std::uint32_t>(hash[1])},
         tombstone};
  __builtin_prefetch(&slots_[place(one.key)], 1);
  return {};
}

void LiveRecords::settle() {
  while (live_.size() < added_) apply(waiting_[live_.size() % kWaiting]);
}

void LiveRecords::apply(const Waiting& one) {
  if (used_ >= slots_.size() / 4 * 3) grow();
  Slot& slot = find(one.key);
  if (slot.record == 0) {
    ++used_;
    slot.key = one.key;
  } else if (live_[slot.record - 1]) {
    live_[slot.record - 1] = false;
    --count_;
  }
  live_.push_back(!one.tombstone);
  slot.record = static_cast<std::uint32_t>(live_.size());
  if (!one.tombstone) ++count_;
}

}  // namespace bolt
