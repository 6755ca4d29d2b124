#include "kube/events.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace kube {
namespace {

std::string micro_time(base::Instant at) {
  auto text = base::to_rfc3339(at);
  text.insert(text.size() - 1, "000");
  return text;
}

// At most `limit` bytes, not cut within a character; bytes that are no text become spaces.
std::string cut(std::string_view text, size_t limit) {
  std::string out;
  while (!text.empty()) {
    const size_t length = std::max<size_t>(base::utf8_length(text), 1);
    if (out.size() + length > limit) break;
    out += base::utf8_length(text) == 0 ? std::string_view(" ") : text.substr(0, length);
    text.remove_prefix(length);
  }
  return out;
}

}  // namespace

bool EventWriter::may_create(const About& about, base::Instant now) {
  auto [it, fresh] = budgets_.try_emplace(about, Budget{static_cast<double>(options_.burst), now});
  auto& budget = it->second;
  if (now > budget.filled) {
    const auto more = static_cast<double>((now - budget.filled).count()) /
                      static_cast<double>(options_.one_more_in.count());
    budget.tokens = std::min(static_cast<double>(options_.burst), budget.tokens + more);
    budget.filled = now;
  }
  if (budget.tokens < 1) return false;
  budget.tokens -= 1;
  return true;
}

Request EventWriter::first(const Happening& happening, const Name& event, base::Instant now) const {
  json::Value object = json::Object{
      {"metadata", json::Object{{"name", event.name}, {"namespace", event.ns}}},
      {"eventTime", micro_time(now)},
      {"reportingController", options_.controller},
      {"reportingInstance", cut(options_.instance, 128)},
      {"action", cut(happening.action.empty() ? happening.reason : happening.action, 128)},
      {"reason", cut(happening.reason, 128)},
      {"type", happening.warning ? "Warning" : "Normal"},
      {"note", cut(happening.note, 1024)}};
  const auto& about = happening.about;
  json::Value regarding = json::Object{
      {"apiVersion", about.api_version}, {"kind", about.kind}, {"name", about.name.name}};
  if (!about.name.ns.empty()) regarding["namespace"] = about.name.ns;
  if (!about.uid.empty()) regarding["uid"] = about.uid;
  object["regarding"] = std::move(regarding);
  auto request = create(kEvents, event.ns, object);
  request.priority = Priority::kLow;
  return request;
}

Request EventWriter::again(Series& series, base::Instant now) {
  series.written = series.count;
  series.written_at = now;
  auto request = merge_patch(
      kEvents, series.event,
      json::Object{{"series", json::Object{{"count", series.count},
                                           {"lastObservedTime", micro_time(series.last)}}}});
  request.priority = Priority::kLow;
  return request;
}

std::vector<Request> EventWriter::add(const Happening& happening, base::Instant now) {
  forget_the_future(now);
  tidy(now);
  const Key key{happening.about, happening.warning, happening.reason, happening.action,
                happening.note};
  if (const auto it = series_.find(key); it != series_.end()) {
    auto& series = it->second;
    ++series.count;
    series.last = now;
    if (now - series.written_at < options_.refresh) return {};
    return {again(series, now)};
  }
  const bool room = series_.size() < options_.limit &&
                    (budgets_.size() < options_.limit || budgets_.contains(happening.about));
  if (!room || !may_create(happening.about, now)) {
    ++dropped_;
    return {};
  }
  // Unique among operators and their restarts, and within one.
  const auto& about = happening.about.name;
  const Name event{
      about.ns.empty() ? "default" : about.ns,
      fmt::format("{}.{:x}.{:08x}{:04x}", cut(about.name, 200), now.time_since_epoch().count(),
                  base::crc32c(options_.instance), ++made_ & 0xffffU)};
  series_[key] = {.event = event, .last = now, .written_at = now};
  return {first(happening, event, now)};
}

std::vector<Request> EventWriter::flush(base::Instant now) {
  forget_the_future(now);
  std::vector<Request> due;
  for (auto& [key, series] : series_)
    if (series.count > series.written && now - series.written_at >= options_.refresh)
      due.push_back(again(series, now));
  tidy(now);
  return due;
}

void EventWriter::failed(const Request& request, const Failure& failure) {
  // A repetition is retried with the next one; without its first event it has nothing to count.
  const bool is_first = request.method == Method::kPost;
  if (is_first) ++dropped_;
  if (!is_first && failure.code != base::Code::kNotFound) return;
  if (is_first && failure.may_have_happened()) return;
  std::erase_if(series_, [&](const auto& item) {
    const auto& event = item.second.event;
    return is_first ? request.body.find('"' + event.name + '"') != std::string::npos
                    : request.path.ends_with("/" + event.name);
  });
}

void EventWriter::tidy(base::Instant now) {
  std::erase_if(series_, [&](const auto& item) {
    const auto& series = item.second;
    return series.count == series.written && now - series.last >= options_.forget;
  });
  // A full budget is as good as none.
  std::erase_if(budgets_, [&](const auto& item) {
    const auto missing = options_.burst - item.second.tokens;
    return now - item.second.filled >=
           base::Duration(static_cast<long long>(
               missing * static_cast<double>(options_.one_more_in.count()) + 1));
  });
}

// The clock was put back: nobody waits until it is there again.
void EventWriter::forget_the_future(base::Instant now) {
  for (auto& [about, budget] : budgets_) budget.filled = std::min(budget.filled, now);
  for (auto& [key, series] : series_) {
    series.last = std::min(series.last, now);
    series.written_at = std::min(series.written_at, now);
  }
}

}  // namespace kube
