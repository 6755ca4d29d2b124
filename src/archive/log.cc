#include "archive/log.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <set>
#include <tuple>

namespace archive {
namespace {

using base::Code;

constexpr size_t kMostSegments = 4'000'000;
constexpr int kTries = 3;  // where something goes while it is read

// Of its own place in the log: what comes before it in the chain.
struct Before {
  const SegmentHead* head = nullptr;
  std::int64_t sequence = 0, part = 0;
};

bool next_in_turn(const Before& before, const SegmentName& name) {
  if (name.part == 0) return name.sequence == before.sequence + 1 && before.part == 0;
  if (before.part == 0) return name.sequence == before.sequence + 1 && name.part == 1;
  return name.sequence == before.sequence && name.part == before.part + 1;
}

// Empty: it goes on from the one before. Only where both are in turn.
std::string why_not_joined(const SegmentHead& before, const SegmentHead& head) {
  if (head.previous != digest(before))
    return fmt::format("it does not follow {}: another one was there when it was written",
                       before.name.text());
  if (head.cluster_id != before.cluster_id)
    return fmt::format("it is of the cluster {}, the one before of {}", head.cluster_id,
                       before.cluster_id);
  if (head.first <= before.last)
    return fmt::format("overlap: it begins at revision {}, and the one before ends at {}",
                       head.first, before.last);
  if (head.joins && head.first > before.last + 1)
    return fmt::format("gap: it begins at revision {}, and the one before ends at {}", head.first,
                       before.last);
  if (head.begin < before.end) return "its time is before the end of the one before";
  return {};
}

class Judge {
 public:
  Log judge(std::vector<LogEntry> entries) {
    std::ranges::sort(entries, {}, [](const LogEntry& e) {
      // Parts stand where their segment would.
      return std::tuple(e.name.sequence, e.name.part);
    });
    std::set<std::int64_t> sealed;
    for (const auto& entry : entries)
      if (entry.name.part == 0) sealed.insert(entry.name.sequence);
    for (auto& entry : entries) {
      const auto& name = entry.name;
      // A writer that was overtaken may have left some; what counts is the sealed one.
      if (name.part != 0 && !sealed.empty() && name.sequence <= *sealed.rbegin())
        log_.stale.push_back(name);
      else
        log_.entries.push_back(std::move(entry));
    }
    for (size_t i = 0; i < log_.entries.size(); ++i) add(i);
    return std::move(log_);
  }

 private:
  void say(const SegmentName& name, const std::string& what) {
    log_.problems.push_back(fmt::format("{}: {}", name.text(), what));
  }
  void add(size_t i) {
    const auto& entry = log_.entries[i];
    const auto before = before_;
    before_ = {entry.head ? &*entry.head : nullptr, entry.name.sequence, entry.name.part};
    if (!entry.head) {
      say(entry.name, entry.problem);
      return;
    }
    const auto& head = *entry.head;
    bool joined = false;
    // A name may be passed over; what was written behind what is another matter.
    const bool follows = before.head != nullptr && head.previous == digest(*before.head);
    if (i > 0 && !follows && !next_in_turn(before, entry.name)) {
      say(entry.name, fmt::format("gap: between it and {} segments are missing",
                                  log_.entries[i - 1].name.text()));
    } else if (i == 0 && entry.name.part > 1) {
      say(entry.name, "gap: the parts before it are missing");
    } else if (before.head != nullptr) {
      if (const auto why = why_not_joined(*before.head, head); !why.empty())
        say(entry.name, why);
      else
        joined = head.joins;
    }
    if (joined) {
      auto& range = log_.ranges.back();
      range.last = head.last;
      range.end = head.end;
      range.to = i + 1;
    } else {
      log_.ranges.push_back({.first = head.first,
                             .last = head.last,
                             .begin = head.begin,
                             .end = head.end,
                             .from = i,
                             .to = i + 1});
    }
  }

