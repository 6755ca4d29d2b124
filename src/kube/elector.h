// Who leads: a Lease object that one of several operators holds. A state machine without I/O.
// Clocks of machines are never compared: a lease of another is over when nothing changed in it for
// its whole life, measured here; ours is over when its life has passed since the last renewal was
// SENT.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

#include "base/time.h"
#include "kube/answer.h"
#include "kube/client.h"
#include "kube/request.h"

namespace kube {

struct LeaseOptions {
  Name name;
  std::string identity;          // of this process alone, new at each start
  base::Duration life{15'000};   // whole seconds
  base::Duration retry{2'000};   // between two looks or renewals
  base::Duration margin{2'000};  // of our own life, not used
};

// next() and answered() are for one thread; the rest is for all. `clock` must outlive it.
class Elector final : public Fence {
 public:
  Elector(LeaseOptions options, const base::Clock& clock);

  struct Next {
    base::Tick not_before{};
    Request request;  // urgent
  };
  Next next();
  // `sent_at`: read before the request was sent.
  void answered(const Answer<json::Value>& answer, base::Tick sent_at);
  // Gives the lease up, so that another need not wait for its end; from then on we do not lead.
  // Nothing: we did not hold it.
  std::optional<Request> release();

  struct Term {
    std::int64_t number = 0;  // grows with every change of the holder: who has a lower one is old
    base::Tick until{};       // not led after it
  };
  [[nodiscard]] std::optional<Term> term() const;  // none: we do not lead
  [[nodiscard]] std::optional<base::Tick> leads_until() const override;
  [[nodiscard]] std::string holder() const;  // as last seen; empty: nobody
  // When the server last said anything about the lease; none: never.
  [[nodiscard]] std::optional<base::Tick> heard_at() const;

 private:
  enum class Asked { kNothing, kGet, kCreate, kReplace };
  [[nodiscard]] json::Value lease(const std::string& holder, std::int64_t transitions,
                                  const std::string& acquired) const;
  void saw(const json::Value& object, base::Tick at);

  const LeaseOptions options_;
  const base::Clock& clock_;
  Asked asked_ = Asked::kNothing;
  bool must_read_ = true, absent_ = false, given_up_ = false;
  base::Tick next_look_{};
  std::int64_t asked_term_ = 0;  // what the change that was sent says

  // The lease as last seen.
  std::string version_, acquired_;
  std::int64_t transitions_ = 0;
  base::Tick changed_at_{};
  base::Tick free_at_{};  // of another's: when its life is over, unless it changes

  mutable std::mutex mutex_;  // guards what follows
  std::string holder_;
  std::optional<Term> term_;
  std::optional<base::Tick> heard_at_;
};

}  // namespace kube
