// Which records are the newest of a key that is not deleted. Told of each record in the order of
// revisions; at most 64 bytes a key and a bit for each record.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace bolt {

// SipHash-2-4 with 128 bits: who writes keys must not be able to make two of them meet.
struct SipKey {
  std::uint64_t low = 0, high = 0;
};
std::array<std::uint64_t, 2> siphash128(const SipKey& key, std::string_view bytes);

class LiveRecords {
 public:
  explicit LiveRecords(const SipKey& key);

  // ResourceExhausted above 4 billion records. Keys are told apart by 96 bits of their hash.
  base::Status add(std::string_view key, bool tombstone);
  // After the last one, before any question.
  void settle();

  // Of the records in the order in which they were added, from 0.
  [[nodiscard]] bool live(std::uint64_t record) const {
    return record < live_.size() && live_[static_cast<std::size_t>(record)];
  }
  [[nodiscard]] std::uint64_t count() const { return count_; }

 private:
  struct Slot {
    std::array<std::uint32_t, 3> key{};
    std::uint32_t record = 0;  // from 1; 0: empty
  };
  // The table is far larger than the processor's caches: a place is asked for when its key comes,
  // and used some keys later.
  struct Waiting {
    std::array<std::uint32_t, 3> key{};
    bool tombstone = false;
  };
  static constexpr std::size_t kWaiting = 16;

  [[nodiscard]] std::size_t place(const std::array<std::uint32_t, 3>& key) const;
  Slot& find(const std::array<std::uint32_t, 3>& key);
  void apply(const Waiting& one);
  void grow();

  SipKey sip_;
  std::vector<Slot> slots_;
  std::size_t used_ = 0;
  std::vector<bool> live_;
  std::uint64_t count_ = 0;
  std::array<Waiting, kWaiting> waiting_{};  // the last ones, a ring
  std::uint64_t added_ = 0;
};

}  // namespace bolt
