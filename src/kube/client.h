// The API server as our code asks it: one request after the other, within our own rate, within the
// lease, with errors translated.
#pragma once

#include <optional>
#include <stop_token>
#include <string>

#include "base/time.h"
#include "json/value.h"
#include "kube/answer.h"
#include "kube/limiter.h"
#include "kube/request.h"
#include "kube/transport.h"
#include "metrics/registry.h"

namespace kube {

// Who may change something, and until when. Thread-safe.
class Fence {
 public:
  virtual ~Fence() = default;
  // No value: we are not the leader.
  [[nodiscard]] virtual std::optional<base::Tick> leads_until() const = 0;
};

// Thread-safe. What it is given must outlive it; `fence` and `registry` may be null.
class Client {
 public:
  struct Parts {
    Transport& transport;
    Limiter& limiter;
    const base::Clock& clock;
    const Fence* fence = nullptr;
    metrics::Registry* registry = nullptr;
  };
  explicit Client(const Parts& parts) : parts_(parts) {}

  // How long a change that begins now may take, of `at_most`, to end before our lease does, for
  // what is changed elsewhere than at the API server. 0: it must not begin.
  [[nodiscard]] base::Duration may_change_for(base::Duration at_most) const;

  // A change is sent only if it ends before our lease does: its deadline is shortened to that, the
  // server is told so, and with less than a second left it is refused as FailedPrecondition.
  // Urgent requests, which are about the lease itself, are not held back.
  Answer<json::Value> call(const Request& request, base::Duration deadline,
                           const std::stop_token& stop);
  // The same for answers that are no JSON: logs.
  Answer<std::string> text(const Request& request, base::Duration deadline,
                           const std::stop_token& stop);
  // Every page of a list, as one list object with the first page's version. Aborted: the list
  // changed too much in between.
  Answer<json::Value> list_all(const Resource& resource, std::string_view ns, ListOptions options,
                               base::Duration deadline, const std::stop_token& stop);
  // Ends without an error when the server ends it.
  Answer<void> stream(const Request& request, const Limits& limits, const Sink& sink,
                      const std::stop_token& stop);

 private:
  Answer<Response> perform(Request request, base::Duration deadline, const std::stop_token& stop);
  void count(const Request& request, int status) const;

  Parts parts_;
};

}  // namespace kube
