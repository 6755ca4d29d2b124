// A situation written down and played again gives the same plan.
#include "sim/model/transcript.h"

#include <gtest/gtest.h>

#include "tests/scenarios/situation.h"

namespace sim::model {
namespace {

using scenario::Situation;

// What a transcript's "> " lines say.
std::string answers(const std::string& text) {
  std::istringstream in(text);
  std::string out;
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("> ")) out += line.substr(2) + "\n";
  return out;
}

void expect_same(Situation s) {
  const plan::Plan plan = s.ask();
  const std::string text = transcript({"x", {}}, s.intent, s.record, s.seen, s.now);
  EXPECT_EQ(text.find("cannot be played"), std::string::npos) << text;
  std::string wanted = scenario::print(s, plan), got = answers(text);
  // Why a look failed is not carried over.
  for (std::string* t : {&wanted, &got})
    for (auto at = t->find("; now: "); at != std::string::npos; at = t->find("; now: "))
      t->erase(at, t->find('\n', at) - at);
  EXPECT_EQ(got, wanted) << text;
}

Situation formed(int size) {
  Situation s;
  s.formed(size, scenario::version_of("3.5.12"));
  return s;
}

TEST(Transcript, OfNothing) {
  expect_same(Situation());
}

TEST(Transcript, OfAFormation) {
  Situation s;
  s.forming(3, scenario::version_of("3.6.16"));
  expect_same(s);
}

TEST(Transcript, OfALostMember) {
  Situation s = formed(3);
  s.down("c-1");
  s.facts("c-1").data = plan::Data::kBlank;
  s.facts("c-1").ended = plan::Ending{plan::End::kDataLost, "it has no data", s.now, 2};
  expect_same(s);
}

TEST(Transcript, OfALostQuorum) {
  Situation s = formed(3);
  s.down("c-1");
  s.down("c-2");
  for (const char* name : {"c-1", "c-2"}) s.facts(name).data = plan::Data::kBlank;
  s.record.quorum_lost_since = s.now - std::chrono::minutes(5);
  expect_same(s);
  s.intent.cluster.spec.recovery.on_quorum_loss = api::OnQuorumLoss::kNever;
  expect_same(s);
}

TEST(Transcript, OfAlarmsHashesAndTheLastAct) {
  Situation s = formed(5);
  s.seen.alarms = std::vector<plan::Alarm>{{base::MemberId{}, plan::AlarmKind::kCorrupt}};
  for (std::uint64_t i = 0; i < 5; ++i)
    s.seen.hashes[scenario::default_id(static_cast<int>(i))] = {i == 3 ? 7U : 8U, 100, 50};
  s.seen.last = plan::LastAct{"MoveLeader", plan::Outcome::kRefused, "not now", s.now, 2};
  expect_same(s);
}

TEST(Transcript, OfAnEdit) {
  Situation s = formed(3);
  s.intent.cluster.spec.size = 5;
  expect_same(s);
  s.intent.cluster.spec.size = 1;
  expect_same(s);
  s.intent.wish = plan::Wish::kDeleted;
  expect_same(s);
}

}  // namespace
}  // namespace sim::model
