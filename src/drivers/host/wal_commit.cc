#include "drivers/host/wal_commit.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "posix/files.h"

namespace host {
namespace {

constexpr size_t kLimit = size_t{1} << 30;
// Types of records (etcd's server/wal).
constexpr std::uint64_t kOwner = 1, kEntry = 2, kState = 3, kCrc = 4;

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

struct Segment {
  std::uint64_t last_entry = 0;  // 0: none
  std::uint64_t term = 0, vote = 0, commit = 0;
  bool state = false;
  LogOwner owner;
  std::uint32_t crc = 0;  // runs on to the next record
  size_t end = 0;         // behind the last whole record
};

// False: the record's own sum is wrong.
bool take(std::string_view record, Segment& into) {
  Fields fields(record);
  std::uint64_t type = 0, crc = 0;
  std::string_view data;
  while (const auto f = fields.next()) {
    if (f->number == 1) type = f->value;
    if (f->number == 2) crc = f->value;
    if (f->number == 3) data = f->bytes;
  }
  if (fields.bad()) return false;
  if (type == kCrc) {
    into.crc = static_cast<std::uint32_t>(crc);
    return true;
  }
  const auto sum = base::crc32c(data, into.crc);
  if (sum != crc) return false;
  into.crc = sum;
  Fields inner(data);
  while (const auto f = inner.next()) {
    if (type == kEntry && f->number == 3) into.last_entry = f->value;
    if (type == kOwner && f->number == 1) into.owner.member = {f->value};
    if (type == kOwner && f->number == 2) into.owner.cluster = {f->value};
    if (type != kState) continue;
    into.state = true;
    if (f->number == 1) into.term = f->value;
    if (f->number == 2) into.vote = f->value;
    if (f->number == 3) into.commit = f->value;
  }
  return !inner.bad();
}

base::Result<Segment> read_segment(std::string_view bytes, const std::string& name) {
  Segment out;
  while (out.end + 8 <= bytes.size()) {
    std::uint64_t length = 0;
    for (size_t i = 8; i > 0; --i)
      length = (length << 8U) | static_cast<unsigned char>(bytes[out.end + i - 1]);
    if (length == 0) break;  // space that was reserved and not written
    const std::uint64_t size = length & 0x00ffffffffffffffULL;
    const std::uint64_t pad = (length >> 63U) != 0 ? (length >> 56U) & 7U : 0;
    if (size > bytes.size() || out.end + 8 + size + pad > bytes.size()) break;  // torn
    const auto record = bytes.substr(out.end + 8, size);
    Segment before = out;
    if (!take(record, out)) {
      // A record that is cut inside its sector reads as zeros to its end: a torn tail, as for etcd.
      const bool cut = record.ends_with('\0') &&
                       bytes.find_first_not_of('\0', out.end + 8 + size) == std::string_view::npos;
      if (!cut) return base::fail(base::Code::kDataLoss, name + ": a record fails its check sum");
      out = before;
      break;
    }
    out.end += 8 + size + pad;
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
  std::uint64_t index = 0;
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
  log.index = log.last.last_entry;
  for (size_t i = names.size() - 1; log.index == 0 && i > 0; --i) {
    const std::string file = wal_dir + "/" + names[i - 1];
    TRY(const std::string older, posix::read_file(file, kLimit));
    TRY(const Segment segment, read_segment(older, file));
    log.index = segment.last_entry;
  }
  log.index = std::max(log.index, log.last.commit);
  return log;
}

}  // namespace

base::Result<std::uint64_t> end_of_log(const std::string& wal_dir) {
  TRY(const Log log, read_log(wal_dir));
  return log.index;
}

base::Result<LogOwner> owner_of_log(const std::string& wal_dir) {
  TRY(const Log log, read_log(wal_dir));
  if (!log.last.owner.member || !log.last.owner.cluster)
    return base::fail(base::Code::kDataLoss, log.newest + " does not say whose it is");
  return log.last.owner;
}

base::Result<std::uint64_t> commit_whole_log(const std::string& wal_dir) {
  TRY(const Log log, read_log(wal_dir));
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
