#include "kube/client.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "metrics/catalog.h"

namespace kube {
namespace {

using base::Code;

constexpr base::Duration kShortest{1'000};  // a change that has less time is not begun

Failure refused(const Request& request, Code code, std::string_view why) {
  Failure failure;
  failure.code = code;
  failure.message = fmt::format("{}: {}", request.what, why);
  return failure;
}

}  // namespace

void Client::count(const Request& request, int status) const {
  if (parts_.registry == nullptr) return;
  parts_.registry->add(metrics::kKubeRequests,
                       {name_of(request.method), status == 0 ? "none" : std::to_string(status)});
}

base::Duration Client::may_change_for(base::Duration at_most) const {
  if (parts_.fence == nullptr) return at_most;
  const auto leads = parts_.fence->leads_until();
  const auto left = leads ? *leads - parts_.clock.tick() : base::Duration{0};
  return left < kShortest ? base::Duration{0} : std::min(at_most, left);
}

Answer<Response> Client::perform(Request request, base::Duration deadline,
                                 const std::stop_token& stop) {
  if (!request.fault.empty())
    return std::unexpected(refused(request, Code::kInternal, request.fault));
  const auto until = parts_.clock.tick() + deadline;
  if (const auto turn = parts_.limiter.wait(request.priority, until, stop); !turn)
    return std::unexpected(lost(request, turn.error(), /*sent=*/false));
  auto left = until - parts_.clock.tick();
  if (request.changes() && request.priority != Priority::kUrgent && parts_.fence != nullptr) {
    const auto leads = parts_.fence->leads_until();
    if (!leads)
      return std::unexpected(
          refused(request, Code::kFailedPrecondition, "not sent: we are not the leader"));
    left = std::min(left, *leads - parts_.clock.tick());
    if (left < kShortest)
      return std::unexpected(
          refused(request, Code::kFailedPrecondition, "not sent: it might end after our lease"));
    request.query.emplace_back("timeout", fmt::format("{}ms", left.count()));
  }
  const auto reply = parts_.transport.send(request, {.deadline = left}, stop);
  count(request, reply ? reply->status : 0);
  if (!reply) return std::unexpected(lost(request, reply.error().error, reply.error().sent));
  if (reply->status >= 200 && reply->status <= 299) return *reply;
  auto failure = failure_of(request, *reply);
  if (reply->status == 429 && failure.code == Code::kUnavailable)
    parts_.limiter.pause(failure.retry_after.value_or(base::Duration(1'000)));
  return std::unexpected(std::move(failure));
}

Answer<json::Value> Client::call(const Request& request, base::Duration deadline,
                                 const std::stop_token& stop) {
  const auto response = perform(request, deadline, stop);
  if (!response) return std::unexpected(response.error());
  return judge(request, *response);
}

Answer<std::string> Client::text(const Request& request, base::Duration deadline,
                                 const std::stop_token& stop) {
  auto response = perform(request, deadline, stop);
  if (!response) return std::unexpected(response.error());
  return std::move(response->body);
}

Answer<json::Value> Client::list_all(const Resource& resource, std::string_view ns,
                                     ListOptions options, base::Duration deadline,
                                     const std::stop_token& stop) {
  const auto until = parts_.clock.tick() + deadline;
  json::Value all;
  for (int page = 0; page < 10'000; ++page) {
    const auto request = list(resource, ns, options);
    auto answer = call(request, until - parts_.clock.tick(), stop);
    if (!answer) return std::unexpected(answer.error());
    auto* items = answer->find("items") == nullptr ? nullptr : (*answer)["items"].if_array();
    if (items != nullptr)
      for (auto& item : *items) item = item_of(resource, std::move(item));
    options.page = json::get_string(*answer, "metadata.continue").value_or("");
    if (page == 0) {
      all = *std::move(answer);
      if (items == nullptr) all["items"] = json::Array();
    } else if (items != nullptr) {
      for (auto& item : *items) all["items"].push_back(std::move(item));
    }
    if (options.page.empty()) return all;
  }
  return std::unexpected(
      refused(list(resource, ns, options), Code::kResourceExhausted, "the list has no end"));
}

Answer<void> Client::stream(const Request& request, const Limits& limits, const Sink& sink,
                            const std::stop_token& stop) {
  if (!request.fault.empty())
    return std::unexpected(refused(request, Code::kInternal, request.fault));
  const auto until = parts_.clock.tick() + limits.deadline;
  if (const auto turn = parts_.limiter.wait(request.priority, until, stop); !turn)
    return std::unexpected(lost(request, turn.error(), /*sent=*/false));
  const auto reply = parts_.transport.stream(request, limits, sink, stop);
  count(request, reply ? reply->status : 0);
  if (!reply) return std::unexpected(lost(request, reply.error().error, reply.error().sent));
  if (reply->status >= 200 && reply->status <= 299) return {};
  auto failure = failure_of(request, *reply);
  if (reply->status == 429)
    parts_.limiter.pause(failure.retry_after.value_or(base::Duration(1'000)));
  return std::unexpected(std::move(failure));
}

}  // namespace kube
