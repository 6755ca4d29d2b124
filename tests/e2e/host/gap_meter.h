// How long clients stand still while the leader changes.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "e2e/host/sandbox.h"

namespace e2e {

inline constexpr std::chrono::milliseconds kShortDeadline{40};

// Three clients write one after another, each try with kShortDeadline, the next try at the next
// endpoint. A stall is the longest time between two acknowledged writes of one client within half a
// second of a change of leader.
class GapMeter {
 public:
  GapMeter(const Sandbox& sandbox, const std::string& cluster);
  GapMeter(const GapMeter&) = delete;
  GapMeter& operator=(const GapMeter&) = delete;
  [[nodiscard]] std::size_t changes() const;
  [[nodiscard]] std::size_t writes() const;
  void quiet_ends();  // from here on the cluster is changed
  // Milliseconds: `moves` one value for each client and change of leader; `quiet` the same for each
  // second before quiet_ends(): what the machine alone does.
  struct Stalls {
    std::vector<double> moves, quiet;
  };
  Stalls stop();  // ends the clients

 private:
  using Moments = std::vector<std::chrono::steady_clock::time_point>;
  using Links = std::vector<std::unique_ptr<etcd::EtcdApi>>;

  void write(std::size_t client, const Access& access, std::stop_token stop);
  void watch(const Access& access, std::stop_token stop);
  void rest(std::chrono::milliseconds span, std::stop_token stop);

  mutable std::mutex mutex_;  // guards the next four
  std::condition_variable_any wake_;
  std::vector<Moments> acks_;  // of each client
  Moments changes_;
  std::chrono::steady_clock::time_point quiet_end_{};
  std::vector<std::jthread> clients_;
};

double median(std::vector<double> values);  // -1: there are none

}  // namespace e2e
