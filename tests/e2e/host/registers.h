// Clients that read, write and swap a few registers at once and keep the history of it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "e2e/host/sandbox.h"
#include "support/linearizable.h"

namespace e2e {

// Where the cluster is, for many clients: asks at most once a second, and keeps the last good
// answer while the operator is away. Thread-safe; the sandbox outlives it.
class AccessBook {
 public:
  AccessBook(const Sandbox& sandbox, std::string cluster)
      : sandbox_(sandbox), cluster_(std::move(cluster)) {}
  std::optional<Access> get();

 private:
  const Sandbox& sandbox_;
  const std::string cluster_;
  std::mutex mutex_;  // guards the rest
  std::chrono::steady_clock::time_point asked_{};
  std::optional<Access> last_;
};

struct RegisterOptions {
  int clients = 5;
  int keys = 3;  // at a time
  // A key is left for a fresh one after so many operations, so that each history stays short.
  int operations_per_key = 300;
  std::chrono::milliseconds pace{30};  // of one client
  std::chrono::milliseconds deadline{800};
};

class Registers {
 public:
  explicit Registers(std::function<std::optional<Access>()> access, RegisterOptions options = {});
  ~Registers();

  // Ends the clients; everything they did. A second call gives nothing.
  std::vector<support::Operation> stop();
  [[nodiscard]] std::size_t count() const { return done_; }  // with a known outcome, so far

 private:
  struct Client;
  void run(int number);
  void keep(Client& client, support::Operation operation);

  const std::function<std::optional<Access>()> access_;
  const RegisterOptions options_;
  std::atomic<std::size_t> done_ = 0;
  std::atomic<std::int64_t> next_value_ = 1;
  std::mutex mutex_;  // guards the rest
  std::condition_variable wake_;
  bool stopping_ = false;
  std::vector<support::Operation> history_;
  std::vector<std::jthread> clients_;
};

}  // namespace e2e
