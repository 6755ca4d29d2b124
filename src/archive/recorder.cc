#include "archive/recorder.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "archive/lease_value.h"
#include "base/wire.h"
#include "etcd/bolt/record.h"

namespace archive {
namespace {

using base::Code;

// Beyond it they are asked for once more, which does no harm.
constexpr size_t kMostKnownLeases = 100'000;

}  // namespace

base::Result<Stored> stored_form(const etcd::Event& event) {
  Stored out;
  bolt::Record tombstone;
  tombstone.tombstone = true;
  base::WireReader wire(event.kv);
  while (const auto field = wire.next()) {
    if (field->number == 1) tombstone.key = field->bytes;
    if (field->number == 3) out.revision = static_cast<std::int64_t>(field->value);
    if (field->number == 6) out.lease = static_cast<std::int64_t>(field->value);
  }
  if (wire.bad() || out.revision < 1 || tombstone.key.empty())
    return base::fail(Code::kDataLoss, "a change that is no key with a revision");
  if (event.deleted) out.lease = 0;
  out.value = event.deleted ? bolt::record_value(tombstone) : event.kv;
  return out;
}

base::Status Recorder::add(const etcd::Batch& batch, base::Instant now,
                           const std::function<void()>& whole) {
  std::int64_t at = 0, sub = 0;
  bool wanted = false;  // the revision that it is in
  for (const auto& event : batch.events) {
    TRY(const auto stored, stored_form(event));
    if (stored.revision < at)
      return base::fail(Code::kDataLoss,
                        fmt::format("revision {} comes after {}", stored.revision, at));
    sub = stored.revision == at ? sub + 1 : 0;
    at = stored.revision;
    if (sub == 0 && wanted && whole) whole();
    if (sub == 0) wanted = at >= next_;
    if (!wanted) continue;
    if (at > next_)
      return base::fail(Code::kNotFound,
                        fmt::format("gap: revision {} was expected, and {} comes", next_, at));
    const auto key = bolt::revision_key({at, sub}, event.deleted);
    TRY_OK(bolt::parse_record(key, stored.value));
    stamp(now);
    append_record(records_, {key, stored.value});
    ++count_;
    next_ = at + 1;
    if (stored.lease == 0) continue;
    if (known_leases_.size() >= kMostKnownLeases) known_leases_.clear();
    if (known_leases_.insert(stored.lease).second) new_leases_.push_back(stored.lease);
  }
  if (batch.events.empty() && batch.revision >= next_)
    return base::fail(Code::kNotFound,
                      fmt::format("gap: all up to revision {} was sent, it is said, and {} did not "
                                  "come",
                                  batch.revision, next_));
  return {};
}

void Recorder::add_lease(std::int64_t id, std::int64_t ttl) {
  if (!open_) stamp(time_);
  std::string key;
  bolt::append_big(key, static_cast<std::uint64_t>(id));
  append_record(records_, {key, lease_value(id, ttl)});
  ++count_;
}

void Recorder::idle(base::Instant now) {
  stamp(now);
}

// The wall clock may be set back; what is noted never goes back.
void Recorder::stamp(base::Instant now) {
  time_ = std::max(time_, now);
  open_ = true;
}

Recorder::Taken Recorder::take() {
  Taken out{.records = std::exchange(records_, {}),
            .frame = {.first = first_,
                      .last = next_ - 1,
                      .time = time_,
                      .count = std::exchange(count_, 0),
                      .records = {}}};
  first_ = next_;
  open_ = false;
  return out;
}

}  // namespace archive
