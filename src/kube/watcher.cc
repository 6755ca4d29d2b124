#include "kube/watcher.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "json/json.h"

namespace kube {
namespace {

using base::Code;

constexpr base::Backoff kBackoff{.first = base::Duration(500), .limit = base::Duration(30'000)};
constexpr base::Duration kShortestWatch{300'000};
constexpr unsigned long long kWatchSpread = 300'000;  // ms, so that a fleet does not come at once
constexpr size_t kLongestLine = size_t{16} << 20;
constexpr unsigned kTriesBeforeList = 5;  // of a watch that cannot be begun

std::optional<Name> name_in(const json::Value& object) {
  const auto* metadata = object.find("metadata");
  if (metadata == nullptr) return std::nullopt;
  const auto* name = metadata->find("name");
  const auto* ns = metadata->find("namespace");
  if (name == nullptr || !name->is_string() || name->if_string()->empty()) return std::nullopt;
  if (ns != nullptr && !ns->is_string()) return std::nullopt;
  return Name{ns == nullptr ? std::string() : *ns->if_string(), *name->if_string()};
}

std::string text_at(const json::Value& value, std::string_view path) {
  return json::get_string(value, path).value_or("");
}

// Who set which field, and on a node the images it has, is the larger part of an object, and nobody
// here asks for it.
std::shared_ptr<const json::Value> kept(json::Value object) {
  for (const auto& [part, field] : {std::pair("metadata", "managedFields"), {"status", "images"}})
    if (object.find(part) != nullptr)
      if (auto* fields = object[part].if_object()) fields->erase(field);
  return std::make_shared<const json::Value>(std::move(object));
}

}  // namespace

Watcher::Watcher(WatchTarget target, Store& store, base::Random& random)
    : target_(std::move(target)), store_(store), random_(random) {}

Watcher::Next Watcher::next() {
  Next next{.doing = doing_, .not_before = not_before_, .request = {}};
  if (doing_ == Doing::kList) {
    next.request = list(
        target_.resource, target_.ns,
        {.selection = target_.selection, .limit = whole_ ? 0 : target_.page, .page = page_token_});
  } else {
    next.timeout =
        kShortestWatch + base::Duration(static_cast<long long>(random_.next() % kWatchSpread));
    next.request = watch(
        target_.resource, target_.ns,
        {.selection = target_.selection, .resource_version = version_, .timeout = next.timeout});
    line_.clear();
    something_came_ = false;
  }
  sent_ = next.request;
  return next;
}

void Watcher::well() {
  failures_ = 0;
  problem_.clear();
}

base::Duration Watcher::pause(const Failure* failure) {
  ++failures_;
  const auto wait = kBackoff.wait(failures_, random_.next());
  return failure != nullptr && failure->retry_after ? std::max(wait, *failure->retry_after) : wait;
}

void Watcher::list_again(std::string why, base::Tick now, base::Duration at_least) {
  doing_ = Doing::kList;
  staged_.clear();
  page_token_.clear();
  problem_ = std::move(why);
  not_before_ = now + at_least;
}

std::vector<Change> Watcher::listed(const Answer<json::Value>& answer, base::Tick now) {
  if (!answer) {
    // The pages belong to one moment, and the server has forgotten it: at once, without pages.
    const bool expired = answer.error().expired() && !page_token_.empty();
    if (expired) whole_ = true;
    const auto wait = expired ? base::Duration(0) : pause(&answer.error());
    list_again(answer.error().message, now, wait);
    return {};
  }
  const auto version = text_at(*answer, "metadata.resourceVersion");
  const auto* items = answer->find("items");
  const bool is_list = items == nullptr || items->is_null() || items->is_array();
  if (version.empty() || !is_list) {
    list_again(sent_.what + ": the answer is no list", now, pause(nullptr));
    return {};
  }
  if (items != nullptr && items->is_array())
    for (const auto& item : *items->if_array()) {
      if (auto name = name_in(item))
        staged_[*std::move(name)] = kept(item_of(target_.resource, item));
      else
        ++bad_;
    }
  page_token_ = text_at(*answer, "metadata.continue");
  if (!page_token_.empty()) return {};
  version_ = version;
  whole_ = false;
  doing_ = Doing::kWatch;
  not_before_ = now;
  ++lists_;
  problem_.clear();  // failures_ stays: a list is no proof that a watch will work
  return store_.replace(std::exchange(staged_, {}), now);
}

std::vector<Change> Watcher::heard(std::string_view bytes, base::Tick now) {
  std::vector<Change> changes;
  while (!bytes.empty() && !ended_early()) {
    const auto end = bytes.find('\n');
    line_ += bytes.substr(0, end);
    bytes.remove_prefix(end == std::string_view::npos ? bytes.size() : end + 1);
    if (line_.size() > kLongestLine) {
      ++bad_;
      list_again(sent_.what + ": a change is longer than 16 MiB", now, pause(nullptr));
    } else if (end != std::string_view::npos) {
      const auto line = std::exchange(line_, {});
      if (line.find_first_not_of(" \t\r") != std::string::npos) take(line, now, changes);
    }
  }
  return changes;
}

void Watcher::take(std::string_view line, base::Tick now, std::vector<Change>& changes) {
  const auto event = json::parse(line, kAnswerLimits);
  const auto* object = event ? event->find("object") : nullptr;
  const auto type = event ? text_at(*event, "type") : std::string();
  if (type == "ERROR") return take_error(object == nullptr ? json::Value() : *object, now);
  const auto version =
      object == nullptr ? std::string() : text_at(*object, "metadata.resourceVersion");
  const bool known =
      type == "ADDED" || type == "MODIFIED" || type == "DELETED" || type == "BOOKMARK";
  if (!known || version.empty()) {
    // A change that cannot be placed: what it was about is seen by a list.
    ++bad_;
    return list_again(sent_.what + ": a change cannot be read", now, pause(nullptr));
  }
  version_ = version;
  something_came_ = true;
  well();
  if (type == "BOOKMARK") return store_.seen(now);
  const auto name = name_in(*object);
  if (!name) {
    ++bad_;
    return store_.seen(now);
  }
  auto after = type == "DELETED" ? nullptr : kept(*object);
  if (auto change = store_.put(*name, std::move(after), now)) changes.push_back(*std::move(change));
}

void Watcher::take_error(const json::Value& status, base::Tick now) {
  const auto failure = failure_of(sent_, status);
  // That our version is too old is the normal end of a long silence, once.
  const bool at_once = failure.expired() && something_came_;
  list_again(failure.message, now, at_once ? base::Duration(0) : pause(&failure));
}

void Watcher::failed(const Failure& failure, base::Tick now) {
  const auto wait = pause(&failure);
  // No answer, or one that says "later": the version may still be good.
  const bool later =
      failure.status == 0 || failure.status == 429 ||
      (failure.status >= 500 && failure.status != 504);  // 504: a version from the future
  if (!later || failures_ >= kTriesBeforeList) return list_again(failure.message, now, wait);
  problem_ = failure.message;
  not_before_ = now + wait;
}

void Watcher::ended(const Answer<void>& how, base::Tick now) {
  line_.clear();  // the rest of a line that never came; it comes again after version_
  if (ended_early()) return;
  if (!how) {
    // It had worked, so what ended it is new: begin from scratch with the waiting.
    if (something_came_) failures_ = 0;
    return failed(how.error(), now);
  }
  // The server ended it in good order. One that gives nothing is not asked in a loop.
  not_before_ = something_came_ ? now : now + pause(nullptr);
}

}  // namespace kube
