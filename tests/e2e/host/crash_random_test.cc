// The operator killed at moments that nobody chose.
#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "e2e/host/crash_fixture.h"

namespace e2e {
namespace {

// What a change of size and a replacement come to.
const std::vector<std::string> kPassed{
    "load_record", "save_record", "observe",    "publish",    "PrepareMember", "StartMember",
    "WriteTicket", "PutAside",    "StopMember", "AddLearner", "PromoteMember", "RemoveMember"};

class RandomCrashTest : public CrashTest {
 protected:
  std::ptrdiff_t lines() const { return std::ranges::count(sandbox_.operator_log(), '\n'); }
};

TEST_F(RandomCrashTest, KilledAtRandomItAlwaysConverges) {
  create(3, "3.5.33");
  ASSERT_FALSE(HasFatalFailure());
  std::mt19937 random(20261121);
  const auto draw = [&](size_t below) { return static_cast<int>(random() % below); };
  const int kills = full_depth() ? 100 : 25;
  int at_work = 0;
  for (int i = 0; i < kills; ++i) {
    declare(i % 2 == 0 ? 5 : 3);
    // Half the time it dies by itself at the n-th pass of a point, else after n lines of its log.
    if (draw(2) == 0) {
      const auto& call = kPassed.at(static_cast<size_t>(draw(kPassed.size())));
      const bool often = call == "observe" || call == "save_record" || call == "publish";
      sandbox_.kill_operator();
      const char* when = draw(2) == 0 ? "before" : "after";
      const int passes = 1 + (often ? draw(20) : 0);
      sandbox_.start_operator({"--fault-point", fmt::format("{}.{}:{}", call, when, passes)});
      at_work += sandbox_.wait_operator(12s) ? 1 : 0;
    } else {
      const auto wanted = lines() + 1 + draw(8);
      at_work += eventually(12s, [&] { return lines() >= wanted; }) ? 1 : 0;
    }
    sandbox_.kill_operator();
    expect_one_process_each(sandbox_);
    sandbox_.start_operator();
    if (i % 10 == 9) {
      declare(3);
      std::string victim;
      ASSERT_TRUE(eventually(180s, [&] {
        victim = with_role_now("follower");
        return settled(3) && !victim.empty();
      })) << say();
      lose(victim);
    }
  }
  fmt::print("{} of {} kills met the operator at work\n", at_work, kills);
  EXPECT_GE(at_work, kills / 5);
  declare(3);
  ASSERT_TRUE(eventually(180s, [&] { return settled(3); })) << say();
  const Written written = finish();
  EXPECT_TRUE(written.failed.empty()) << written.failed.size() << " writes failed";
}

}  // namespace
}  // namespace e2e
