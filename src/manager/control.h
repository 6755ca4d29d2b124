// How the commands talk to the running operator: one JSON line there, one back, over a unix socket
// that only its owner may open.
//   -> {"v":1,"op":"status","cluster":"default/a","args":{…}}
//   <- {"v":1,"ok":true,"result":…}   or   {"v":1,"ok":false,"code":"NotFound","message":"…"}
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/log.h"
#include "base/result.h"
#include "base/time.h"
#include "json/value.h"

namespace manager {

enum class Op {
  kStatus,
  kPlan,
  kEvents,
  kConnect,
  kDebug,
  kApprove,
  kPause,
  kResume,
  kStop,
  kStart,
  kBackupNow,
  kRestore,
  kShutdown
};
std::string_view name_of(Op op);  // "status"

struct Request {
  Op op = Op::kStatus;
  std::optional<base::ClusterKey> cluster;  // none: all
  json::Object args;
};

// "a" is default/a. InvalidArgument says what a name may look like.
base::Result<base::ClusterKey> parse_cluster(std::string_view text);

constexpr int kProtocol = 1;
constexpr size_t kRequestBytes = size_t{64} << 10;
constexpr size_t kAnswerBytes = size_t{64} << 20;

std::string encode(const Request& request);
base::Result<Request> decode_request(std::string_view line);
std::string encode_answer(const base::Result<json::Value>& answer);
// The operator's own error comes back as it was; what is no answer is Unavailable.
base::Result<json::Value> decode_answer(std::string_view line);

using Handler = std::function<base::Result<json::Value>(const Request&, const std::stop_token&)>;

// The answer to one line, also to one that is no request. Pure but for `handler`.
std::string answer_line(std::string_view line, const Handler& handler, const std::stop_token& stop);

// Serves a few connections at a time until asked to stop; `handler` must bear that. A client that
// does not send its request in time, or does not read the answer, is dropped.
base::Status serve_control(const std::string& socket, const Handler& handler, base::Logger& log,
                           const std::stop_token& stop);

// NotFound or Unavailable: no operator listens there.
base::Result<json::Value> call_control(const std::string& socket, const Request& request,
                                       base::Duration deadline, const std::stop_token& stop);

}  // namespace manager
