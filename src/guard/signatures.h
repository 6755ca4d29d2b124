// Why etcd ended, read from its own words: its exit code says little (2 is a bad flag or a panic, a
// removed member exits 0 or 1).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "guard/files.h"

namespace guard {

struct Signature {
  std::string_view text;  // occurs in a fatal line
  Class klass;
  bool condemns = false;  // etcd might start on the same data another time, and must not
};
// In order of weight: of several in one log, the first of the table counts.
std::span<const Signature> signatures();

// Collects etcd's output and finds the signatures in it. In lines below level error, which can hold
// the users' keys, only whole messages count.
class LogScanner {
 public:
  explicit LogScanner(std::span<const Signature> table = signatures()) : table_(table) {}

  // `at_ms` is monotonic; a signature counts for kMemory after it was seen, so that what healed
  // long ago does not explain an end of today.
  void feed(std::string_view bytes, std::int64_t at_ms);
  struct Found {
    const Signature* signature = nullptr;
    std::string line;
  };
  [[nodiscard]] Found found(std::int64_t at_ms) const;
  // The newest fatal line, known or not.
  [[nodiscard]] const std::string& last_words() const { return last_words_; }

  static constexpr std::int64_t kMemoryMs = 30'000;

 private:
  void line(std::string_view text, std::int64_t at_ms);

  std::span<const Signature> table_;
  struct Hit {
    std::size_t rank;
    std::int64_t at_ms;
    std::string line;
  };
  std::vector<Hit> hits_;  // at most one a signature
  std::string partial_, last_words_;
};

// How a child ended.
struct Exit {
  int code = -1;  // -1: by `signal`
  int signal = 0;
};

// The verdict on an end that nobody asked for.
Verdict judge(const Exit& exit, const LogScanner& log, std::int64_t at_ms, bool& condemns);

}  // namespace guard
