// Could this history of registers have happened if every operation took effect at one instant
// between its call and its return? Each key is a register of its own and is decided alone, by the
// search of Wing and Gong with Lowe's memory of the configurations that lead nowhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace support {

struct Operation {
  enum class Kind { kRead, kWrite, kSwap };
  enum class Ending {
    kDone,
    kNotSwapped,  // of a swap: the register held `found`, not `expected`
    kUnknown      // it may have taken effect at any time after its call, or never
  };
  std::string key;
  Kind kind = Kind::kRead;
  Ending ending = Ending::kDone;
  std::int64_t value = 0;     // what was written; 0 is a register that was never written
  std::int64_t expected = 0;  // of a swap
  std::int64_t found = 0;     // of a read, and of a swap that was not done
  std::int64_t called_ns = 0, returned_ns = 0;  // returned_ns has no meaning after kUnknown
  int client = 0;
};

struct Verdict {
  enum class Kind {
    kLinearizable,
    kImpossible,
    kUndecided  // the limit was reached
  };
  Kind kind = Kind::kLinearizable;
  std::string text;                // of the first key that is not linearizable: why
  std::size_t configurations = 0;  // that were visited, of all keys
};

// `limit` bounds the configurations of one key. Each value is written at most once to a key.
Verdict check_linearizable(const std::vector<Operation>& history, std::size_t limit = 2'000'000);

// "client 3: write 17 done [1.204 .. 1.310 s]"
std::string to_text(const Operation& operation);

}  // namespace support
