#include "archive/log_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace archive {
namespace {

using base::Code;
using objstore::When;

constexpr size_t kPiece = size_t{256} << 10;

bool doubtful(const base::Error& error) {
  return error.code == Code::kDeadlineExceeded || error.code == Code::kAlreadyExists ||
         error.code == Code::kAborted;
}

}  // namespace

Outcome<LogWriter> LogWriter::open(const Shelf& shelf, const LogOwner& owner, std::string scratch,
                                   const World& world, const Calls& calls) {
  TRY(const auto log, read_log(shelf, owner.incarnation, calls));
  LogWriter writer(shelf, owner, std::move(scratch), world);
  TRY_OK(writer.adopt(log, calls));
  for (const auto& name : log.stale) TRY_OK(shelf.store().remove(shelf.key(name.text()), calls()));
  return writer;
}

Outcome<void> LogWriter::adopt(const Log& log, const Calls& calls) {
  size_t sealed = 0;  // how many of the entries are
  for (const auto& entry : log.entries) {
    if (entry.head && entry.head->cluster_id != owner_.cluster_id)
      return trouble(kind::kForeign,
                     fmt::format("{}: of the cluster {}; this one is {}: nothing was written",
                                 entry.name.text(), entry.head->cluster_id, owner_.cluster_id));
    if (entry.head && entry.head->epoch > owner_.epoch)
      return trouble(kind::kStale, fmt::format("{}: written with the epoch {}; this writer has {}",
                                               entry.name.text(), entry.head->epoch, owner_.epoch));
    if (entry.name.part == 0) ++sealed;
  }
  if (log.entries.empty()) return {};
  if (sealed > 0) {
    const auto& last = log.entries[sealed - 1];
    sequence_ = last.name.sequence + 1;
    // One that cannot be read is left as it is; what comes does not go on from it.
    if (last.head) {
      next_ = last.head->last + 1;
      end_ = last.head->end;
      sealed_digest_ = digest(*last.head);
      facts_ = {last.head->base, last.head->auth_revision, last.head->etcd_version};
      joins_ = true;
      chain_first_ = log.ranges.back().first;
    }
  } else {
    sequence_ = log.entries.front().name.sequence;
  }
  return adopt_parts(log, sealed, calls);
}

// Parts that follow each other and can be read; what is behind a bad one was never promised by a
// writer that lives, and is read from etcd again.
Outcome<void> LogWriter::adopt_parts(const Log& log, size_t from, const Calls& calls) {
  std::vector<SegmentName> names;
  for (size_t i = from; i < log.entries.size(); ++i) names.push_back(log.entries[i].name);
  if (names.empty()) return {};
  const bool in_turn = names.front().sequence == sequence_;
  sequence_ = names.front().sequence;
  for (size_t i = from; i < log.entries.size(); ++i) {
    const auto& entry = log.entries[i];
    if (!entry.head || entry.name.sequence != sequence_ ||
        entry.name.part != static_cast<std::int64_t>(i - from) + 1)
      break;
    const auto& before = i == from ? sealed_digest_ : part_digest_;
    const bool joins = entry.head->joins && entry.head->previous == before &&
                       entry.head->first == next_ && (i > from || in_turn);
    if (!joins && i > from) break;
    if (!joins) begin(entry.head->first);
    std::vector<std::pair<Frame, std::string>> frames;
    const auto read = read_segment(
        *shelf_, entry.name, world_->key,
        [&](const Frame& frame) {
          frames.emplace_back(frame, std::string(frame.records));
          return base::Status();
        },
        calls());
    if (!read && read.error().code == Code::kDataLoss) break;
    if (!read) return std::unexpected(read.error());
    for (auto& [frame, records] : frames) {
      frame.records = records;
      TRY_OK(add(frame));
    }
    facts_ = {entry.head->base, entry.head->auth_revision, entry.head->etcd_version};
    part_digest_ = digest(*entry.head);
    ++parts_;
  }
  unsaved_ = {};
  if (!empty()) TRY_OK(seal(calls()));
  for (const auto& name : names) TRY_OK(shelf_->store().remove(shelf_->key(name.text()), calls()));
  return {};
}

void LogWriter::begin(std::int64_t first) {
  next_ = first;
  chain_first_ = first;
  joins_ = false;
}

void LogWriter::extend(Run& run, const Frame& frame, std::uint64_t at, bool joins) {
  if (run.frames++ == 0) {
    run.from = at;
    run.first = frame.first;
    run.begin = frame.time;
    run.joins = joins;
  }
  run.last = frame.last;
  run.end = frame.time;
  run.records += frame.count;
}

base::Status LogWriter::add(const Frame& frame) {
  if (frame.first != next_)
    return base::fail(Code::kInternal, fmt::format("a frame begins at revision {}, behind one that "
                                                   "ends at {}",
                                                   frame.first, next_ - 1));
  if (!pending_) {
    TRY(pending_, posix::ScratchFile::create(scratch_));
  }
  const auto at = pending_->size();
  TRY_OK(pending_->append(frame_bytes(frame)));
  extend(segment_, frame, at, joins_);
  extend(unsaved_, frame, at, joins_ || segment_.frames > 1);
  next_ = frame.last + 1;
  end_ = frame.time;
  return {};
}

