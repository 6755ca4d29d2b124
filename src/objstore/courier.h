// Carries requests to servers and brings the answers: signs, tries again where that helps, waits as
// long as the server asks, and knows what may have happened meanwhile.
#pragma once

#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "http/session.h"
#include "objstore/request.h"
#include "objstore/store.h"

namespace objstore {

// The world as this module sees it; tests put another in its place. What it points to must outlive
// all that use it. Thread-safe.
struct Outside {
  std::function<base::Result<std::unique_ptr<http::Session>>(const http::SessionOptions&)> dial;
  std::function<void(base::Duration, const std::stop_token&)> wait;
  const base::Clock* clock = nullptr;
  base::Random* random = nullptr;
};
Outside real_outside(const base::Clock& clock, base::Random& random);

// Why there is no good answer.
struct Failure : base::Error {
  int status = 0;           // 0: no answer at all
  std::string reason = {};  // the server's own word: "NoSuchKey"
  bool again = false;       // it may be another time
  bool learnt = false;      // something is known now that makes the next try another one
  bool doubtful = false;    // a change may have happened
  std::optional<base::Duration> wait = {};  // as the server asks
};
struct Answer {
  http::Reply reply = {};
  bool doubtful = false;  // an earlier try may have had its effect
};

// Who is asked and by whom: what differs between kinds of servers. Thread-safe.
class Correspondent {
 public:
  virtual ~Correspondent() = default;
  // Puts the proof of who asks, and from what was learnt the address, into it.
  virtual base::Status sign(Request& request, base::Instant now, const Call& call) = 0;
  // No value: a good answer.
  virtual std::optional<Failure> judge(const Request& request, const http::Reply& reply,
                                       base::Instant now) = 0;
};

// Thread-safe.
class Courier {
 public:
  struct Options {
    std::string ca = {};             // PEM: roots of the servers; empty: the system's
    unsigned tries = 10;             // of one request
    base::Duration attempt{30'000};  // of one try, and more for what it carries:
    std::uint64_t least_bytes_second = 65'536;
    base::Duration first_wait{200}, longest_wait{20'000};
    size_t max_answer = size_t{16} << 20;  // bytes
  };
  Courier(Outside outside, Options options)
      : outside_(std::move(outside)), options_(std::move(options)) {}

  // `sink` gets the body of a good answer; a try that has given something to it is not repeated.
  std::expected<Answer, Failure> send(const Request& request, Correspondent& correspondent,
                                      const Call& call, const Sink& sink = {});

  [[nodiscard]] const Outside& outside() const { return outside_; }

 private:
  struct Attempt;
  std::expected<http::Reply, Failure> once(Request request, Correspondent& correspondent,
                                           const Call& call, const Sink& sink);
  base::Result<http::Session*> session(const std::string& server);
  [[nodiscard]] base::Duration pause(unsigned failures, const Failure& failure) const;

  const Outside outside_;
  const Options options_;
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<http::Session>> sessions_;  // guarded by mutex_; by server
};

// Names a clock that is more than `limit` away from the server's; no value: it is near, or unknown.
std::optional<std::string> clock_skew(const http::Reply& reply, base::Instant now,
                                      base::Duration limit);
// What a server said, fit for a message: one line of at most 300 bytes of printable text.
std::string quoted(std::string_view words);

}  // namespace objstore
