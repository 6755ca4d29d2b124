// A plan of faults drawn from a seed, and what is known of the faults in force. The schedule is a
// function of the seed alone; what it meets is a real cluster, so a run repeats in kind.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "e2e/host/registers.h"
#include "e2e/host/sandbox.h"

namespace e2e {

enum class Fault {
  kKillMember,
  kKillAll,
  kKillGuard,
  kStopMember,  // SIGSTOP, and SIGCONT after a while
  kLoseData,
  kFillQuota,
  kKillOperator,
  kStopOperator,
  kResize,
  kTemplate,
  kVersion
};
std::string_view name_of(Fault fault);

struct Draw {
  Fault fault = Fault::kKillMember;
  std::uint32_t who = 0;               // of those that it can be
  std::chrono::milliseconds length{};  // of a stop, or until the operator is started again
  std::chrono::milliseconds gap{};     // until the next draw
};
Draw draw(std::mt19937_64& random);

// Carries the draws out on cluster "c" of a sandbox. One thread.
class Chaos {
 public:
  Chaos(Sandbox& sandbox, AccessBook& access, std::string version);

  void declare();  // writes the manifest as it is wanted now
  void apply(const Draw& draw);
  void tick();  // ends what is due, checks what must hold at every moment
  void heal();  // ends every fault that does not end by itself

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::string version() const { return version_; }
  [[nodiscard]] std::map<std::string, int> applied() const { return applied_; }

 private:
  using Time = std::chrono::steady_clock::time_point;
  struct Stopped {
    pid_t pid = 0;
    Time until;
  };

  struct Loss {
    std::uint32_t who = 0;
    Time until;
  };

  // True: it was done; false: it cannot be now, for `why`.
  bool carry_out(const Draw& draw, std::string& why);
  bool kill_members(const Draw& draw, bool all, std::string& why);
  bool stop_member(const Draw& draw, std::string& why);
  bool lose_data(std::uint32_t who, std::string& why);
  void lose_late();
  bool edit(const Draw& draw, std::string& why);
  bool away_with_operator(const Draw& draw, std::string& why);
  void fill();
  [[nodiscard]] std::vector<std::string> running() const;
  [[nodiscard]] bool all_voters_healthy();
  void say(const std::string& what) const;

  Sandbox& sandbox_;
  AccessBook& access_;
  const Time start_;
  std::size_t size_ = 3;
  std::string version_;
  int template_ = 0;
  std::vector<Stopped> stopped_;          // etcds
  std::optional<Stopped> operator_stop_;  // pid 0: it was killed
  std::optional<Loss> to_lose_;
  int to_fill_ = 0;  // values that are still to be written
  int ticks_ = 0;
  std::map<std::string, int> applied_;
};

}  // namespace e2e
