// Any bytes as what etcd says: no crash, and the same words give the same verdict however they come
// in. The first two bytes are how etcd ended and how long the pieces are.
#include <algorithm>

#include "fuzz/check.h"
#include "guard/signatures.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const guard::Exit exit{.code = data[0] < 200 ? data[0] : -1, .signal = data[0] - 199};
  const std::size_t piece = 1 + data[1];
  const std::string_view log = fuzz::text_of(data + 2, size - 2);
  guard::LogScanner whole, pieces;
  whole.feed(log, 1);
  for (std::size_t at = 0; at < log.size(); at += piece) pieces.feed(log.substr(at, piece), 1);

  bool condemns = false, condemns_too = false;
  const auto verdict = guard::judge(exit, whole, 2, condemns);
  const auto same = guard::judge(exit, pieces, 2, condemns_too);
  fuzz::require(verdict.klass == same.klass && verdict.signature == same.signature &&
                    condemns == condemns_too,
                "pieces do not change the verdict");
  fuzz::require(verdict.klass != guard::Class::kNone, "every end has a class");
  fuzz::require(!verdict.signature.empty() && verdict.signature.size() < 4096,
                "every end has a reason of some length");
  const auto read = guard::decode_verdict(guard::encode(verdict));
  fuzz::require(read && read->signature == verdict.signature, "a verdict can be written and read");

  // What was seen long ago explains nothing.
  bool late = false;
  static_cast<void>(guard::judge(exit, whole, 2 + guard::LogScanner::kMemoryMs, late));
  fuzz::require(!late, "nothing is condemned by what was said long ago");
  return 0;
}
