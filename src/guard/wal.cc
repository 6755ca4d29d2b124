#include "guard/wal.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/text.h"
#include "base/wire.h"

namespace guard {
namespace {

constexpr std::size_t kFrameHead = 8;
constexpr std::size_t kWindow = std::size_t{256} << 10;
// etcd refuses requests above a few MiB; a larger frame is garbage read as a length.
constexpr std::uint64_t kMaxFrame = std::uint64_t{256} << 20;
constexpr std::size_t kSector = 512;
// The check sum does not cover a record's type: an id read as a term or an index is known by its
// size.
constexpr std::uint64_t kMaxCount = std::uint64_t{1} << 48;

enum RecordType : std::int64_t { kMetadata = 1, kEntry, kState, kCrc, kSnapshot };

std::uint64_t little_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 8; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

// A crash writes whole sectors: a record with a sector of zeros was never completed.
bool has_zero_sector(std::string_view frame, std::uint64_t at) {
  while (!frame.empty()) {
    const std::size_t n =
        std::min<std::size_t>(frame.size(), kSector - static_cast<std::size_t>(at % kSector));
    if (std::ranges::all_of(frame.substr(0, n), [](char c) { return c == 0; })) return true;
    frame.remove_prefix(n);
    at += n;
  }
  return false;
}

std::optional<std::pair<std::uint64_t, std::uint64_t>> parse_pair(std::string_view name,
                                                                  std::string_view suffix) {
  if (name.size() != 33 + suffix.size() || !name.ends_with(suffix) || name[16] != '-')
    return std::nullopt;
  const auto a = base::parse_hex(name.substr(0, 16));
  const auto b = base::parse_hex(name.substr(17, 16));
  if (!a || !b) return std::nullopt;
  return std::pair{*a, *b};
}

}  // namespace

std::optional<SegmentName> parse_segment_name(std::string_view name) {
  const auto p = parse_pair(name, ".wal");
  if (!p) return std::nullopt;
  return SegmentName{p->first, p->second};
}

std::optional<LogEnd> parse_snapshot_name(std::string_view name) {
  const auto p = parse_pair(name, ".snap");
  if (!p) return std::nullopt;
  return LogEnd{p->first, p->second};
}

std::string segment_name(const SegmentName& name) {
  return fmt::format("{:016x}-{:016x}.wal", name.seq, name.index);
}

void WalDecoder::next_segment() {
  offset_ = 0;
  metadata_here_ = false;
  forget_window();
}

void WalDecoder::forget_window() {
  window_.clear();
  read_ahead_ = kFirstWindow;
}

std::optional<std::string_view> WalDecoder::want(ByteSource& bytes, std::uint64_t offset,
                                                 std::size_t n) {
  if (offset < window_at_ || offset - window_at_ > window_.size() ||
      window_.size() - (offset - window_at_) < n) {
    // Little at first: most looks find one new record, or none.
    window_.resize(std::max(n, read_ahead_));
    read_ahead_ = std::min(read_ahead_ * 4, kWindow);
    const auto got = bytes.read(offset, window_);
    window_at_ = offset;
    window_.resize(got.value_or(0));
    if (!got) return std::nullopt;
  }
  return std::string_view(window_).substr(static_cast<std::size_t>(offset - window_at_), n);
}

WalDecoder::Step WalDecoder::damaged(std::string_view frame, std::string why) {
  why_ = fmt::format("{} at offset {}", why, offset_);
  return has_zero_sector(frame, offset_ + kFrameHead) ? Step::kTorn : Step::kCorrupt;
}

WalDecoder::Step WalDecoder::step(ByteSource& bytes, WalSeen& seen) {
  const std::uint64_t size = bytes.size();
  const auto head = want(bytes, offset_, kFrameHead);
  if (!head) return Step::kUnreadable;
  if (head->size() < kFrameHead) {
    why_ = fmt::format("a cut frame at offset {}", offset_);
    return head->empty() ? Step::kEnd : Step::kTorn;
  }
  const std::uint64_t length = little_endian(*head);
  if (length == 0) return Step::kEnd;
  const std::uint64_t record_bytes = length & ~(std::uint64_t{0xff} << 56);
  const std::uint64_t padding = (length >> 63) != 0 ? (length >> 56) & 7 : 0;
  if (size < offset_ + kFrameHead || record_bytes > kMaxFrame ||
      record_bytes + padding > size - offset_ - kFrameHead) {
    why_ = fmt::format("a record of {} bytes, beyond the end, at offset {}", record_bytes, offset_);
    return Step::kTorn;
  }
  const auto frame_bytes = static_cast<std::size_t>(record_bytes + padding);
  const auto frame = want(bytes, offset_ + kFrameHead, frame_bytes);
  if (!frame) return Step::kUnreadable;
  if (frame->size() < frame_bytes) {
    why_ = fmt::format("a cut record at offset {}", offset_);
    return Step::kTorn;
  }
  const Step result = record(*frame, static_cast<std::size_t>(record_bytes), seen);
  if (result == Step::kRecord) offset_ += kFrameHead + frame_bytes;
  return result;
}

WalDecoder::Step WalDecoder::record(std::string_view frame, std::size_t record_bytes,
                                    WalSeen& seen) {
  std::uint64_t type = 0;
  std::uint64_t crc = 0;
  std::string_view data;
  base::WireReader wire(frame.substr(0, record_bytes));
  while (const auto field = wire.next()) {
    if (field->number == 1) type = field->value;
    if (field->number == 2) crc = field->value;
    if (field->number == 3) data = field->bytes;
  }
  if (wire.bad()) return damaged(frame, "a malformed record");
  if (type == kCrc) {
    if (crc_ != 0 && static_cast<std::uint32_t>(crc) != crc_) {
      why_ = fmt::format("the check sum of the segment before does not lead on, at offset {}",
                         offset_);
      return Step::kCorrupt;
    }
    crc_ = static_cast<std::uint32_t>(crc);
    return Step::kRecord;
  }
  const std::uint32_t sum = base::crc32c(data, crc_);
  if (sum != static_cast<std::uint32_t>(crc)) return damaged(frame, "a wrong check sum");
  const Step result = apply(static_cast<std::int64_t>(type), sum, data, seen);
  if (result == Step::kRecord) crc_ = sum;
  return result;
}

WalDecoder::Step WalDecoder::apply(std::int64_t type, std::uint32_t /*crc*/, std::string_view data,
                                   WalSeen& seen) {
  std::array<std::uint64_t, 4> field{};
  base::WireReader wire(data);
  while (const auto f = wire.next())
    if (f->number < field.size() && f->bytes.empty()) field[f->number] = f->value;
  const auto corrupt = [&](std::string_view what) {
    why_ = fmt::format("{} at offset {}", what, offset_);
    return Step::kCorrupt;
  };
  if (wire.bad()) return corrupt("a malformed record under a right check sum");
  switch (type) {
    case kMetadata: {
      const base::MemberId member{field[1]};
      const base::ClusterId cluster{field[2]};
      if ((seen.member_id && seen.member_id != member) ||
          (seen.cluster_id && seen.cluster_id != cluster))
        return corrupt("conflicting ids");
      if (!member) return corrupt("a log without a member id");
      seen.member_id = member;
      seen.cluster_id = cluster;
      metadata_here_ = true;
      return Step::kRecord;
    }
    case kEntry:
      if (field[2] > kMaxCount || field[3] > kMaxCount) return corrupt("an entry out of reason");
      seen.end = {field[2], field[3]};
      return Step::kRecord;
    case kState:
      seen.hard_term = field[1];
      seen.commit = field[3];
      return Step::kRecord;
    case kSnapshot:
      if (field[1] > kMaxCount || field[2] > kMaxCount) return corrupt("a snapshot out of reason");
      if (field[1] > seen.end.index) seen.end = {field[2], field[1]};
      return Step::kRecord;
    default:
      return corrupt("a record of an unknown type");
  }
}

}  // namespace guard
