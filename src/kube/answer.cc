#include "kube/answer.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "json/json.h"

namespace kube {
namespace {

using base::Code;

constexpr size_t kLongest = 2048;  // bytes of the server's words
// A pause holds up every cluster; who is asked for more asks again after this.
constexpr std::chrono::seconds kLongestPause{60};

std::string text_at(const json::Value& value, std::string_view path) {
  return json::get_string(value, path).value_or("");
}

bool has_cause(const json::Value& status, std::string_view reason) {
  const auto* causes = status.at("details.causes");
  if (causes == nullptr || !causes->is_array()) return false;
  return std::ranges::any_of(*causes->if_array(), [&](const json::Value& cause) {
    return text_at(cause, "reason") == reason;
  });
}

// What we expected of the object and is not so. A JSON patch whose test fails comes as 422 without
// any cause, as one that cannot be carried out does; another uid as a field that cannot be changed.
bool is_failed_test(const Request& request, const json::Value& object) {
  const auto* causes = object.at("details.causes");
  const bool none = causes == nullptr || !causes->is_array() || causes->if_array()->empty();
  if (request.content_type == "application/json-patch+json") return none;
  return !none && request.method == Method::kPatch &&
         std::ranges::any_of(*causes->if_array(), [](const json::Value& cause) {
           return text_at(cause, "field") == "metadata.uid";
         });
}

Code code_of(const Request& request, int status, const std::string& reason,
             const json::Value& object, const std::string& words) {
  switch (status) {
    case 404:
      return Code::kNotFound;
    case 409:
      if (reason == "AlreadyExists") return Code::kAlreadyExists;
      return has_cause(object, "FieldManagerConflict") ? Code::kFailedPrecondition : Code::kAborted;
    case 410:
      return Code::kAborted;
    case 403:
      if (has_cause(object, "NamespaceTerminating")) return Code::kFailedPrecondition;
      return words.find("exceeded quota") == std::string::npos ? Code::kPermissionDenied
                                                               : Code::kResourceExhausted;
    case 401:
      return Code::kPermissionDenied;
    case 422:
      return is_failed_test(request, object) ? Code::kAborted : Code::kInvalidArgument;
    case 429:
      return has_cause(object, "DisruptionBudget") ? Code::kFailedPrecondition : Code::kUnavailable;
    case 405:
    case 406:
    case 415:
      return Code::kUnimplemented;
    default:
      break;
  }
  if (status >= 500) return request.changes() ? Code::kDeadlineExceeded : Code::kUnavailable;
  return Code::kInvalidArgument;
}

// The message, and causes that say more than it does.
std::string words_of(const json::Value& object) {
  std::string words = text_at(object, "message");
  const auto* causes = object.at("details.causes");
  if (causes != nullptr && causes->is_array())
    for (const auto& cause : *causes->if_array()) {
      const auto more = text_at(cause, "message");
      if (!more.empty() && words.find(more) == std::string::npos) words += "; " + more;
    }
  return words;
}

// At most kLongest bytes, not cut within a character, without control characters.
std::string tidy(std::string_view words) {
  std::string out;
  while (!words.empty() && out.size() < kLongest) {
    const size_t length = base::utf8_length(words);
    if (length == 0 || static_cast<unsigned char>(words[0]) < 0x20)
      out += ' ';
    else
      out += words.substr(0, length);
    words.remove_prefix(std::max<size_t>(length, 1));
  }
  return std::string(base::trim(out)) + (words.empty() ? "" : " …");
}

Failure make(const Request& request, int status, const json::Value& object, std::string words) {
  Failure failure;
  failure.status = status;
  failure.reason = text_at(object, "reason");
  failure.code = code_of(request, status, failure.reason, object, words);
  words = tidy(words);
  if (words.empty()) words = fmt::format("the API server answered {}", status);
  failure.message = fmt::format("{}: {}{}", request.what, words,
                                failure.may_have_happened() ? " (it may have happened)" : "");
  if (const auto seconds = json::get_int(object, "details.retryAfterSeconds");
      seconds && *seconds > 0 && *seconds <= 3600)
    failure.retry_after = std::min(std::chrono::seconds(*seconds), kLongestPause);
  return failure;
}

}  // namespace

Failure failure_of(const Request& request, const Response& response) {
  // Proxies in between answer with pages of their own.
  const auto parsed = json::parse(response.body);
  const bool is_status = parsed && text_at(*parsed, "kind") == "Status";
  Failure failure = make(request, response.status, is_status ? *parsed : json::Value(),
                         is_status ? words_of(*parsed) : response.body.substr(0, 300));
  // As seconds; the other form, a date, is not what API servers send.
  if (const auto seconds = base::parse_int(response.retry_after);
      seconds && *seconds >= 0 && *seconds <= 3600)
    failure.retry_after = std::min(std::chrono::seconds(*seconds), kLongestPause);
  return failure;
}

Failure failure_of(const Request& request, const json::Value& status_object) {
  const auto code = json::get_int(status_object, "code").value_or(500);
  return make(request, static_cast<int>(std::clamp<std::int64_t>(code, 0, 999)), status_object,
              words_of(status_object));
}

Answer<json::Value> judge(const Request& request, const Response& response) {
  if (response.status < 200 || response.status > 299)
    return std::unexpected(failure_of(request, response));
  if (response.body.empty()) return json::Value();
  auto value = json::parse(response.body, kAnswerLimits);
  if (value) return *std::move(value);
  Failure failure;
  failure.status = response.status;
  failure.code = request.changes() ? Code::kDeadlineExceeded : Code::kDataLoss;
  failure.message = fmt::format("{}: the answer: {}", request.what, value.error().message);
  return std::unexpected(std::move(failure));
}

Failure lost(const Request& request, const base::Error& error, bool sent) {
  Failure failure;
  const bool maybe = sent && request.changes();
  failure.code = error.code;
  // Not sent, or a read: nothing has happened, so it is a matter of trying again.
  if (!maybe && error.code == Code::kDeadlineExceeded) failure.code = Code::kUnavailable;
  if (maybe) failure.code = Code::kDeadlineExceeded;
  failure.message =
      fmt::format("{}: {}{}", request.what, error.message, maybe ? " (it may have happened)" : "");
  return failure;
}

json::Value item_of(const Resource& resource, json::Value item) {
  auto* fields = item.if_object();
  if (fields == nullptr || fields->contains("kind")) return item;
  json::Object whole{{"kind", resource.kind}, {"apiVersion", resource.api_version()}};
  for (auto& [key, value] : *fields) whole[key] = std::move(value);
  return whole;
}

}  // namespace kube
