// Any bytes as a file of the guard's: no crash, and what is accepted is written back as it was
// read.
#include "fuzz/check.h"
#include "guard/files.h"

namespace {

// What one side writes the other reads as the same; a second writing changes nothing.
void check(std::string_view bytes, auto decode) {
  const auto value = decode(bytes);
  if (!value) {
    fuzz::require(!value.error().message.empty(), "a refusal says why");
    return;
  }
  const std::string written = guard::encode(*value);
  const auto again = decode(written);
  fuzz::require(again.has_value(), "what was written is read");
  fuzz::require(guard::encode(*again) == written, "what was read is written as it was");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes = fuzz::text_of(data, size);
  for (const auto& text : {std::string(bytes), fuzz::sealed(bytes)}) {
    check(text, guard::decode_ticket);
    check(text, guard::decode_state);
    check(text, guard::decode_verdict);
    check(text, guard::decode_marker);
  }
  return 0;
}
