// A piece of a cluster's history as it lies in a store: a head that anybody can read, and behind
// it, compressed and perhaps encrypted, frames of whole revisions with records just as etcd stores
// them. Heads are chained by their digests, and main revisions have no holes, so that whatever is
// lost, doubled, torn or changed is found and named.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "archive/crypt.h"
#include "archive/manifest.h"
#include "archive/names.h"
#include "archive/users.h"
#include "base/result.h"
#include "base/time.h"

namespace archive {

// Where a segment lies: "<incarnation>/log-<12 digits>.seg"; parts of the one that is not sealed
// yet: "<incarnation>/log-<12 digits>.part-<5 digits>.seg". Two writers that go on from the same
// segment mean the same name, and the store lets one of them have it.
struct SegmentName {
  Incarnation incarnation = {};
  std::int64_t sequence = 1;
  std::int64_t part = 0;  // 0: the sealed segment; else from 1

  [[nodiscard]] std::string text() const;
  static std::optional<SegmentName> parse(std::string_view key);
  bool operator==(const SegmentName&) const = default;
};

struct SegmentHead {
  SegmentName name = {};
  base::ClusterKey cluster = {};
  std::string cluster_id = {};  // hex
  std::int64_t epoch = 0;
  std::string nonce = {};     // of its writer
  std::string base = {};      // the backup that was the newest when it was begun; may be empty
  std::string previous = {};  // digest() of the head before it; empty: there was none
  // Whether its first revision follows the last one of the segment before; else history was lost
  // in between, and only a backup from here on makes it of use.
  bool joins = false;
  // From here on nothing is missing, through all segments that join, up to its end; none: an older
  // program wrote it.
  std::optional<std::int64_t> chain = {};
  // All that happened in these revisions is in it; last = first - 1: nothing happened.
  std::int64_t first = 0, last = 0;
  // When the first and the last of it came, by the writer's clock, which never goes back.
  base::Instant begin{}, end{};
  UsersMark users = {};
  std::string etcd_version = {};
  std::uint64_t records = 0;  // leases are records too
  Digest plain = {};          // of the frames
  Digest data = {};           // of what follows the head
  std::optional<Encryption> encryption = {};
  bool operator==(const SegmentHead&) const = default;
};
constexpr std::size_t kLargestHead = std::size_t{8} << 10;

std::string head_bytes(const SegmentHead& head);
std::string digest(const SegmentHead& head);  // hex

struct ParsedHead {
  SegmentHead head = {};
  std::size_t bytes = 0;  // of the object: its data begins there
};
// `bytes` begin with a head and may go on. DataLoss: damaged, or another segment's. Unimplemented:
// of a newer version of this program.
base::Result<ParsedHead> parse_head(std::string_view bytes, const SegmentName& name);

// A record as etcd has it in a bucket: of `key` (17 bytes: a put, 18: a tombstone) or of `lease`
// (8 bytes).
struct LogRecord {
  std::string_view key, value;
  [[nodiscard]] bool lease() const { return key.size() == 8; }
};
constexpr std::size_t kRecordHead = 5;
void append_record(std::string& out, const LogRecord& record);
// No value: the bytes do not begin with a whole record. Takes it from them.
std::optional<LogRecord> next_record(std::string_view& bytes);

// Whole revisions that came within a tenth of a second.
struct Frame {
  std::int64_t first = 0, last = 0;
  base::Instant time{};  // when the last of them came
  std::uint32_t count = 0;
  std::string_view records = {};  // as append_record() wrote them
};
std::string frame_bytes(const Frame& frame);

using FrameSink = std::function<base::Status(const Frame&)>;

// Reads what write() gives it of an object. Each frame is judged before the sink sees it: check
// sum, form of each record, no revision left out. The whole is good only after finish(). DataLoss
// is about the bytes; make-time errors are those of check_key(). Holds at most one frame.
class SegmentReader {
 public:
  SegmentReader(const SegmentName& name, const Key* key, FrameSink sink);
  ~SegmentReader();
  base::Status write(std::string_view bytes);
  base::Status finish();
  [[nodiscard]] const SegmentHead& head() const;  // after finish(), or once a frame was seen

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Seals frames into an object: sets the digests of `head`. `expected`: how many bytes of frames
// come.
base::Result<std::string> seal_segment(SegmentHead& head, const Key* key,
                                       const std::function<base::Status(objstore::Sink)>& frames,
                                       std::uint64_t expected = 0);

}  // namespace archive
