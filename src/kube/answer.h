// What an answer of the API server means, or none at all. Pure.
#pragma once

#include <expected>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "json/json.h"
#include "json/value.h"
#include "kube/request.h"

namespace kube {

struct Response {
  int status = 0;
  std::string retry_after = {};  // the header's text, empty if absent
  std::string body = {};
};

// The codes, beside what base/result.h says of them:
//   Aborted             409 Conflict, a test of a patch that failed, 410: read anew, then again
//   FailedPrecondition  a disruption budget, a namespace that goes away, a field of another manager
//   ResourceExhausted   a quota
//   InvalidArgument     400, 413, 422, in the server's words
//   PermissionDenied    401, 403
//   Unavailable         429, and 5xx after a read: later
//   DeadlineExceeded    a write that was sent and has no answer, or 5xx: it may have happened
// A caller that only wants code and text takes it as the base::Error it is.
struct Failure : base::Error {
  int status = 0;      // 0: there was no answer
  std::string reason;  // of metav1.Status: "Conflict", "Expired"…; may be empty
  std::optional<base::Duration> retry_after = {};

  [[nodiscard]] bool may_have_happened() const { return code == base::Code::kDeadlineExceeded; }
  [[nodiscard]] bool expired() const { return status == 410 || reason == "Expired"; }
};

template <class T>
using Answer = std::expected<T, Failure>;

// Deeper than what we take elsewhere: one odd object must not hide a list.
inline constexpr json::Limits kAnswerLimits{.depth = 1000, .bytes = size_t{256} << 20};

// The object of a good answer; null where it has no body. DataLoss: it is not JSON.
Answer<json::Value> judge(const Request& request, const Response& response);
// Of an answer that is not a good one.
Failure failure_of(const Request& request, const Response& response);
// Of a metav1.Status that came in another way: as an event of a watch.
Failure failure_of(const Request& request, const json::Value& status_object);
// There was no answer. `sent`: at least a part of the request may have reached the server.
Failure lost(const Request& request, const base::Error& error, bool sent);

// An item of a list as a get or a watch gives it, in the order of its keys too: servers leave kind
// and apiVersion out of the items of their own kinds.
json::Value item_of(const Resource& resource, json::Value item);

}  // namespace kube
