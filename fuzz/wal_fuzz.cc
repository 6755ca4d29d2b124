// Any bytes as a segment of etcd's log: no crash, no step beyond the end, and a file that grows
// while it is read gives what the whole gives. The first byte says what the rest is: even, the
// segment itself; odd, records (type, length, data), which get the frames and check sums of real
// ones.
#include <algorithm>

#include "fuzz/check.h"
#include "guard/testing/log_builder.h"
#include "guard/wal.h"

namespace {

using guard::WalDecoder;
using guard::WalSeen;

std::string built(std::string_view rest) {
  guard::testing::LogBuilder log;
  while (rest.size() >= 2) {
    const auto type = static_cast<unsigned char>(rest[0]);
    const std::size_t length = static_cast<unsigned char>(rest[1]);
    log.record(type % 8, std::string(rest.substr(2, length)));
    rest.remove_prefix(std::min(rest.size(), 2 + length));
  }
  return log.out;
}

WalDecoder::Step read(WalDecoder& decoder, std::string_view bytes, WalSeen& seen) {
  guard::testing::StringSource source(bytes);
  for (;;) {
    const std::uint64_t before = decoder.offset();
    const auto step = decoder.step(source, seen);
    fuzz::require(decoder.offset() <= bytes.size(), "no step goes beyond the end");
    if (step != WalDecoder::Step::kRecord) {
      fuzz::require(decoder.offset() == before, "only a record moves the position");
      fuzz::require(step == WalDecoder::Step::kEnd || !decoder.why().empty(),
                    "damage has a reason");
      return step;
    }
    fuzz::require(decoder.offset() >= before + 8, "a record has a length");
  }
}

bool same(const WalSeen& a, const WalSeen& b) {
  return a.member_id == b.member_id && a.cluster_id == b.cluster_id && a.end == b.end &&
         a.hard_term == b.hard_term && a.commit == b.commit;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view rest = fuzz::text_of(data + 1, size - 1);
  const std::string bytes = data[0] % 2 == 0 ? std::string(rest) : built(rest);

  WalDecoder whole;
  WalSeen seen;
  const auto step = read(whole, bytes, seen);
  fuzz::require(step != WalDecoder::Step::kUnreadable, "memory has no I/O errors");

  WalDecoder growing;
  WalSeen in_parts;
  read(growing, std::string_view(bytes).substr(0, bytes.size() * data[0] / 255), in_parts);
  growing.forget_window();
  fuzz::require(read(growing, bytes, in_parts) == step, "a file that grows ends as the whole does");
  fuzz::require(same(seen, in_parts), "a file that grows says what the whole says");

  const auto name = guard::parse_segment_name(rest);
  if (name)
    fuzz::require(guard::parse_segment_name(guard::segment_name(*name)) == name,
                  "a name is read as it is written");
  static_cast<void>(guard::parse_snapshot_name(rest));
  return 0;
}
