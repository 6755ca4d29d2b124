#include "objstore/refusal.h"

#include <fmt/format.h>

#include <algorithm>

namespace objstore {
namespace {

using base::Code;

Meaning by_status(int status) {
  switch (status) {
    case 301:
    case 307:
      return {"", Code::kFailedPrecondition};
    case 401:
    case 403:
      return {"", Code::kPermissionDenied};
    case 404:
    case 410:
      return {"", Code::kNotFound};
    case 405:
    case 501:
      return {"", Code::kUnimplemented};
    case 409:
      return {"", Code::kAborted};
    case 507:
      return {"", Code::kResourceExhausted};
    case 408:
    case 429:
      return {"", Code::kUnavailable, true};
    default:
      break;
  }
  if (status >= 500) return {"", Code::kUnavailable, true};
  return {"", Code::kInvalidArgument};
}

bool creates(const Request& request) {
  if (!request.header("If-None-Match").empty()) return true;
  return std::ranges::any_of(request.query, [](const auto& pair) {
    return pair.first == "ifGenerationMatch" && pair.second == "0";
  });
}

bool replaces(const Request& request) {
  if (!request.header("If-Match").empty()) return true;
  return std::ranges::any_of(request.query, [](const auto& pair) {
    return pair.first == "ifGenerationMatch" && pair.second != "0";
  });
}

}  // namespace

Failure failure_of(const Request& request, const http::Reply& reply, const Refusal& refusal,
                   std::span<const Meaning> meanings, base::Instant now) {
  Failure failure;
  failure.status = refusal.status;
  failure.reason = quoted(refusal.reason);
  const auto words = quoted(refusal.words);
  const auto known = std::ranges::find(meanings, failure.reason, &Meaning::reason);
  const auto meaning = known != meanings.end() ? *known : by_status(refusal.status);
  failure.code = meaning.code;
  failure.again = meaning.again;
  failure.doubtful = request.changes() && refusal.status >= 500;
  failure.message =
      fmt::format("the server answered {}{}{}{}{}", reply.status, failure.reason.empty() ? "" : " ",
                  failure.reason, words.empty() ? "" : ": ", words);
  if (refusal.status == 412 && (known == meanings.end() || meaning.code == Code::kAborted)) {
    failure.code = creates(request) ? Code::kAlreadyExists : Code::kAborted;
    failure.message = creates(request) ? "there is one" : "it is another one by now";
  }
  if (failure.code == Code::kAlreadyExists) failure.message = "there is one";
  // What was to be replaced is not there.
  if (failure.code == Code::kNotFound && request.changes() && replaces(request)) {
    failure.code = Code::kAborted;
    failure.message = "it was removed";
  }
  if (reply.status == 400 || reply.status == 401 || reply.status == 403)
    if (const auto skew = clock_skew(reply, now, refusal.skew)) {
      failure.code = Code::kFailedPrecondition;
      failure.message += "; " + *skew;
    }
  return failure;
}

}  // namespace objstore
