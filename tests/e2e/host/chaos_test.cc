// Real etcd processes, the shipped operator, and faults drawn from a seed:
//   EO_CHAOS_SEED     repeats a schedule (it is printed)
//   EO_CHAOS_SECONDS  how long faults go on; 75 by default, half an hour where EO_DEPTH=full
#include "e2e/host/chaos.h"

#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <random>

#include "e2e/host/fixture.h"
#include "e2e/host/registers.h"

namespace e2e {
namespace {

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

class ChaosTest : public ClusterTest {
 protected:
  void begin(std::uint64_t seed, std::uint64_t seconds) {
    random_.seed(seed);
    const std::array first{"3.5.12", "3.5.33", "3.6.16"};
    version_ = first[random_() % first.size()];
    chaos_ = std::make_unique<Chaos>(sandbox_, access_, version_);
    sandbox_.start_operator();
    chaos_->declare();
    ASSERT_TRUE(eventually(90s, [&] { return settled(3); })) << say();
    // The live data of a long run has to fit into the small quota as well.
    const auto rate = std::min<std::uint64_t>(150, 60'000 / seconds);
    writer_ = std::make_unique<Writer>(
        [this] { return access_.get(); },
        WriterOptions{.clients = 6, .writes_per_second = static_cast<int>(rate)});
    registers_ = std::make_unique<Registers>([this] { return access_.get(); });
    ASSERT_TRUE(eventually(90s, [&] { return writer_->count() > 20 && registers_->count() > 20; }))
        << "the clients cannot write";
  }
  // The cluster is as declared, and its clients go on.
  void expect_healed() {
    chaos_->heal();
    const auto size = chaos_->size();
    ASSERT_TRUE(eventually(300s,
                           [&] {
                             chaos_->tick();
                             return sandbox_.settled("c", size, chaos_->version());
                           }))
        << "not converged to " << size << " members of " << chaos_->version() << ": "
        << this->say();
    const auto writes = writer_->count(), operations = registers_->count();
    EXPECT_TRUE(eventually(
        60s,
        [&] { return writer_->count() > writes + 20 && registers_->count() > operations + 20; }))
        << "the clients are not served: " << writer_->count() - writes << " writes, "
        << registers_->count() - operations << " operations on registers";
  }
  void expect_linearizable() {
    const auto history = registers_->stop();
    std::size_t unknown = 0;
    for (const auto& op : history)
      unknown += op.ending == support::Operation::Ending::kUnknown ? 1U : 0U;
    const auto verdict = support::check_linearizable(history);
    EXPECT_EQ(verdict.kind, support::Verdict::Kind::kLinearizable) << verdict.text;
    fmt::print("registers: {} operations, {} of unknown outcome, {} configurations\n",
               history.size(), unknown, verdict.configurations);
    EXPECT_GT(history.size(), 200U) << "a history that proves nothing";
  }
  std::string cluster_id() const {
    std::string id;
    eventually(60s, [&] {
      const auto status = sandbox_.status("c");
      const auto* at = status.at("status.clusterID");
      if (at != nullptr) id = at->as_string().value_or("");
      return !id.empty();
    });
    return id;
  }

  std::mt19937_64 random_;
  AccessBook access_{sandbox_, "c"};
  std::unique_ptr<Chaos> chaos_;
  std::unique_ptr<Registers> registers_;
};

TEST_F(ChaosTest, NothingIsLostNothingIsTwiceAndItConverges) {
  const std::uint64_t seconds = number_from("EO_CHAOS_SECONDS", full_depth() ? 1'800 : 75);
  const std::uint64_t seed = number_from("EO_CHAOS_SEED", std::random_device()());
  fmt::print("EO_CHAOS_SEED={} EO_CHAOS_SECONDS={}\n", seed, seconds);
  begin(seed, seconds);
  ASSERT_FALSE(HasFatalFailure());
  const std::string id = cluster_id();
  const auto start = std::chrono::steady_clock::now();
  const auto over = [&] {
    return std::chrono::steady_clock::now() - start >= std::chrono::seconds(seconds) ||
           HasFailure();
  };
  while (!over()) {
    const Draw next = draw(random_);
    chaos_->apply(next);
    const auto until = std::chrono::steady_clock::now() + next.gap;
    eventually(60s, [&] {
      chaos_->tick();
      return over() || std::chrono::steady_clock::now() >= until;
    });
  }
  expect_healed();
  ASSERT_FALSE(HasFatalFailure());
  EXPECT_EQ(cluster_id(), id) << "a minority was lost at most: no recovery was due";
  expect_linearizable();
  const Written written = finish();
  int faults = 0;
  for (const auto& [name, times] : chaos_->applied()) {
    fmt::print("{:4} x {}\n", times, name);
    faults += times;
  }
  fmt::print("{} acknowledged writes, {} not in a minute, the slowest took {} ms\n",
             written.acknowledged.size(), written.failed.size(), written.worst_stall.count());
  EXPECT_GE(faults, static_cast<int>(seconds / 10)) << "a run that proves nothing";
  RecordProperty("depth", fmt::format("chaos of {} s, {} faults, seed {}", seconds, faults, seed));
}

}  // namespace
}  // namespace e2e
