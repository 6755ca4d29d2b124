#include "archive/follow_job.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "archive/job_fields.h"
#include "archive/names.h"
#include "archive/read_fields.h"
#include "json/json.h"

namespace archive {
namespace {

using base::Code;

constexpr std::array<std::string_view, 3> kStates{"starting", "following", "waiting"};
constexpr std::int64_t kLongestLag = 60'000;
constexpr unsigned kMostPort = 65'535;
constexpr size_t kLongestReport = 2048, kLongestWords = 1'500;
constexpr std::uint64_t kLeastSeal = 64 << 10, kMostSeal = 64 << 20;

}  // namespace

std::string_view name_of(FollowState state) {
  return kStates[static_cast<size_t>(state)];
}
bool parse_name(std::string_view text, FollowState& state) {
  const auto at = std::ranges::find(kStates, text);
  if (at == kStates.end()) return false;
  state = static_cast<FollowState>(at - kStates.begin());
  return true;
}

struct FollowForm {
  std::int64_t max_lag_ms = 1000;
  FollowJob job;
};
template <class A, Is<FollowForm> X>
void fields(A& a, X& x) {
  fields(a, x.job.run);
  a("maxLagMilliseconds", x.max_lag_ms);
  a("sealSeconds", x.job.seal_after);
  a("sealBytes", x.job.seal_bytes);
  a("heartbeatSeconds", x.job.heartbeat_after);
  a("status", x.job.status);
  a("statusPort", x.job.status_port);
}
template <class A, Is<FollowStatus> X>
void fields(A& a, X& x) {
  a("state", x.state, Need::kYes);
  a("time", x.time, Need::kYes);
  a("received", x.received, Need::kYes);
  a("saved", x.saved, Need::kYes);
  a("lagMilliseconds", x.lag_ms, Need::kYes);
  a("segments", x.segments, Need::kYes);
  a("member", x.member);
  a("base", x.base);
  a("weakFence", x.weak_fence);
  a("weakFenceWhy", x.weak_why);
  a("problem", x.problem);
  a("ageMilliseconds", x.age_ms);
  a("outdated", x.outdated);
  a("catchingUp", x.catching_up);
  a("holes", x.holes);
  a("lastHole", x.last_hole);
}
template <class A, Is<FollowReport> X>
void fields(A& a, X& x) {
  a("saved", x.saved, Need::kYes);
  a("error", x.error);
  a("errorKind", x.error_kind);
}

base::Result<FollowJob> parse_follow_job(std::string_view json) {
  TRY(const auto value, json::parse(json));
  TRY(auto form, read_fields<FollowForm>(value, /*strict=*/true));
  TRY_OK(check(form.job.run));
  const auto within = [](std::string_view name, auto is, auto least, auto most) -> base::Status {
    if (least <= is && is <= most) return {};
    return base::fail(Code::kInvalidArgument,
                      fmt::format("{} is {}; allowed is {} to {}", name, is, least, most));
  };
  TRY_OK(within("maxLagMilliseconds", form.max_lag_ms, std::int64_t{100}, kLongestLag));
  TRY_OK(within("sealBytes", form.job.seal_bytes, kLeastSeal, kMostSeal));
  TRY_OK(within("statusPort", form.job.status_port, 0U, kMostPort));
  form.job.max_lag = std::chrono::milliseconds(form.max_lag_ms);
  return std::move(form.job);
}
std::string to_json(const FollowJob& job) {
  return json::print(write_fields(FollowForm{.max_lag_ms = job.max_lag.count(), .job = job}));
}

std::string to_json(const FollowStatus& status) {
  return json::print(write_fields(status)) + "\n";
}
base::Result<FollowStatus> parse_follow_status(std::string_view json) {
  TRY(const auto value, json::parse(json));
  return read_fields<FollowStatus>(value, /*strict=*/false);
}
std::string to_json(const FollowReport& report) {
  FollowReport fits = report;
  for (size_t size = kLongestWords;; size /= 2) {
    shorten(fits.error, size);
    auto text = json::print(write_fields(fits)) + "\n";
    if (text.size() <= kLongestReport || size == 0) return text;
  }
}
base::Result<FollowReport> parse_follow_report(std::string_view json) {
  TRY(const auto value, json::parse(json));
  return read_fields<FollowReport>(value, /*strict=*/false);
}

}  // namespace archive
