#include "archive/frames.h"

#include <fmt/format.h>

#include "base/text.h"
#include "etcd/bolt/page.h"
#include "etcd/bolt/record.h"

namespace archive {
namespace {

using base::Code;

// Length and check sum of what follows; then first, last, time, count and the records.
constexpr size_t kFrameHead = 8, kFrameFixed = 28;
constexpr size_t kLargestFrame = size_t{1} << 30;  // far above what etcd takes in one transaction

std::unexpected<base::Error> bad(std::string why) {
  return base::fail(Code::kDataLoss, std::move(why));
}

}  // namespace

void append_record(std::string& out, const LogRecord& record) {
  out += static_cast<char>(record.key.size());
  bolt::append(out, static_cast<std::uint32_t>(record.value.size()));
  out += record.key;
  out += record.value;
}

std::optional<LogRecord> next_record(std::string_view& bytes) {
  if (bytes.size() < kRecordHead) return {};
  const size_t key = static_cast<unsigned char>(bytes[0]);
  const size_t value = bolt::load<std::uint32_t>(bytes, 1);
  if (bytes.size() - kRecordHead < key || bytes.size() - kRecordHead - key < value) return {};
  const LogRecord out{bytes.substr(kRecordHead, key), bytes.substr(kRecordHead + key, value)};
  bytes.remove_prefix(kRecordHead + key + value);
  return out;
}

std::string frame_bytes(const Frame& frame) {
  std::string payload;
  payload.reserve(kFrameFixed + frame.records.size());
  bolt::append(payload, static_cast<std::uint64_t>(frame.first));
  bolt::append(payload, static_cast<std::uint64_t>(frame.last));
  bolt::append(payload, static_cast<std::uint64_t>(frame.time.time_since_epoch().count()));
  bolt::append(payload, frame.count);
  payload += frame.records;
  std::string out;
  out.reserve(kFrameHead + payload.size());
  bolt::append(out, static_cast<std::uint32_t>(payload.size()));
  bolt::append(out, base::crc32c(payload));
  return out + payload;
}

base::Status FrameReader::write(std::string_view bytes) {
  waiting_ += bytes;
  size_t at = 0;
  while (waiting_.size() - at >= kFrameHead) {
    const size_t size = bolt::load<std::uint32_t>(waiting_, at);
    if (size < kFrameFixed || size > kLargestFrame)
      return bad(fmt::format("a frame of {} bytes", size));
    if (waiting_.size() - at - kFrameHead < size) break;
    const auto payload = std::string_view(waiting_).substr(at + kFrameHead, size);
    if (base::crc32c(payload) != bolt::load<std::uint32_t>(waiting_, at + 4))
      return bad(fmt::format("the frame after revision {} has another check sum", next_ - 1));
    TRY_OK(frame(payload));
    at += kFrameHead + size;
  }
  waiting_.erase(0, at);
  return {};
}

base::Status FrameReader::frame(std::string_view payload) {
  const auto time = static_cast<std::int64_t>(bolt::load<std::uint64_t>(payload, 16));
  const Frame out{.first = static_cast<std::int64_t>(bolt::load<std::uint64_t>(payload, 0)),
                  .last = static_cast<std::int64_t>(bolt::load<std::uint64_t>(payload, 8)),
                  .time = base::Instant(base::Duration(time)),
                  .count = bolt::load<std::uint32_t>(payload, 24),
                  .records = payload.substr(kFrameFixed)};
  if (out.first > next_)
    return bad(fmt::format("gap: revision {} was expected, and {} comes", next_, out.first));
  if (out.first < next_)
    return bad(fmt::format("overlap: revision {} comes a second time", out.first));
  if (out.last < out.first - 1 || out.last > head_.last)
    return bad(fmt::format("a frame of the revisions {} to {}", out.first, out.last));
  if (out.time < time_ || out.time > head_.end)
    return bad(
        fmt::format("the frame of revision {} has a time outside of its segment", out.first));
  TRY_OK(revisions(out));
  next_ = out.last + 1;
  time_ = out.time;
  records_ += out.count;
  return sink_(out);
}

// No revision and no part of one is left out: sub revisions count from 0.
base::Status FrameReader::revisions(const Frame& frame) const {
  auto rest = frame.records;
  bolt::Revision at{frame.first - 1, -2};  // what comes after it is of the next main revision
  std::uint32_t count = 0;
  while (!rest.empty()) {
    const auto record = next_record(rest);
    if (!record) return bad(fmt::format("a record after revision {} is cut", at.text()));
    ++count;
    if (record->lease()) {
      TRY_OK(bolt::parse_lease(record->key, record->value));
      continue;
    }
    TRY(const auto parsed, bolt::parse_record(record->key, record->value));
    const auto& is = parsed.revision;
    if (parsed.raised) return bad(fmt::format("revision {} has no content", is.text()));
    if (is != bolt::Revision{at.main, at.sub + 1} && is != bolt::Revision{at.main + 1, 0})
      return bad(fmt::format("gap: after revision {} comes {}",
                             at.main < frame.first ? std::to_string(at.main) : at.text(),
                             is.text()));
    at = is;
  }
  if (at.main != frame.last)
    return bad(fmt::format("the frame ends at revision {}, not at {}", at.main, frame.last));
  if (count != frame.count)
    return bad(fmt::format("the frame has {} records, not {}", count, frame.count));
  return {};
}

base::Status FrameReader::finish() {
  if (!waiting_.empty())
    return bad(fmt::format("its last frame is cut after revision {}", next_ - 1));
  if (next_ != head_.last + 1)
    return bad(fmt::format("it ends at revision {}, not at {}", next_ - 1, head_.last));
  if (records_ != head_.records)
    return bad(fmt::format("it has {} records, not {}", records_, head_.records));
  return {};
}

}  // namespace archive
