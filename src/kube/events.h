// Events for people (events.k8s.io/v1): the same thing again is counted in one object, and one
// object of ours cannot flood the server. Pure but for the time that is given.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "base/time.h"
#include "kube/answer.h"
#include "kube/request.h"

namespace kube {

struct About {
  std::string api_version, kind;
  Name name;
  std::string uid;
  auto operator<=>(const About&) const = default;
};

struct Happening {
  About about;
  bool warning = false;
  std::string reason;  // CamelCase, at most 128 bytes
  std::string action;  // what was done: "ScaleUp"; empty: the reason
  std::string note;    // for people; cut at 1,024 bytes
};

// For one thread. Events are best effort: what cannot be sent is lost, and counted.
class EventWriter {
 public:
  struct Options {
    std::string controller = "etcd.io/etcd-operator";
    std::string instance;                // of this process: "etcd-operator-7d5f-x2x8c"
    base::Duration refresh{60'000};      // a count is written no more often
    base::Duration forget{360'000};      // without repetition: the next one is a new event
    unsigned burst = 25;                 // new events of one object…
    base::Duration one_more_in{30'000};  // …and how soon one more
    size_t limit = 4096;                 // series, and objects, that are remembered
  };
  explicit EventWriter(Options options) : options_(std::move(options)) {}

  // What to send for it now: nothing when it only raises a count.
  std::vector<Request> add(const Happening& happening, base::Instant now);
  // Counts that are due. To be called now and then.
  std::vector<Request> flush(base::Instant now);
  // A request of ours failed: of an event that is gone, the next repetition is a new event.
  void failed(const Request& request, const Failure& failure);

  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }

 private:
  using Key = std::tuple<About, bool, std::string, std::string, std::string>;
  struct Series {
    Name event;
    std::int64_t count = 1, written = 1;
    base::Instant last{}, written_at{};
  };
  struct Budget {
    double tokens = 0;
    base::Instant filled{};
  };
  bool may_create(const About& about, base::Instant now);
  Request first(const Happening& happening, const Name& event, base::Instant now) const;
  static Request again(Series& series, base::Instant now);
  void tidy(base::Instant now);
  void forget_the_future(base::Instant now);

  const Options options_;
  std::map<Key, Series> series_;
  std::map<About, Budget> budgets_;
  std::uint64_t dropped_ = 0, made_ = 0;
};

}  // namespace kube
