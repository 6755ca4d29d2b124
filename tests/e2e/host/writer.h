// Clients that write all the time and remember what was acknowledged.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "e2e/host/sandbox.h"

namespace e2e {

struct WriterOptions {
  int clients = 8;
  int writes_per_second = 200;  // of all clients together
  std::chrono::milliseconds try_deadline{2'000};
  std::chrono::seconds give_up{60};  // a write that is not acknowledged by then has failed
};

struct Written {
  std::map<std::string, std::int64_t> acknowledged;  // key -> revision of the answer
  std::vector<std::string> failed;                   // never acknowledged in give_up
  std::chrono::milliseconds worst_stall{0};          // longest time one write took
  std::int64_t highest_revision = 0;
};

// Each write has its own key, whose value is the key; a try that timed out is repeated on the next
// endpoint, so a key may have been written more than once, always with the same value.
class Writer {
 public:
  // `access` is asked again when writes fail, as the endpoints may have changed: at most once a
  // second, and one client after the other.
  Writer(std::function<std::optional<Access>()> access, WriterOptions options = {});
  ~Writer();

  Written stop();                           // ends the clients; what they saw
  [[nodiscard]] std::size_t count() const;  // acknowledged so far

 private:
  void run(int client);
  std::optional<Access> look_up();

  const std::function<std::optional<Access>()> access_;
  const WriterOptions options_;
  mutable std::mutex mutex_;  // guards the next three
  std::condition_variable wake_;
  bool stopping_ = false;
  Written written_;
  std::mutex access_mutex_;  // guards the next two
  std::chrono::steady_clock::time_point asked_{};
  std::optional<Access> last_;
  std::vector<std::jthread> clients_;
};

}  // namespace e2e