Outcome<SegmentHead> LogWriter::put(const Run& run, std::int64_t part, const objstore::Call& call) {
  const auto& previous = part > 1 ? part_digest_ : sealed_digest_;
  SegmentHead head{.name = {owner_.incarnation, sequence_, part},
                   .cluster = owner_.cluster,
                   .cluster_id = owner_.cluster_id,
                   .epoch = owner_.epoch,
                   .nonce = owner_.nonce,
                   .base = facts_.base,
                   .previous = previous,
                   .joins = run.joins && !previous.empty(),
                   .first = run.first,
                   .last = run.last,
                   .begin = run.begin,
                   .end = run.end,
                   .auth_revision = facts_.auth_revision,
                   .etcd_version = facts_.etcd_version,
                   .records = run.records};
  TRY(const auto bytes,
      seal_segment(
          head, world_->key,
          [&](const objstore::Sink& out) {
            std::string piece;
            for (auto at = run.from; at < pending_->size(); at += piece.size()) {
              piece.resize(std::min<std::uint64_t>(kPiece, pending_->size() - at));
              if (auto read = pending_->read(at, std::span(piece.data(), piece.size())); !read)
                return read;
              if (auto put = out(piece); !put) return put;
            }
            return base::Status();
          },
          pending_->size() - run.from));
  TRY_OK(put_bytes(head, bytes, call));
  return head;
}

Outcome<void> LogWriter::put_bytes(const SegmentHead& head, std::string_view bytes,
                                   const objstore::Call& call) {
  const auto key = shelf_->key(head.name.text());
  objstore::PutOptions options{.condition = {.when = When::kAbsent}};
  auto put = shelf_->store().put(key, bytes, options, call);
  if (!put && put.error().code == Code::kUnimplemented) {
    weak_ = true;
    options.condition = {};
    put = shelf_->store().put(key, bytes, options, call);
  }
  if (!put && !doubtful(put.error())) return std::unexpected(put.error());
  if (!put) TRY_OK(who_was_it(head, call));
  if (head.name.part == 0) return read_back(head, bytes, call);
  return {};
}

// The name is taken, or perhaps it is: by this very object, or by another writer's.
Outcome<void> LogWriter::who_was_it(const SegmentHead& head, const objstore::Call& call) {
  std::string bytes;
  TRY_OK(shelf_->store().get(
      shelf_->key(head.name.text()), {.length = kLargestHead},
      [&](std::string_view more) {
        bytes += more;
        return base::Status();
      },
      call));
  const auto there = parse_head(bytes, head.name);
  if (there && there->head == head) return {};
  if (there && (there->head.epoch < owner_.epoch || there->head.nonce == owner_.nonce))
    return trouble(kind::kOvertaken, fmt::format("{}: a writer with the epoch {} was faster",
                                                 head.name.text(), there->head.epoch));
  if (there)
    return trouble(kind::kStale, fmt::format("{}: another writer, with the epoch {}, is at work",
                                             head.name.text(), there->head.epoch));
  return trouble(kind::kMismatch, fmt::format("{}: {}", head.name.text(), there.error().message));
}

Outcome<void> LogWriter::read_back(const SegmentHead& head, std::string_view bytes,
                                   const objstore::Call& call) {
  size_t at = 0;
  bool same = true;
  TRY_OK(shelf_->store().get(
      shelf_->key(head.name.text()), {},
      [&](std::string_view more) {
        same = same && bytes.substr(std::min(at, bytes.size())).starts_with(more);
        at += more.size();
        return base::Status();
      },
      call));
  if (same && at == bytes.size()) return {};
  // It is this writer's own, and would be in the way of another try.
  static_cast<void>(shelf_->store().remove(shelf_->key(head.name.text()), call));
  return trouble(kind::kMismatch, fmt::format("{}: the store said that it has it, and gives other "
                                              "bytes",
                                              head.name.text()));
}

Outcome<void> LogWriter::save_part(const objstore::Call& call) {
  if (!unsaved()) return {};
  world_->pass("log_part.before");
  TRY(const auto head, put(unsaved_, parts_ + 1, call));
  world_->pass("log_part.after");
  ++parts_;
  part_digest_ = digest(head);
  unsaved_ = {};
  return {};
}

Outcome<void> LogWriter::seal(const objstore::Call& call) {
  if (empty()) return {};
  world_->pass("log_seal.before");
  TRY(const auto head, put(segment_, 0, call));
  world_->pass("log_seal.after");
  sealed_digest_ = digest(head);
  const auto parts = std::exchange(parts_, 0);
  const auto sequence = sequence_++;
  pending_.reset();
  segment_ = {};
  unsaved_ = {};
  joins_ = true;
  for (std::int64_t part = 1; part <= parts; ++part) {
    const SegmentName name{owner_.incarnation, sequence, part};
    TRY_OK(shelf_->store().remove(shelf_->key(name.text()), call));
    world_->pass("log_part.removed");
  }
  return {};
}

}  // namespace archive
