#include "drivers/host/wal_commit.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.h"
#include "guard/files.h"
#include "posix/files.h"

namespace host {
namespace {

constexpr size_t kLimit = size_t{1} << 30;
constexpr size_t kMarkerLimit = size_t{1} << 20;
// Types of records (etcd's server/wal).
constexpr std::uint64_t kOwner = 1, kEntry = 2, kState = 3, kCrc = 4, kSnapshot = 5;

// Reads protobuf's varints and length-delimited fields; no other kind occurs in these records.
class Fields {
 public:
  explicit Fields(std::string_view bytes) : rest_(bytes) {}

  struct Field {
    std::uint64_t number = 0, value = 0;
    std::string_view bytes;
  };
  // No value: the end, or bytes that are not a message (then bad() is true).
  std::optional<Field> next() {
    if (rest_.empty()) return std::nullopt;
    Field f;
    const auto tag = varint();
    f.number = tag >> 3;
    if ((tag & 7U) == 0) {
      f.value = varint();
    } else if ((tag & 7U) == 2) {
      const auto size = varint();
      if (size > rest_.size()) bad_ = true;
      if (bad_) return std::nullopt;
      f.bytes = rest_.substr(0, size);
      rest_.remove_prefix(size);
    } else {
      bad_ = true;
    }
    if (bad_) return std::nullopt;
    return f;
  }
  [[nodiscard]] bool bad() const { return bad_; }

 private:
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (rest_.empty()) break;
      const auto byte = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      value |= static_cast<std::uint64_t>(byte & 0x7fU) << shift;
      if ((byte & 0x80U) == 0) return value;
    }
    bad_ = true;
    return 0;
  }
  std::string_view rest_;
  bool bad_ = false;
};

void put_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>((value & 0x7fU) | 0x80U);
  out += static_cast<char>(value);
}
void put_field(std::string& out, std::uint64_t number, std::uint64_t value) {
  put_varint(out, number << 3);
  put_varint(out, value);
}

struct Place {
  std::uint64_t term = 0, index = 0;
};

struct Segment {
  Place entry, snapshot;  // the last of each; index 0: none
  std::uint64_t term = 0, vote = 0, commit = 0;
  bool state = false;
  LogOwner owner;
  std::uint32_t crc = 0;  // runs on to the next record
  size_t end = 0;         // behind the last whole record
  bool beyond = false;    // what follows says that it is longer than the file
  bool followed = false;  // whole records come after what is not
};

struct Record {
  std::uint64_t type = 0;
  std::uint32_t crc = 0;
  std::string_view data;
};

std::optional<Record> parse(std::string_view bytes) {
  Fields fields(bytes);
  Record out;
  while (const auto f = fields.next()) {
    if (f->number == 1) out.type = f->value;
    if (f->number == 2) out.crc = static_cast<std::uint32_t>(f->value);
    if (f->number == 3) out.data = f->bytes;
  }
  if (fields.bad()) return std::nullopt;
  return out;
}

// False: the record's own sum is wrong.
bool take(std::string_view bytes, Segment& into) {
  const auto record = parse(bytes);
  if (!record) return false;
  if (record->type == kCrc) {
    into.crc = record->crc;
    return true;
  }
  const auto sum = base::crc32c(record->data, into.crc);
  if (sum != record->crc) return false;
  into.crc = sum;
  std::array<std::uint64_t, 4> field{};
  Fields inner(record->data);
  while (const auto f = inner.next())
    if (f->number < field.size() && f->bytes.empty()) field[f->number] = f->value;
  if (inner.bad()) return false;
  if (record->type == kOwner) into.owner = {{field[1]}, {field[2]}};
  if (record->type == kEntry) into.entry = {field[2], field[3]};
  if (record->type == kSnapshot) into.snapshot = {field[2], field[1]};
  if (record->type == kState) {
    into.state = true;
    into.term = field[1];
    into.vote = field[2];
    into.commit = field[3];
  }
  return true;
}

struct Frame {
  std::uint64_t length = 0;  // 0: space that was reserved and not written
  bool fits = false;         // in the file
  std::string_view record;
  size_t end = 0;
};

// Precondition: 8 bytes are there.
Frame frame_at(std::string_view bytes, size_t at) {
  Frame out;
  for (size_t i = 8; i > 0; --i)
    out.length = (out.length << 8U) | static_cast<unsigned char>(bytes[at + i - 1]);
  const std::uint64_t size = out.length & 0x00ffffffffffffffULL;
  const std::uint64_t pad = (out.length >> 63U) != 0 ? (out.length >> 56U) & 7U : 0;
  out.fits = size <= bytes.size() && at + 8 + size + pad <= bytes.size();
  if (!out.fits) return out;
  out.record = bytes.substr(at + 8, size);
  out.end = at + 8 + size + pad;
  return out;
}

// Whether one record after another is found from here on, of which the second's sum leads on from
// the first's: no other bytes look so.
bool records_follow(std::string_view bytes, size_t from) {
  for (size_t at = from; at + 16 <= bytes.size(); at += 8) {
    const Frame first = frame_at(bytes, at);
    if (first.length == 0 || !first.fits || first.end + 8 > bytes.size()) continue;
    const Frame second = frame_at(bytes, first.end);
    if (second.length == 0 || !second.fits || !first.record.starts_with('\x08')) continue;
    const auto before = parse(first.record), after = parse(second.record);
    if (before && after && after->type != kCrc && before->crc != 0 &&
        base::crc32c(after->data, before->crc) == after->crc)
      return true;
  }
  return false;
}

