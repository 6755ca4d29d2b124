// Any bytes as a piece of a cluster's history: no crash, a name that is read is spelled in one way,
// frames that are taken have no hole, and what was taken is taken again.
#include <algorithm>
#include <cstdint>

#include "archive/log.h"
#include "archive/segment.h"
#include "etcd/bolt/page.h"
#include "etcd/bolt/record.h"
#include "fuzz/check.h"

namespace {

using archive::Frame;
using archive::SegmentHead;
using archive::SegmentName;
using fuzz::require;

constexpr std::size_t kFrameHead = 8;

const SegmentName& some_name() {
  static const SegmentName name{*archive::Incarnation::parse("20261122T031500Z-8f3a9c02"), 3, 0};
  return name;
}

base::Status read(std::string_view object, const archive::FrameSink& sink) {
  archive::SegmentReader reader(some_name(), nullptr, sink);
  for (std::size_t at = 0; at < object.size(); at += 997)
    TRY_OK(reader.write(object.substr(at, 997)));
  return reader.finish();
}

void object(std::string_view text) {
  if (const auto name = SegmentName::parse(text)) require(name->text() == text, "one spelling");
  static_cast<void>(archive::parse_head(text, some_name()));
  static_cast<void>(read(text, [](const Frame&) { return base::Status(); }));
}

// The same with check sums that fit.
std::string mended(std::string_view text) {
  std::string out;
  while (text.size() >= kFrameHead) {
    const std::size_t size =
        std::min<std::size_t>(bolt::load<std::uint32_t>(text, 0), text.size() - kFrameHead);
    const auto payload = text.substr(kFrameHead, size);
    bolt::append(out, static_cast<std::uint32_t>(size));
    bolt::append(out, base::crc32c(payload));
    out += payload;
    text.remove_prefix(kFrameHead + size);
  }
  return out + std::string(text);
}

// Head and digests as a writer of these frames would have made them.
void frames(std::string_view text) {
  const auto plain = mended(text);
  if (plain.size() < kFrameHead + 28) return;
  SegmentHead head{.name = some_name(), .cluster = {"shop", "orders"}};
  const auto number = [&](std::size_t at) {
    return static_cast<std::int64_t>(bolt::load<std::uint64_t>(plain, at));
  };
  head.first = std::max<std::int64_t>(number(kFrameHead), 1);  // revisions begin there
  head.begin = base::Instant(base::Duration(0));
  head.end = base::Instant(base::Duration(1'000'000));
  for (std::size_t at = 0; plain.size() - at >= kFrameHead + 28;) {
    const std::size_t size = bolt::load<std::uint32_t>(plain, at);
    head.last = number(at + kFrameHead + 8);
    if (size >= 28) head.records += bolt::load<std::uint32_t>(plain, at + kFrameHead + 24);
    if (plain.size() - at - kFrameHead < size) break;
    at += kFrameHead + size;
  }
  const auto sealed =
      archive::seal_segment(head, nullptr, [&](const objstore::Sink& sink) { return sink(plain); });
  require(sealed.has_value(), "frames are sealed");
  bolt::Revision last{head.first - 1, 0};
  std::uint64_t records = 0;
  const auto done = read(*sealed, [&](const Frame& frame) -> base::Status {
    auto rest = frame.records;
    while (const auto record = archive::next_record(rest)) {
      ++records;
      if (record->lease()) continue;
      const auto parsed = bolt::parse_record(record->key, record->value);
      require(parsed.has_value(), "a record that is taken can be read");
      const auto& at = parsed->revision;
      require(
          at.main == last.main ? at.sub == last.sub + 1 : at.main - 1 == last.main && at.sub == 0,
          "no hole is taken");
      last = at;
    }
    require(rest.empty(), "all of a frame is records");
    require(last.main == frame.last, "a frame ends where it says");
    return {};
  });
  if (done) require(records == head.records && last.main == head.last, "nothing is left out");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const auto text = fuzz::text_of(bytes, size);
  object(text);
  frames(text);
  return 0;
}
