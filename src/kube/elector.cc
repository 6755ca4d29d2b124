#include "kube/elector.h"

#include <algorithm>
#include <utility>

namespace kube {
namespace {

using base::Code;

// metav1.MicroTime: exactly six digits after the second.
std::string micro_time(base::Instant at) {
  auto text = base::to_rfc3339(at);
  text.insert(text.size() - 1, "000");
  return text;
}

}  // namespace

Elector::Elector(LeaseOptions options, const base::Clock& clock)
    : options_(std::move(options)), clock_(clock) {}

json::Value Elector::lease(const std::string& holder, std::int64_t transitions,
                           const std::string& acquired) const {
  json::Value object = json::Object{
      {"metadata", json::Object{{"name", options_.name.name}, {"namespace", options_.name.ns}}}};
  if (!version_.empty()) object["metadata"]["resourceVersion"] = version_;
  const auto life = std::chrono::duration_cast<std::chrono::seconds>(options_.life).count();
  object["spec"] = json::Object{{"holderIdentity", holder},
                                {"leaseDurationSeconds", holder.empty() ? 1 : life},
                                {"renewTime", micro_time(clock_.now())},
                                {"leaseTransitions", transitions}};
  if (!acquired.empty()) object["spec"]["acquireTime"] = acquired;
  return object;
}

Elector::Next Elector::next() {
  const auto urgent = [](Request request) {
    request.priority = Priority::kUrgent;
    return request;
  };
  const auto now = clock_.tick();
  const auto read = [&](base::Tick when) {
    asked_ = Asked::kGet;
    return Next{when, urgent(get(kLeases, options_.name))};
  };
  if (must_read_ || given_up_) return read(next_look_);
  if (absent_) {
    asked_ = Asked::kCreate;
    asked_term_ = transitions_ + 1;
    const auto object = lease(options_.identity, asked_term_, micro_time(clock_.now()));
    // Who held it before it was deleted still believes in it.
    return {std::max(now, free_at_), urgent(create(kLeases, options_.name.ns, object))};
  }
  const auto holder = this->holder();
  const bool ours = holder == options_.identity;
  // Another's: looked at again and again, for it may be renewed until its very end.
  if (!ours && now < free_at_) return read(std::min(next_look_, free_at_));
  asked_ = Asked::kReplace;
  asked_term_ = ours ? transitions_ : transitions_ + 1;
  if (!ours) acquired_ = micro_time(clock_.now());
  return {
      ours ? next_look_ : now,
      urgent(replace(kLeases, options_.name, lease(options_.identity, asked_term_, acquired_)))};
}

void Elector::saw(const json::Value& object, base::Tick at) {
  const auto version = json::get_string(object, "metadata.resourceVersion").value_or("");
  if (version != version_ || version.empty()) changed_at_ = at;
  version_ = version;
  absent_ = false;
  transitions_ =
      std::max<std::int64_t>(json::get_int(object, "spec.leaseTransitions").value_or(0), 0);
  acquired_ = json::get_string(object, "spec.acquireTime").value_or("");
  const auto seconds = json::get_int(object, "spec.leaseDurationSeconds").value_or(15);
  const auto life = std::chrono::seconds(std::clamp<std::int64_t>(seconds, 1, 3600));
  const std::scoped_lock lock(mutex_);
  holder_ = json::get_string(object, "spec.holderIdentity").value_or("");
  const bool another = !holder_.empty() && holder_ != options_.identity;
  free_at_ = another ? changed_at_ + life : base::Tick{};
  if (holder_ != options_.identity || (term_ && term_->number != transitions_)) term_.reset();
}

void Elector::answered(const Answer<json::Value>& answer, base::Tick sent_at) {
  const auto asked = std::exchange(asked_, Asked::kNothing);
  const auto now = clock_.tick();
  next_look_ = sent_at + options_.retry;
  // What a proxy or a server in trouble says is no word of the lease.
  if (answer || (answer.error().status != 0 && answer.error().status < 500)) {
    const std::scoped_lock lock(mutex_);
    heard_at_ = now;
  }
  if (answer) {
    saw(*answer, now);
    must_read_ = false;
    if (asked == Asked::kGet) {
      // Ours by a change whose answer was lost: only one that is answered counts, so at once.
      if (holder() == options_.identity) next_look_ = now;
      return;
    }
    const std::scoped_lock lock(mutex_);
    if (!given_up_ && holder_ == options_.identity && transitions_ == asked_term_)
      term_ = Term{transitions_, sent_at + options_.life - options_.margin};
    return;
  }
  must_read_ = true;
  const auto code = answer.error().code;
  if (asked == Asked::kGet && code == Code::kNotFound) {
    absent_ = true;
    must_read_ = false;
    version_.clear();
    const std::scoped_lock lock(mutex_);
    holder_.clear();
    term_.reset();  // somebody deleted it: whoever makes it anew leads
  }
  // Somebody was faster: look at once who it is.
  if (code == Code::kAborted || code == Code::kAlreadyExists || code == Code::kNotFound)
    next_look_ = now;
}

std::optional<Request> Elector::release() {
  given_up_ = true;
  const std::scoped_lock lock(mutex_);
  const bool held = holder_ == options_.identity && !version_.empty();
  term_.reset();
  if (!held) return std::nullopt;
  auto request = replace(kLeases, options_.name, lease("", transitions_, acquired_));
  request.priority = Priority::kUrgent;
  holder_.clear();  // once; whoever has it next is read
  return request;
}

std::optional<Elector::Term> Elector::term() const {
  const auto now = clock_.tick();
  const std::scoped_lock lock(mutex_);
  return term_ && now < term_->until ? term_ : std::nullopt;
}

std::optional<base::Tick> Elector::leads_until() const {
  const auto now = term();
  return now ? std::optional(now->until) : std::nullopt;
}

std::string Elector::holder() const {
  const std::scoped_lock lock(mutex_);
  return holder_;
}

std::optional<base::Tick> Elector::heard_at() const {
  const std::scoped_lock lock(mutex_);
  return heard_at_;
}

}  // namespace kube
