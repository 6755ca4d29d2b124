// A cluster's record as text: "format 1", one JSON object, "crc <crc32c in hex of all before>".
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "plan/record.h"

namespace engine {

// Equal records give equal bytes.
std::string encode_record(const plan::Record& record);
// DataLoss: torn, changed, or not a record. Unimplemented: whole, but of a newer operator: another
// format, or a name that this one does not know (a reason, a phase, …); the message says what to
// do. Keys that are unknown are ignored, keys that are absent keep their defaults.
base::Result<plan::Record> decode_record(std::string_view bytes);

}  // namespace engine
