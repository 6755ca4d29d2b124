// A client that writes and tries again, for what must cost no write.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <thread>

#include "posix/wakeup.h"

namespace e2e {

// Writes until it is told to end; a write that no member takes within a long time is a failed one.
class Writer {
 public:
  using Put = std::function<bool(int host, const std::string& value)>;
  explicit Writer(Put put) : put_(std::move(put)) {
    thread_ = std::jthread([this](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
        const auto until = posix::deadline_in(std::chrono::seconds(60));
        bool done = false;
        for (int host = 1; !done && posix::deadline_in({}) < until; host = host % 3 + 1)
          done = put_(host, std::to_string(written_ + 1));
        if (done)
          ++written_;
        else
          ++failed_;
      }
    });
  }
  void end() {
    thread_.request_stop();
    thread_.join();
  }
  [[nodiscard]] int written() const { return written_; }
  [[nodiscard]] int failed() const { return failed_; }

 private:
  Put put_;
  std::atomic<int> written_{0}, failed_{0};
  std::jthread thread_;
};

}  // namespace e2e
