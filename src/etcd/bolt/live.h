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
  Slot& find(const std::array<std::uint32_t, 3>& key);
  void grow();

  SipKey sip_;
  std::vector<Slot> slots_;
  std::size_t used_ = 0;
  std::vector<bool> live_;
  std::uint64_t count_ = 0;
};

}  // namespace bolt
