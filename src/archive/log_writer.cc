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
  TRY(const auto tail, read_log_tail(shelf, owner.incarnation, calls));
  LogWriter writer(shelf, owner, std::move(scratch), world);
  if (tail.sealed) TRY_OK(writer.check_owner(*tail.sealed));
  for (const auto& part : tail.parts) TRY_OK(writer.check_owner(part));
  writer.adopt(tail);
  TRY_OK(writer.adopt_parts(tail, calls));
  writer.unsaved_ = {};
  writer.parts_ = 0;
  if (!writer.empty()) TRY_OK(writer.seal(calls()));
  TRY_OK(writer.remove_parts(tail, calls));
  return writer;
}

Outcome<void> LogWriter::check_owner(const LogEntry& entry) const {
  if (entry.head && entry.head->cluster_id != owner_.cluster_id)
    return trouble(kind::kForeign,
                   fmt::format("{}: of the cluster {}; this one is {}: nothing was written",
                               entry.name.text(), entry.head->cluster_id, owner_.cluster_id));
  if (entry.head && entry.head->epoch > owner_.epoch)
    return trouble(kind::kStale, fmt::format("{}: written with the epoch {}; this writer has {}",
                                             entry.name.text(), entry.head->epoch, owner_.epoch));
  return {};
}

void LogWriter::adopt(const LogTail& tail) {
  if (!tail.sealed) return;
  sequence_ = tail.sealed->name.sequence + 1;
  // One that cannot be read is left as it is; what comes does not go on from it.
  if (!tail.sealed->head) return;
  const auto& last = *tail.sealed->head;
  next_ = last.last + 1;
  end_ = last.end;
  sealed_digest_ = digest(last);
  facts_ = {last.base, last.users, last.etcd_version};
  joins_ = true;
  chain_first_ = tail.chain_first;
}

// Parts that follow each other and can be read. What is behind a bad one, and what another key
// closed, is read from etcd again.
Outcome<void> LogWriter::adopt_parts(const LogTail& tail, const Calls& calls) {
  const auto key = world_->key == nullptr ? std::nullopt : std::optional(world_->key->encryption());
  // Of one that is damaged nothing is known but that its name is taken.
  const auto sealed = tail.sealed && tail.sealed->head ? tail.sealed->name.sequence : 0;
  std::int64_t group = 0;
  for (const auto& part : tail.parts) {
    if (!part.head || part.head->encryption != key) continue;
    const auto& head = *part.head;
    const bool of_sealed = part.name.sequence <= sealed;
    // A seal whose answer did not come may have been one, of less than came then.
    if (of_sealed && (next_ == 0 || head.first > next_ || head.last < next_)) continue;
    if (!of_sealed) {
      if (part.name.part != parts_ + 1 || (parts_ > 0 && part.name.sequence != group)) continue;
      const bool joins = head.joins && head.first == next_ &&
                         head.previous == (parts_ > 0 ? part_digest_ : sealed_digest_);
      if (!joins && !empty()) break;
      if (!joins) begin(head.first);
    }
    TRY(const bool good, adopt_frames(part, calls));
    if (!good) break;
    facts_ = {head.base, head.users, head.etcd_version};
    if (of_sealed) continue;
    group = part.name.sequence;
    sequence_ = std::max(sequence_, group);
    part_digest_ = digest(head);
    ++parts_;
  }
  return {};
}

// False: it is damaged, and none of it was taken.
Outcome<bool> LogWriter::adopt_frames(const LogEntry& part, const Calls& calls) {
  std::vector<std::pair<Frame, std::string>> frames;
  base::Status read;
  // What looks damaged may have been damaged on the way.
  for (int i = 0; i < 2; ++i) {
    frames.clear();
    read = read_segment(
        *shelf_, part.name, world_->key,
        [&](const Frame& frame) {
          frames.emplace_back(frame, std::string(frame.records));
          return base::Status();
        },
        calls());
    if (read || read.error().code != Code::kDataLoss) break;
  }
  if (!read && read.error().code == Code::kDataLoss) return false;
  if (!read) return std::unexpected(read.error());
  for (auto& [frame, records] : frames) {
    if (frame.first < next_) continue;
    frame.records = records;
    TRY_OK(add(frame));
  }
  return true;
}

// Those whose content is in what is sealed. The names of the others stay in use.
Outcome<void> LogWriter::remove_parts(const LogTail& tail, const Calls& calls) {
  for (const auto& part : tail.parts) {
    if (part.head && part.head->first >= chain_first_ && part.head->last < next_) {
      TRY_OK(shelf_->store().remove(shelf_->key(part.name.text()), calls()));
      world_->pass("log_part.removed");
    } else {
      sequence_ = std::max(sequence_, part.name.sequence + 1);
    }
  }
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
                   .chain = chain_first_,
                   .first = run.first,
                   .last = run.last,
                   .begin = run.begin,
                   .end = run.end,
                   .users = facts_.users,
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
  auto there = base::Result<ParsedHead>(base::fail(Code::kDataLoss, "it was not read"));
  // What looks damaged may have been damaged on the way.
  for (int i = 0; i < 2 && !there; ++i) {
    bytes.clear();
    TRY_OK(shelf_->store().get(
        shelf_->key(head.name.text()), {.length = kLargestHead},
        [&](std::string_view more) {
          bytes += more;
          return base::Status();
        },
        call));
    there = parse_head(bytes, head.name);
  }
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
