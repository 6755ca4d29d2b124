// The fake etcd against etcd: every case runs on both, and what they answer must be equal. Where
// etcd's answer is a race, the case waits until it is decided, or notes no more than both allow.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <future>
#include <mutex>
#include <thread>

#include "conformance/etcd_cases.h"
#include "support/etcd_process.h"

namespace conformance {
namespace {

constexpr size_t kMembers = 4;  // of a bench at most
constexpr size_t kAtOnce = 3;   // benches of processes

using Lines = std::vector<std::string>;
struct Pair {
  Lines fake, real;
};

// What all cases of one group saw, in order.
std::vector<Lines> run(const Group& group, Bench& bench) {
  std::vector<Lines> all;
  if (group.tls) bench.use_tls();
  const bool formed = group.members == 0 || bench.form(group.members, group.flags);
  for (const auto& c : group.cases) {
    Script script;
    try {
      if (!formed) throw NoAnswer("the members did not form");
      c.run(bench, script);
    } catch (const std::exception& error) {
      script.note("the case gave up", error.what());
    }
    all.push_back(script.lines());
  }
  return all;
}

struct Key {
  std::string version, group;
  auto operator<=>(const Key&) const = default;
};

std::vector<Group> all_groups() {
  std::vector<Group> groups = three_member_groups();
  for (auto more : {trust_groups(), life_groups(), one_member_groups()})
    groups.insert(groups.end(), more.begin(), more.end());
  return groups;
}

// Each group once, when its first case is asked for; all beside each other when most are.
class Runs {
 public:
  static Runs& get() {
    static Runs runs;
    return runs;
  }
  void want(const Key& key, const Group& group) {
    if (runs_.contains(key)) return;
    runs_[key] = std::async(std::launch::async, [this, key, group] {
                   const auto ports = take_slot();
                   auto fake = run(group, *fake_bench(key.version, *ports));
                   auto real = run(group, *real_bench(key.version, *ports));
                   std::map<std::string, Pair> pairs;
                   for (size_t i = 0; i < group.cases.size(); ++i)
                     pairs[group.cases[i].name] = {fake[i], real[i]};
                   return pairs;
                 }).share();
  }
  const std::map<std::string, Pair>& of(const Key& key) { return runs_.at(key).get(); }

 private:
  using Ports = std::vector<posix::Port>;

  // The ports of one bench, which the next bench gets when this one is gone.
  std::shared_ptr<const Ports> take_slot() {
    std::unique_lock lock(mutex_);
    free_slot_.wait(lock, [&] { return !free_.empty(); });
    auto* taken = new Ports(std::move(free_.back()));
    free_.pop_back();
    return {taken, [this](const Ports* ports) {
              const std::scoped_lock give_back(mutex_);
              free_.push_back(*ports);
              delete ports;
              free_slot_.notify_one();
            }};
  }
  static std::vector<Ports> slots() {
    std::vector<Ports> all;
    while (all.size() < kAtOnce) all.push_back(support::free_ports(2 * kMembers));
    return all;
  }

  std::mutex mutex_;
  std::condition_variable free_slot_;
  std::vector<Ports> free_ = slots();
  std::map<Key, std::shared_future<std::map<std::string, Pair>>> runs_;
};

struct Row {
  std::string version;
  Group group;
  std::string name;
};
[[maybe_unused]] void PrintTo(const Row& row, std::ostream* out) {
  *out << row.version << " " << row.group.name << " " << row.name;
}

std::vector<Row> rows() {
  std::vector<Row> all;
  for (const std::string version : {"3.5.33", "3.6.16"})
    for (const auto& group : all_groups()) {
      if (group.name == std::string("versions") && version != "3.6.16") continue;
      for (const auto& c : group.cases) all.push_back({version, group, c.name});
    }
  return all;
}

class EtcdConformance : public testing::TestWithParam<Row> {
 protected:
  static void SetUpTestSuite() {
    constexpr int kFew = 20;
    if (testing::UnitTest::GetInstance()->test_to_run_count() < kFew) return;
    for (const auto& row : rows()) Runs::get().want({row.version, row.group.name}, row.group);
  }
};

TEST_P(EtcdConformance, TheFakeAnswersAsEtcdDoes) {
  const auto& [version, group, name] = GetParam();
  const Key key{version, group.name};
  Runs::get().want(key, group);
  const auto& [fake, real] = Runs::get().of(key).at(name);
  ASSERT_FALSE(real.empty());
  RecordProperty("answers", fmt::format("{}", fmt::join(real, " | ")));
  EXPECT_EQ(fake, real);
}

INSTANTIATE_TEST_SUITE_P(Cases, EtcdConformance, testing::ValuesIn(rows()), [](const auto& info) {
  std::string version = info.param.version;
  std::ranges::replace(version, '.', '_');
  return "v" + version + "_" + info.param.group.name + "_" + info.param.name;
});

TEST(EtcdConformanceTable, HasAtLeastSixtyCases) {
  size_t cases = 0;
  for (const auto& group : all_groups()) cases += group.cases.size();
  EXPECT_GE(cases, 60U);
}

}  // namespace
}  // namespace conformance