base::Result<Segment> read_segment(std::string_view bytes, const std::string& name) {
  Segment out;
  while (out.end + 8 <= bytes.size()) {
    const Frame next = frame_at(bytes, out.end);
    if (next.length == 0 || !next.fits) {
      out.beyond = next.length != 0;
      out.followed = records_follow(bytes, out.end + 8);
      break;
    }
    Segment taken = out;
    if (!take(next.record, taken)) {
      // A record that is cut inside its sector reads as zeros to its end: a torn tail, as for etcd.
      const bool cut =
          next.record.ends_with('\0') &&
          bytes.find_first_not_of('\0', out.end + 8 + next.record.size()) == std::string_view::npos;
      if (!cut) return base::fail(base::Code::kDataLoss, name + ": a record fails its check sum");
      break;
    }
    out = taken;
    out.end = next.end;
  }
  return out;
}

std::string frame(const std::string& record) {
  const size_t pad = (8 - record.size() % 8) % 8;
  std::uint64_t length = record.size();
  if (pad != 0) length |= (0x80ULL | pad) << 56U;
  std::string out;
  for (unsigned shift = 0; shift < 64; shift += 8)
    out += static_cast<char>((length >> shift) & 0xffU);
  return out + record + std::string(pad, '\0');
}

struct Log {
  std::string newest, bytes;  // its last segment
  Segment last;
  Place reach;              // the last entry, or a snapshot beyond it
  std::uint64_t index = 0;  // of the last entry, or what counts as committed
};

base::Result<Log> read_log(const std::string& wal_dir) {
  TRY(auto names, posix::list_dir(wal_dir));
  std::erase_if(names, [](const std::string& n) { return !n.ends_with(".wal"); });
  if (names.empty()) return base::fail(base::Code::kDataLoss, wal_dir + " holds no log");
  Log log;
  log.newest = wal_dir + "/" + names.back();
  TRY(log.bytes, posix::read_file(log.newest, kLimit));
  TRY(log.last, read_segment(log.bytes, log.newest));
  if (!log.last.state) return base::fail(base::Code::kDataLoss, log.newest + " holds no state");
  log.reach = log.last.entry;
  Place snapshot = log.last.snapshot;
  for (size_t i = names.size() - 1; log.reach.index == 0 && i > 0; --i) {
    const std::string file = wal_dir + "/" + names[i - 1];
    TRY(const std::string older, posix::read_file(file, kLimit));
    TRY(const Segment segment, read_segment(older, file));
    log.reach = segment.entry;
    if (segment.snapshot.index > snapshot.index) snapshot = segment.snapshot;
  }
  log.index = std::max(log.reach.index, log.last.commit);
  if (snapshot.index > log.reach.index) log.reach = snapshot;
  return log;
}

// A write that a crash cut short leaves zeros where etcd then sees the log's end, whatever comes
// after them; so does a sector that was lost in the middle. What is known of the log tells them
// apart. A length is never torn: one beyond the file before whole records was changed.
base::Status is_whole(const Log& log, const LogFloor& floor) {
  const bool known = floor.index != 0 || floor.commit != 0 || floor.audited != 0;
  if (log.last.followed && (log.last.beyond || !known))
    return base::fail(
        base::Code::kDataLoss,
        fmt::format("{}: damaged at offset {}, whole records follow", log.newest, log.last.end));
  const auto end = std::max(log.index, log.reach.index);
  if (std::pair(log.reach.term, log.reach.index) >= std::pair(floor.term, floor.index) &&
      end >= floor.commit && end >= floor.audited)
    return {};
  return base::fail(
      base::Code::kDataLoss,
      fmt::format("{}: what can be read of the log ends at index {} (term {}), it had reached {} "
                  "(term {}), committed {}, {} by an audit",
                  log.newest, log.reach.index, log.reach.term, floor.index, floor.term,
                  floor.commit, floor.audited));
}

}  // namespace

base::Result<LogFloor> floor_of(const std::string& marker_file, std::uint64_t audited) {
  LogFloor floor;
  floor.audited = audited;
  const auto bytes = posix::read_file(marker_file, kMarkerLimit);
  if (!bytes && bytes.error().code == base::Code::kNotFound) return floor;
  if (!bytes) return std::unexpected(bytes.error());
  const auto marker = guard::decode_marker(*bytes);
  if (!marker) return floor;
  floor.term = marker->last_term;
  floor.index = marker->last_index;
  floor.commit = marker->commit;
  return floor;
}

base::Result<std::uint64_t> end_of_log(const std::string& wal_dir, const LogFloor& floor) {
  TRY(const Log log, read_log(wal_dir));
  TRY_OK(is_whole(log, floor));
  return log.index;
}

base::Result<LogOwner> owner_of_log(const std::string& wal_dir) {
  TRY(const Log log, read_log(wal_dir));
  if (!log.last.owner.member || !log.last.owner.cluster)
    return base::fail(base::Code::kDataLoss, log.newest + " does not say whose it is");
  return log.last.owner;
}

base::Result<std::uint64_t> commit_whole_log(const std::string& wal_dir, const LogFloor& floor) {
  TRY(const Log log, read_log(wal_dir));
  TRY_OK(is_whole(log, floor));
  // --force-new-cluster would make an empty cluster of it.
  if (log.index == 0) return base::fail(base::Code::kDataLoss, wal_dir + " holds no entry");
  std::string state;
  put_field(state, 1, log.last.term);
  put_field(state, 2, log.last.vote);
  put_field(state, 3, log.index);
  std::string record;
  put_field(record, 1, kState);
  put_field(record, 2, base::crc32c(state, log.last.crc));
  put_varint(record, (3U << 3U) | 2U);
  put_varint(record, state.size());
  record += state;
  TRY_OK(posix::write_atomic(log.newest, log.bytes.substr(0, log.last.end) + frame(record)));
  return log.index;
}

}  // namespace host
