// Any bytes as a cluster's record: no crash, and what is accepted is written back as it was read.
#include "engine/record_codec.h"
#include "fuzz/check.h"

namespace {

void check(std::string_view bytes) {
  const auto record = engine::decode_record(bytes);
  if (!record) {
    fuzz::require(record.error().code == base::Code::kDataLoss ||
                      record.error().code == base::Code::kUnimplemented,
                  "a refusal is damage or a newer format");
    return;
  }
  const std::string written = engine::encode_record(*record);
  const auto again = engine::decode_record(written);
  fuzz::require(again.has_value(), "what was written is read");
  fuzz::require(engine::encode_record(*again) == written, "what was read is written as it was");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes = fuzz::text_of(data, size);
  check(bytes);
  check(fuzz::sealed(bytes));
  return 0;
}
