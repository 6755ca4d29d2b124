#include "archive/point.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <set>
#include <utility>

#include "archive/fetch.h"
#include "archive/merged_file.h"
#include "archive/seal.h"
#include "base/text.h"

namespace archive {
namespace {

using base::Code;

// Where nothing happens a follower says so each 300 s (FollowJob::heartbeat_after).
constexpr base::Duration kLongestSilence{360'000};

std::string span_of(const Reach& reach) {
  return fmt::format("{} from revision {} to {}, {} to {}", reach.incarnation.text, reach.first,
                     reach.last, base::to_rfc3339(reach.begin), base::to_rfc3339(reach.end));
}

class Point {
 public:
  Point(const FetchJob& job, const Shelf& shelf, const Catalog& catalog, const World& world,
        base::Tick deadline)
      : job_(job), shelf_(shelf), catalog_(catalog), world_(world), call_(world.call(deadline)) {}

  Outcome<FetchReport> bring() {
    TRY_OK(find_life());
    std::vector<const Entry*> able;
    for (const bool later : {false, true})
      for (const auto& entry : catalog_.entries)
        if (can_begin(entry) && is_later(entry) == later) able.push_back(&entry);
    std::vector<Skipped> skipped;
    for (const auto* entry : able) {
      auto brought = from(*entry);
      if (brought || brought.error().kind != kind::kMismatch || in_log_) {
        if (brought) brought->skipped = std::move(skipped);
        return brought;
      }
      skipped.push_back({entry->name.text(), brought.error().error.message});
    }
    if (!skipped.empty())
      return trouble(kind::kNoneGood,
                     fmt::format("{}: no backup before revision {} is good: {}: {}", shelf_.where(),
                                 revision_, skipped.front().name, skipped.front().why));
    return trouble(kind::kRange, fmt::format("{}: no backup and log reach revision {}",
                                             shelf_.where(), revision_));
  }

 private:
  // Which life is meant, and the revision of it.
  Outcome<void> find_life() {
    std::vector<Incarnation> lives;
    for (const auto& entry : catalog_.entries) lives.push_back(entry.name.incarnation);
    TRY(const auto logged, logged_incarnations(shelf_, call_));
    lives.insert(lives.end(), logged.begin(), logged.end());
    std::ranges::sort(lives, std::greater());
    lives.erase(std::unique(lives.begin(), lives.end()), lives.end());
    if (!job_.incarnation.empty())
      std::erase_if(lives, [&](const Incarnation& i) { return i.text != job_.incarnation; });
    if (lives.empty())
      return trouble(kind::kNotFound,
                     fmt::format("{} holds nothing of {}", shelf_.where(),
                                 job_.incarnation.empty() ? "this cluster" : job_.incarnation));
    std::vector<std::string> spans, problems;
    for (const auto& life : lives) {
      TRY(log_, read_log(shelf_, life, call_));
      life_ = life;
      const auto reached = reach(catalog_, life, log_);
      for (const auto& one : reached) {
        spans.push_back(span_of(one));
        marks_.push_back({one.last, one.end, life});
        marks_.push_back({one.first, one.begin, life});
      }
      for (const auto& entry : catalog_.entries)
        if (entry.name.incarnation == life && entry.verified)
          marks_.push_back({entry.name.revision, entry.time, life});
      problems.insert(problems.end(), log_.problems.begin(), log_.problems.end());
      TRY(const auto found, resolve(reached));
      if (found) {
        revision_ = *found;
        return {};
      }
      // Revisions of two lives are not compared; times are.
      if (!job_.to_time) break;
    }
    const auto asked = job_.to_time ? base::to_rfc3339(*job_.to_time)
                                    : fmt::format("revision {}", *job_.to_revision);
    return trouble(
        kind::kRange,
        fmt::format("{}: {} cannot be reached; {}; what can: {}{}", shelf_.where(), asked,
                    nearest(), spans.empty() ? "nothing" : base::join(spans, "; "),
                    problems.empty() ? "" : "; " + base::join(problems, "; ")));
  }

  // Where a person may go instead.
  [[nodiscard]] std::string nearest() const {
    const auto distance = [&](const Mark& mark) {
      return job_.to_time ? std::int64_t{(mark.time - *job_.to_time).count()}
                          : mark.revision - *job_.to_revision;
    };
    const Mark *before = nullptr, *after = nullptr;
    for (const auto& mark : marks_) {
      const auto far = distance(mark);
      if (far <= 0 && (before == nullptr || far > distance(*before))) before = &mark;
      if (far > 0 && (after == nullptr || far < distance(*after))) after = &mark;
    }
    std::vector<std::string> words;
    const auto say = [&](std::string_view which, const Mark* mark) {
      if (mark != nullptr)
        words.push_back(fmt::format("the nearest {} is revision {} at {}, of {}", which,
                                    mark->revision, base::to_rfc3339(mark->time), mark->life.text));
    };
    say("before it", before);
    say("behind it", after);
    return words.empty() ? "nothing is near" : base::join(words, ", ");
  }

  Outcome<std::optional<std::int64_t>> resolve(const std::vector<Reach>& reached) {
    if (job_.to_revision) {
      const auto at = *job_.to_revision;
      for (const auto& one : reached)
        if (one.first <= at && at <= one.last) return at;
      for (const auto& entry : catalog_.entries)
        if (entry.name.incarnation == life_ && entry.verified && entry.name.revision == at)
          return at;
      return std::nullopt;
    }
    for (const auto& one : reached)
      if (one.begin <= *job_.to_time && *job_.to_time <= one.end)
        return at_time(one, *job_.to_time);
    return std::nullopt;
  }

  // The last revision that had come by then.
  Outcome<std::optional<std::int64_t>> at_time(const Reach& reached, base::Instant time) {
    const auto* range = log_.covering(std::max(reached.first, std::int64_t{1}), reached.last);
    if (range == nullptr) range = log_.covering(reached.last, reached.last);
    if (range == nullptr) return std::nullopt;
    std::int64_t last = std::max(range->first - 1, reached.first);
    base::Instant before = range->begin;
    std::optional<base::Instant> behind;
    for (size_t i = range->from; i < range->to && !behind; ++i) {
      const auto& head = *log_.entries[i].head;
      if (head.begin > time) {
        behind = head.begin;
      } else if (head.end <= time) {
        last = std::max(last, head.last);
        before = head.end;
      } else {
        TRY_OK(segment(log_.entries[i].name, [&](const Frame& frame) {
          if (frame.time > time) {
            behind = std::min(behind.value_or(frame.time), frame.time);
            return base::Status();
          }
          last = std::max(last, frame.last);
          before = frame.time;
          return base::Status();
        }));
      }
    }
    if (behind && *behind - before > kLongestSilence)
      silence_ = fmt::format(
          "nobody listened, or a clock jumped, between {} and {}: what came then has the later "
          "time, and at {} the cluster may have been further than revision {}",
          base::to_rfc3339(before), base::to_rfc3339(*behind), base::to_rfc3339(time), last);
    return last;
  }

  [[nodiscard]] bool can_begin(const Entry& entry) const {
    const auto at = entry.name.revision;
    if (entry.name.incarnation != life_ || !entry.verified || at > revision_) return false;
    return at == revision_ || log_.covering(at + 1, revision_) != nullptr;
  }

  // Of the same keys, but users and roles may have been changed meanwhile.
  [[nodiscard]] bool is_later(const Entry& entry) const {
    return job_.to_time && entry.time > *job_.to_time;
  }

  // Damage of a segment is not mended by another backup.
  Outcome<void> segment(const SegmentName& name, const FrameSink& sink) {
    const auto read = read_segment(shelf_, name, world_.key, sink, call_);
    if (read) return {};
    in_log_ = true;
    const auto error = read.error().in(name.text());
    if (error.code == Code::kDataLoss || error.code == Code::kNotFound)
      return std::unexpected(Trouble(kind::kMismatch, error));
    if (error.code == Code::kFailedPrecondition) return std::unexpected(Trouble(kind::kKey, error));
    if (error.code == Code::kUnimplemented) return std::unexpected(Trouble(kind::kNewer, error));
    return std::unexpected(error);
  }

  Outcome<FetchReport> from(const Entry& entry) {
    if (const auto fits = check_key(*entry.manifest, world_.key); !fits)
      return std::unexpected(
          Trouble(fits.error().code == Code::kUnimplemented ? kind::kNewer : kind::kKey,
                  fits.error().in(entry.name.text())));
    auto base = fetch_one(shelf_, entry, job_.common.scratch, world_.key, call_);
    if (!base && (base.error().code == Code::kNotFound || base.error().code == Code::kDataLoss))
      return trouble(kind::kMismatch, base.error().message);
    if (!base) return std::unexpected(base.error());
    TRY(auto log, posix::ScratchFile::create(job_.common.scratch));
    base::Instant time = entry.time;
    UsersMark users;
    TRY_OK(gather(entry.name.revision, log, time, users));
    FetchReport report{.outcome = FetchOutcome::kFetched,
                       .name = entry.name.text(),
                       .incarnation = life_.text,
                       .revision = revision_,
                       .time = time,
                       .etcd_version = entry.manifest->etcd_version};
    TRY_OK(write_merged(job_, world_, *base, log, revision_, report));
    note_users(*base, entry.name.revision, users, report);
    if (is_later(entry))
      note(report, fmt::format("users and roles are those of {}: no good backup is older",
                               base::to_rfc3339(entry.time)));
    if (!silence_.empty()) note(report, silence_);
    return report;
  }

  // Records behind the backup, in order, as one file. `users`: at the last of them.
  Outcome<void> gather(std::int64_t after, posix::ScratchFile& log, base::Instant& time,
                       UsersMark& users) {
    const auto* range = log_.covering(after + 1, revision_);
    if (range == nullptr || after == revision_) return {};
    leases_.clear();
    for (size_t i = range->from; i < range->to; ++i) {
      const auto& head = *log_.entries[i].head;
      if (head.last <= after || head.first > revision_) continue;
      users = head.users;
      const auto read = segment(log_.entries[i].name, [&](const Frame& frame) {
        if (frame.last <= after) return base::Status();
        if (frame.first <= revision_) time = frame.time;
        return gather(frame, log);
      });
      if (!read && read.error().kind == kind::kMismatch)
        return trouble(kind::kMismatch,
                       fmt::format("revision {} cannot be reached: {}; the nearest before it is "
                                   "revision {} of {}",
                                   revision_, read.error().error.message,
                                   std::max(after, head.first - 1), life_.text));
      TRY_OK(read);
    }
    return {};
  }

  // Of a later one what it learnt of leases: an answer that did not come at once came with it.
  base::Status gather(const Frame& frame, posix::ScratchFile& log) {
    std::string leases;
    auto rest = frame.records;
    while (const auto record = next_record(rest))
      if (record->lease() && leases_.emplace(record->key).second) append_record(leases, *record);
    return log.append(frame.first <= revision_ ? frame.records : std::string_view(leases));
  }

  const FetchJob& job_;
  const Shelf& shelf_;
  const Catalog& catalog_;
  const World& world_;
  const objstore::Call call_;
  Incarnation life_;
  Log log_;
  struct Mark {
    std::int64_t revision = 0;
    base::Instant time{};
    Incarnation life = {};
  };
  std::vector<Mark> marks_;  // what can be reached, of the lives that were looked at
  std::int64_t revision_ = 0;
  std::set<std::string, std::less<>> leases_;  // of which something was learnt
  std::string silence_;                        // around the time that was asked for
  bool in_log_ = false;                        // the trouble is of a segment
};

}  // namespace

Outcome<FetchReport> fetch_point(const FetchJob& job, const Shelf& shelf, const Catalog& catalog,
                                 const World& world, base::Tick deadline) {
  return Point(job, shelf, catalog, world, deadline).bring();
}

}  // namespace archive
