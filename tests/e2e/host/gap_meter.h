// How long clients stand still while the leader changes.
#pragma once

#include <atomic>
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

// Three clients write one key after another, each try with a short deadline, over the endpoints
// that answer in turn, as etcd's own client does. A stall is the longest time between two
// acknowledged writes of one client around a change of leader.
class GapMeter {
 public:
  GapMeter(const Sandbox& sandbox, const std::string& cluster,
           std::chrono::milliseconds deadline = kShortDeadline);
  GapMeter(const GapMeter&) = delete;
  GapMeter& operator=(const GapMeter&) = delete;
  [[nodiscard]] std::size_t changes() const;
  void quiet_ends();  // from here on the cluster is changed
  // Milliseconds: `moves` one value for each client and change of leader; `quiet` the same at every
  // tenth of a second before quiet_ends(): what the machine alone does.
  struct Stalls {
    std::vector<double> moves, quiet;
  };
  Stalls stop();  // ends the clients

 private:
  const std::chrono::milliseconds deadline_;
  using Moments = std::vector<std::chrono::steady_clock::time_point>;
  struct Endpoint {
    std::unique_ptr<etcd::EtcdApi> link;  // of all clients
    std::atomic<bool> answers = true;
  };

  void write(std::size_t client, std::stop_token stop);
  void watch(Endpoint& endpoint, std::stop_token stop);
  void note_leader(base::MemberId leader, std::uint64_t term);
  void rest(std::chrono::milliseconds span, std::stop_token stop);

  std::vector<std::unique_ptr<Endpoint>> endpoints_;
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable_any wake_;
  std::vector<Moments> acks_;  // of each client
  Moments changes_;
  std::chrono::steady_clock::time_point quiet_end_{};
  base::MemberId leader_;
  std::uint64_t term_ = 0;
  std::vector<std::jthread> threads_;
};

double median(std::vector<double> values);  // -1: there are none

}  // namespace e2e
