// A read-only reader of etcd's write-ahead log: whose it is and how far it goes. The bytes are
// untrusted. It follows etcd's own decoder in what is an end, a torn tail and damage.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"

namespace guard {

// The newest entry of a log. Raft drops an unacknowledged tail only for entries of a higher term,
// so that the pair, term first, never falls while the log is the member's own.
struct LogEnd {
  std::uint64_t term = 0, index = 0;
  auto operator<=>(const LogEnd&) const = default;
};

struct WalSeen {
  enum class State {
    kNone,        // no segment: etcd would start as a new member
    kSound,       // ends at a whole record
    kTorn,        // the last record is cut: etcd drops it silently and goes on
    kCorrupt,     // etcd would refuse it, or crash on it
    kIncomplete,  // a segment is missing that no snapshot makes up for
    kUnreadable   // an I/O error: unknown, not damaged
  };
  State state = State::kNone;
  std::string why;  // of kTorn and worse
  base::MemberId member_id;
  base::ClusterId cluster_id;
  LogEnd end;
  std::uint64_t hard_term = 0, commit = 0;
};

// Some bytes at known offsets: a file, or a string in tests.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  [[nodiscard]] virtual std::uint64_t size() = 0;
  // Fewer bytes than asked for only at the end; no value is an I/O error.
  virtual std::optional<std::size_t> read(std::uint64_t offset, std::span<char> out) = 0;
};

// Decodes records one by one; the check sum runs on from segment to segment. After anything but
// kRecord the position stays, so that a growing file can be tried again.
class WalDecoder {
 public:
  enum class Step { kRecord, kEnd, kTorn, kCorrupt, kUnreadable };

  void next_segment();
  Step step(ByteSource& bytes, WalSeen& seen);
  [[nodiscard]] std::uint64_t offset() const { return offset_; }
  [[nodiscard]] const std::string& why() const { return why_; }
  // Each whole segment begins with the ids; one without was never finished by etcd.
  [[nodiscard]] bool has_head() const { return metadata_here_; }
  // What was read ahead may have changed since.
  void forget_window();

 private:
  std::optional<std::string_view> want(ByteSource& bytes, std::uint64_t offset, std::size_t n);
  Step damaged(std::string_view frame, std::string why);
  Step record(std::string_view frame, std::size_t record_bytes, WalSeen& seen);
  Step apply(std::int64_t type, std::uint32_t crc, std::string_view data, WalSeen& seen);

  std::uint64_t offset_ = 0;
  std::uint32_t crc_ = 0;
  bool metadata_here_ = false;  // in this segment
  std::string why_, window_;
  std::uint64_t window_at_ = 0;
  std::size_t read_ahead_ = kFirstWindow;
  static constexpr std::size_t kFirstWindow = 4096;
};

struct SegmentName {
  std::uint64_t seq = 0, index = 0;
  auto operator<=>(const SegmentName&) const = default;
};
std::optional<SegmentName> parse_segment_name(std::string_view name);  // <seq>-<index>.wal
std::optional<LogEnd> parse_snapshot_name(std::string_view name);      // <term>-<index>.snap
std::string segment_name(const SegmentName& name);

// Reads `<data>/member/wal`, then on from where it stopped.
class WalCursor {
 public:
  explicit WalCursor(std::string data_dir) : data_dir_(std::move(data_dir)) {}

  // Reads up to the present end. While etcd runs, kTorn and kCorrupt may only mean a record that is
  // being written.
  const WalSeen& advance();
  [[nodiscard]] const WalSeen& seen() const { return seen_; }
  // Makes what was read durable, so that a note of it is not ahead of the disk.
  bool sync();

 private:
  bool pick_first(const std::vector<SegmentName>& segments);
  void read_on(const std::vector<SegmentName>& segments);

  std::string data_dir_;
  std::optional<SegmentName> current_;
  WalDecoder decoder_;
  WalSeen seen_;
};

}  // namespace guard
