// Runs transcripts, or rewrites what they expect.
//
// A file holds cases: "case WHAT" begins one from nothing; "#" and blank lines are for readers. A
// command sets a fact (commands.cc, facts.cc), or is one of
//   plan                   asks for a plan and changes nothing
//   then [done]            asks, takes the plan's record over, its last step is done
//   then refused | maybe   the same, but the first step is refused, or may have happened
//   then crash             the operator dies after it stored the record: no step is applied
// and is followed by the lines that are expected, each after "> ".
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <set>
#include <sstream>

#include "base/text.h"
#include "situation.h"

namespace scenario {
namespace {

struct Case {
  std::string name;
  int line = 0;
  std::vector<std::string> lines;
};

std::vector<Case> read(const std::filesystem::path& path) {
  std::ifstream in(path);
  if (!in) throw Mistake(path.string() + " cannot be read");
  std::vector<Case> out{{"", 1, {}}};
  std::string line;
  for (int number = 1; std::getline(in, line); ++number) {
    if (line.starts_with("case ")) out.push_back({line.substr(5), number, {}});
    out.back().lines.push_back(line);
  }
  return out;
}

void advance(Situation& s, const plan::Plan& plan, Words& words) {
  const std::string how = words.more() ? words.next() : "done";
  const std::string text = words.more() ? words.next() : "etcdserver: unhealthy cluster";
  s.record = plan.record;
  s.seen.record_state = plan::RecordState::kOk;
  if (how == "crash") return s.seen.last.reset();
  if (plan.steps.empty()) return;
  plan::LastAct act;
  act.outcome = Words::pick<plan::Outcome>(how, {{"done", plan::Outcome::kDone},
                                                 {"refused", plan::Outcome::kRefused},
                                                 {"maybe", plan::Outcome::kMayHaveHappened}});
  const bool done = act.outcome == plan::Outcome::kDone;
  const auto& step = done ? plan.steps.back() : plan.steps.front();
  act.action = plan::name_of(step.action);
  act.at = s.now;
  const bool again = s.seen.last && s.seen.last->action == act.action;
  act.failures = done ? 0 : (again ? s.seen.last->failures : 0) + 1;
  if (!done) act.text = text;
  s.seen.last = act;
}

// One command; what it prints, each line after "> ".
std::string carry_out(Situation& s, const std::string& line) {
  Words words(line);
  if (words.empty()) return {};
  std::string out;
  if (words.name() == "plan" || words.name() == "then") {
    const plan::Plan plan = s.ask();
    std::istringstream text(print(s, plan));
    for (std::string l; std::getline(text, l);) out += "> " + l + "\n";
    if (words.name() == "then") advance(s, plan, words);
  } else if (!command(s, words)) {
    throw Mistake("there is no command \"" + words.name() + "\"");
  }
  words.done();
  return out;
}

// The case as it should read.
std::string play(const Case& c, const std::string& file) {
  Situation s;
  std::string out;
  int number = c.line - 1;
  for (const std::string& line : c.lines) {
    number += 1;
    if (line.starts_with("> ")) continue;
    out += line + "\n";
    if (line.empty() || line.starts_with("#") || line.starts_with("case ")) continue;
    try {
      out += carry_out(s, line);
    } catch (const Mistake& mistake) {
      throw Mistake(file + ":" + std::to_string(number) + ": " + mistake.what());
    }
  }
  return out;
}

std::string text_of(const Case& c) {
  std::string out;
  for (const std::string& line : c.lines) out += line + "\n";
  return out;
}

class Transcript : public testing::Test {
 public:
  Transcript(std::string file, Case c) : file_(std::move(file)), case_(std::move(c)) {}
  void TestBody() override {
    try {
      EXPECT_EQ(text_of(case_), play(case_, file_)) << "see " << file_ << ":" << case_.line;
    } catch (const Mistake& mistake) {
      ADD_FAILURE() << mistake.what();
    }
  }

 private:
  std::string file_;
  Case case_;
};

// Every reason that the planner can give is shown by some transcript.
class EveryReason : public testing::Test {
 public:
  explicit EveryReason(std::string all) : all_(std::move(all)) {}
  void TestBody() override {
    for (int i = 0; i <= static_cast<int>(plan::Reason::kOperationTimedOut); ++i) {
      const std::string name(plan::name_of(static_cast<plan::Reason>(i)));
      const bool found = all_.find(" " + name + ": ") != std::string::npos ||
                         all_.find("(" + name + ")") != std::string::npos;
      EXPECT_TRUE(found) << "no transcript shows the reason " << name;
    }
  }

 private:
  std::string all_;
};

std::vector<std::filesystem::path> transcripts(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> out;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".txt" && entry.path().filename() != "CMakeLists.txt")
      out.push_back(entry.path());
  std::ranges::sort(out);
  return out;
}

int rewrite(const std::vector<std::string>& files) {
  for (const std::string& file : files) {
    if (file.ends_with("CMakeLists.txt")) continue;
    std::string out;
    try {
      for (const Case& c : read(file)) out += play(c, file);
    } catch (const Mistake& mistake) {
      std::cerr << mistake.what() << "\n";
      return 1;
    }
    std::ofstream(file) << out;
  }
  return 0;
}

std::string expected(const std::vector<Case>& cases) {
  std::string out;
  for (const Case& c : cases)
    for (const std::string& line : c.lines)
      if (line.starts_with("> ")) out += line + "\n";
  return out;
}

void add_tests(const std::filesystem::path& folder) {
  std::string all;
  for (const auto& path : transcripts(folder)) {
    const auto cases = read(path);
    all += expected(cases);
    for (const Case& c : cases) {
      if (c.name.empty()) continue;
      testing::RegisterTest(path.stem().c_str(), c.name.c_str(), nullptr, nullptr, __FILE__,
                            __LINE__, [=]() -> Transcript* { return new Transcript(path, c); });
    }
  }
  testing::RegisterTest("reasons", "every one occurs in a transcript", nullptr, nullptr, __FILE__,
                        __LINE__, [=]() -> EveryReason* { return new EveryReason(all); });
}

}  // namespace
}  // namespace scenario

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  const std::vector<std::string> args(argv + 1, argv + argc);
  if (!args.empty() && args.front() == "--rewrite")
    return scenario::rewrite({args.begin() + 1, args.end()});
  if (args.size() != 1) {
    std::cerr << "usage: scenarios_test FOLDER | --rewrite FILE…\n";
    return 2;
  }
  try {
    scenario::add_tests(args.front());
  } catch (const scenario::Mistake& mistake) {
    std::cerr << mistake.what() << "\n";
    return 2;
  }
  return RUN_ALL_TESTS();
}