  Log log_;
  Before before_;
};

base::Result<std::vector<objstore::Object>> list(const Shelf& shelf, const std::string& below,
                                                 const objstore::Call& call) {
  return objstore::list_all(shelf.store(), shelf.key(below), kMostSegments, call);
}

base::Result<std::optional<LogEntry>> read_head(const Shelf& shelf, const SegmentName& name,
                                                std::uint64_t size, const objstore::Call& call) {
  LogEntry entry{.name = name, .size_bytes = size};
  std::string bytes;
  if (size > 0) {
    const auto got = shelf.store().get(
        shelf.key(name.text()), {.length = kLargestHead},
        [&](std::string_view more) {
          bytes += more;
          return base::Status();
        },
        call);
    if (!got && got.error().code == Code::kNotFound) return std::nullopt;  // it was removed now
    if (!got && got.error().code != Code::kDataLoss) return std::unexpected(got.error());
  }
  auto parsed = parse_head(bytes, name);
  entry.newer = !parsed && parsed.error().code == Code::kUnimplemented;
  if (!parsed)
    entry.problem = parsed.error().message;
  else if (parsed->bytes + parsed->head.data.size_bytes != size)
    entry.problem = fmt::format("torn: it has {} bytes, not {}", size,
                                parsed->bytes + parsed->head.data.size_bytes);
  else
    entry.head = std::move(parsed->head);
  return entry;
}

// No value: something went while it was read.
base::Result<std::optional<Log>> read_once(const Shelf& shelf, const Incarnation& incarnation,
                                           const Calls& calls) {
  TRY(const auto listed, list_segments(shelf, incarnation, calls()));
  std::vector<LogEntry> entries;
  for (const auto& one : listed) {
    TRY(auto entry, read_listed(shelf, one, calls));
    if (!entry) return std::nullopt;
    entries.push_back(*std::move(entry));
  }
  return judge_log(std::move(entries));
}

}  // namespace

const LogRange* Log::covering(std::int64_t first, std::int64_t last) const {
  const auto at = std::ranges::find_if(
      ranges, [&](const LogRange& r) { return r.first <= first && last <= r.last; });
  return at == ranges.end() ? nullptr : &*at;
}

Log judge_log(std::vector<LogEntry> entries) {
  return Judge().judge(std::move(entries));
}

base::Result<Log> read_log(const Shelf& shelf, const Incarnation& incarnation,
                           const objstore::Call& call) {
  return read_log(shelf, incarnation, [&] { return call; });
}

base::Result<Log> read_log(const Shelf& shelf, const Incarnation& incarnation, const Calls& calls) {
  for (int i = 0; i < kTries; ++i) {
    TRY(auto log, read_once(shelf, incarnation, calls));
    if (log) return *std::move(log);
  }
  return base::fail(Code::kUnavailable, fmt::format("{}{}: its log changes while it is read",
                                                    shelf.where(), incarnation.text));
}

base::Result<std::vector<ListedSegment>> list_segments(const Shelf& shelf,
                                                       const Incarnation& incarnation,
                                                       const objstore::Call& call) {
  TRY(const auto objects, list(shelf, incarnation.text + "/log-", call));
  std::vector<ListedSegment> out;
  for (const auto& object : objects) {
    if (!object.key.starts_with(shelf.root())) continue;
    const auto name = SegmentName::parse(std::string_view(object.key).substr(shelf.root().size()));
    if (name && name->incarnation == incarnation) out.push_back({*name, object.size});
  }
  std::ranges::sort(out, {}, [](const ListedSegment& one) {
    return std::tuple(one.name.sequence, one.name.part);
  });
  return out;
}

base::Result<std::optional<LogEntry>> read_listed(const Shelf& shelf, const ListedSegment& listed,
                                                  const Calls& calls) {
  TRY(auto read, read_head(shelf, listed.name, listed.size, calls()));
  // What looks damaged may have been damaged on the way.
  if (read && !read->head && !read->newer) {
    TRY(read, read_head(shelf, listed.name, listed.size, calls()));
  }
  if (read) return read;
  const auto key = shelf.key(listed.name.text());
  TRY(const auto there, objstore::list_all(shelf.store(), key, 10, calls()));
  if (there.empty()) return std::nullopt;
  return base::fail(Code::kUnavailable,
                    fmt::format("{}: the store lists it and does not give it", key));
}

base::Result<Log> read_log_behind(const Shelf& shelf, const Incarnation& incarnation,
                                  std::int64_t revision, const Calls& calls) {
  TRY(auto listed, list_segments(shelf, incarnation, calls()));
  std::ranges::sort(listed, std::greater(), [](const ListedSegment& one) {
    return std::pair(one.name.sequence, one.name.part);
  });
  std::int64_t sealed = 0;
  for (const auto& one : listed)
    if (one.name.part == 0) sealed = std::max(sealed, one.name.sequence);
  std::vector<LogEntry> entries;
  for (const auto& one : listed) {
    const auto& name = one.name;
    if (name.part != 0 && name.sequence <= sealed) continue;  // stale, as judge_log() has it
    TRY(auto entry, read_listed(shelf, one, calls));
    if (!entry) continue;
    const bool begins = entry->head && entry->head->first <= revision + 1 && name.part <= 1;
    entries.push_back(*std::move(entry));
    if (begins) break;
  }
  return judge_log(std::move(entries));
}

base::Result<std::vector<Incarnation>> logged_incarnations(const Shelf& shelf,
                                                           const objstore::Call& call) {
  TRY(const auto objects, list(shelf, "", call));
  std::set<Incarnation> found;
  for (const auto& object : objects)
    if (object.key.starts_with(shelf.root()))
      if (const auto name =
              SegmentName::parse(std::string_view(object.key).substr(shelf.root().size())))
        found.insert(name->incarnation);
  return std::vector<Incarnation>(found.rbegin(), found.rend());
}

base::Status read_segment(const Shelf& shelf, const SegmentName& name, const Key* key,
                          const FrameSink& sink, const objstore::Call& call) {
  SegmentReader reader(name, key, sink);
  TRY_OK(shelf.store().get(
      shelf.key(name.text()), {}, [&](std::string_view bytes) { return reader.write(bytes); },
      call));
  return reader.finish();
}

std::vector<Reach> reach(const Catalog& catalog, const Incarnation& incarnation, const Log& log) {
  std::vector<Reach> out;
  for (const auto& range : log.ranges) {
    // The oldest backup that this range goes on from; what is before it cannot be reached by it.
    const Entry* oldest = nullptr;
    for (const auto& entry : catalog.entries)
      if (entry.name.incarnation == incarnation && entry.verified &&
          entry.name.revision >= range.first - 1 && entry.name.revision <= range.last)
        oldest = &entry;  // they come with the highest revision first
    if (oldest == nullptr) continue;
    const auto taken = oldest->manifest->taken.value_or(oldest->time);
    out.push_back({.incarnation = incarnation,
                   .first = oldest->name.revision,
                   .last = range.last,
                   .begin = std::max(range.begin, taken),
                   .end = range.end});
  }
  return out;
}

}  // namespace archive
