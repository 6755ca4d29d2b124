#include "posix/logger.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace posix {
namespace {

class FixedClock final : public base::Clock {
 public:
  [[nodiscard]] base::Instant now() const override {
    return base::Instant(std::chrono::sys_days(std::chrono::year(2026) / 11 / 21));
  }
  [[nodiscard]] base::Tick tick() const override { return at; }
  base::Tick at{base::Duration(1)};
};

struct Captured {
  std::vector<std::string> lines;
  LogSink sink() {
    return [this](std::string_view line) { lines.emplace_back(line); };
  }
};

TEST(Logger, TextAndLevels) {
  const FixedClock clock;
  Captured out;
  const auto log = make_logger({.level = base::Level::kInfo}, clock, out.sink());
  log->debug("Hidden");
  log->info("MemberAdded", {{"member", "c-0"}, {"why", "a b"}});
  EXPECT_EQ(out.lines,
            std::vector<std::string>{"00:00:00.000 INFO  MemberAdded member=c-0 why=\"a b\"\n"});
}

TEST(Logger, JsonIsOneObjectALineWhateverTheBytes) {
  const FixedClock clock;
  Captured out;
  const auto log = make_logger({.format = LogFormat::kJson}, clock, out.sink());
  log->warning("X", {{"a", "q\"\n\xff\xc3\xa4"}, {"event", "mine"}, {"a", "again"}});
  EXPECT_EQ(
      out.lines,
      std::vector<std::string>{
          R"({"time":"2026-11-21T00:00:00.000Z","level":"warning","event":"X",)"
          "\"a\":\"q\\\"\\u000a\xEF\xBF\xBD\xc3\xa4\",\"event_\":\"mine\",\"a_\":\"again\"}\n"});
}

TEST(Logger, EqualEventsAreLimitedAndTheGapIsTold) {
  FixedClock clock;
  Captured out;
  const auto log = make_logger({.burst = 2, .window = base::Duration(1000)}, clock, out.sink());
  for (int i = 0; i < 10; ++i) log->info("Same");
  log->info("Other");
  for (int i = 0; i < 10; ++i) log->error("Bad");
  EXPECT_EQ(out.lines.size(), 2U + 1U + 10U);
  clock.at += base::Duration(1000);
  log->info("Same");
  EXPECT_EQ(out.lines.back(), "00:00:00.000 INFO  Same suppressed=8\n");
  log->info("Same");
  EXPECT_EQ(out.lines.back(), "00:00:00.000 INFO  Same\n");
}

}  // namespace
}  // namespace posix
