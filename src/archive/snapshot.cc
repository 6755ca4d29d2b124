#include "archive/snapshot.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "etcd/bolt/hashkv.h"
#include "pki/random.h"
#include "posix/files.h"

namespace archive {
namespace {

using base::Code;

constexpr base::Duration kHashTime{60'000};
constexpr std::uint64_t kRoom = std::uint64_t{64} << 20;

// How large a snapshot of a database may become; it grows while it is being asked for.
std::uint64_t limit_of(const etcd::MemberStatus& status) {
  const auto size = static_cast<std::uint64_t>(std::max<std::int64_t>(status.db_size, 0));
  return size + size / 5 + kRoom;
}

// What is wrong with the scratch directory is no member's fault.
struct Stream {
  posix::ScratchFile file;
  base::Status wrote = {};
};

base::Status stream(const Usable& from, Stream& to, base::Duration time,
                    const std::stop_token& stop) {
  const auto limit = limit_of(from.status);
  bool too_much = false;
  const auto done = from.api->snapshot(
      [&](std::string_view bytes) {
        too_much = to.file.size() + bytes.size() > limit;
        if (too_much || stop.stop_requested()) return false;
        to.wrote = to.file.append(bytes);
        return to.wrote.has_value();
      },
      time);
  if (too_much)
    return base::fail(Code::kDataLoss,
                      fmt::format("it gives more than {} bytes, of a database of {}", limit,
                                  from.status.db_size));
  return done;
}

base::Result<bolt::SipKey> sip_key() {
  TRY(const auto bytes, pki::random_bytes(16));
  return bolt::SipKey{.low = bolt::load<std::uint64_t>(bytes, 0),
                      .high = bolt::load<std::uint64_t>(bytes, 8)};
}

enum class Compared { kEqual, kDiffers, kNoAnswer, kIncomparable };
struct Comparison {
  Compared is = Compared::kNoAnswer;
  std::int64_t compact_revision = 0;
  std::string text;  // "c-1 …"
};

Comparison compare(const Usable& member, const ScratchSource& source,
                   const bolt::SnapshotFacts& facts, base::Duration time) {
  const auto& name = member.endpoint.member;
  const auto live = member.api->hash_kv(facts.revision, std::min(time, kHashTime));
  // A compaction has passed it meanwhile; 3.4 says so of the compacted revision itself, too.
  if (!live && live.error().code == Code::kNotFound)
    return {.is = Compared::kIncomparable, .text = name + ": " + live.error().message};
  if (!live) return {.text = fmt::format("{}: {}", name, live.error().message)};
  auto ours = *facts.hash;
  if (live->compact_revision != ours.compact_revision) {
    const auto sip = sip_key();
    const auto database = bolt::Database::open(source, facts.database_bytes);
    auto hash = !sip        ? base::Result<bolt::HashKv>(std::unexpected(sip.error()))
                : !database ? base::Result<bolt::HashKv>(std::unexpected(database.error()))
                            : bolt::hash_kv(*database, {.revision = facts.revision,
                                                        .compact_revision = live->compact_revision,
                                                        .sip = *sip});
    // It may answer from its cache with a hash from before its last compaction, of what is gone.
    if (!hash && hash.error().code != Code::kFailedPrecondition)
      return {.text = name + ": " + hash.error().message};
    if (!hash)
      return {
          .is = Compared::kIncomparable,
          .text = fmt::format("{}: its answer is of before its compaction, as if compacted at {}",
                              name, live->compact_revision)};
    ours = *hash;
  }
  const auto is = live->hash == ours.hash ? Compared::kEqual : Compared::kDiffers;
  return {.is = is,
          .compact_revision = live->compact_revision,
          .text = fmt::format("{} has the hash {} at revision {}, the snapshot {}", name,
                              live->hash, facts.revision, ours.hash)};
}

// Sets what was found; Trouble: mismatch, no-member.
Outcome<void> prove(const Members& members, const Usable& from, Snapshot& snapshot,
                    const World& world, base::Tick deadline) {
  const ScratchSource source(snapshot.file);
  std::vector<const Usable*> order;
  for (const auto& one : members.usable)
    if (&one != &from) order.push_back(&one);
  std::ranges::reverse(order);  // the leader first
  order.push_back(&from);       // who may only agree with itself
  unsigned equal = 0, differ = 0;
  bool incomparable = false;
  std::vector<std::string> differences, others;
  for (const auto* one : order) {
    if (one == &from && equal + differ > 0) break;
    const auto result = compare(*one, source, snapshot.facts, world.left(deadline));
    switch (result.is) {
      case Compared::kEqual:
        ++equal;
        snapshot.hash_of_member = one->endpoint.member;
        snapshot.hash_compact_revision = result.compact_revision;
        break;
      case Compared::kDiffers:
        ++differ;
        differences.push_back(result.text);
        break;
      case Compared::kIncomparable:
        incomparable = true;
        others.push_back(result.text);
        break;
      case Compared::kNoAnswer:
        others.push_back(result.text);
        break;
    }
    if (equal > 0 && differ == 0) return {};
  }
  if (differ > 0 && (equal == 0 || equal + 1 <= differ))
    return trouble(kind::kMismatch,
                   "its hash is not the members': " + base::join(differences, "; "));
  if (differ > 0) snapshot.warning = "members differ: " + base::join(differences, "; ");
  if (equal > 0) return {};
  if (!incomparable)
    return trouble(kind::kNoMember, "no member told its hash: " + base::join(others, "; "));
  snapshot.warning = "the snapshot is good, but no member's hash can be compared with it: " +
                     base::join(others, "; ");
  return {};
}

Outcome<Snapshot> take_from(const Members& members, const Usable& from, const std::string& scratch,
                            const World& world, base::Tick deadline, base::Duration time) {
  TRY(const auto free, posix::free_bytes(scratch));
  const auto need = static_cast<std::uint64_t>(std::max<std::int64_t>(from.status.db_size, 0));
  if (free < need)
    return trouble(kind::kFull, fmt::format("{}: {} bytes are free; the snapshot needs {}", scratch,
                                            free, need));
  TRY(auto file, posix::ScratchFile::create(scratch));
  Stream to{.file = std::move(file)};
  const auto done = stream(from, to, time, world.stop);
  if (!to.wrote) return std::unexpected(Trouble(to.wrote.error()));
  if (!done) return std::unexpected(Trouble(kind::kNoMember, done.error().in("snapshot")));
  const ScratchSource source(to.file);
  auto facts = bolt::verify(source);
  if (!facts && facts.error().code != Code::kDataLoss) return std::unexpected(facts.error());
  if (!facts)
    return std::unexpected(Trouble(kind::kMismatch, facts.error().in("not a good snapshot")));
  if (facts->revision < from.revision)
    return trouble(kind::kMismatch, fmt::format("its snapshot ends at revision {}, and it had {}",
                                                facts->revision, from.revision));
  Snapshot snapshot{.file = std::move(to.file),
                    .facts = *std::move(facts),
                    .member = from.endpoint.member,
                    .member_version = from.status.version,
                    .hash_of_member = {},
                    .warning = {}};
  TRY_OK(prove(members, from, snapshot, world, deadline));
  return snapshot;
}

Snapshot with(Snapshot snapshot, const std::vector<std::string>& problems) {
  if (!problems.empty() && !snapshot.warning.empty()) snapshot.warning += "; ";
  snapshot.warning += base::join(problems, "; ");
  return snapshot;
}

}  // namespace

Outcome<Snapshot> take_snapshot(const Members& members, const std::string& scratch,
                                const World& world, base::Tick deadline) {
  std::vector<std::string> problems;  // of those that were asked for one
  std::string_view kind = kind::kNoMember;
  std::optional<Snapshot> unproved;
  for (size_t i = 0; i < members.usable.size(); ++i) {
    const auto& from = members.usable[i];
    const auto left = world.left(deadline);
    // One that stalls leaves time for another.
    const auto time = i + 1 < members.usable.size() ? left / 2 : left;
    if (left <= base::Duration(0) || world.stop.stop_requested()) {
      problems.emplace_back("no time is left");
      break;
    }
    auto snapshot = take_from(members, from, scratch, world, deadline, time);
    if (snapshot) {
      // A second one may be of a moment that can be compared; a third would only cost.
      if (snapshot->hash_of_member.empty() && !unproved && i + 1 < members.usable.size()) {
        unproved = *std::move(snapshot);
        continue;
      }
      return with(*std::move(snapshot), problems);
    }
    const auto& why = snapshot.error();
    if (why.kind != kind::kMismatch && why.kind != kind::kNoMember) return snapshot;
    if (why.kind == kind::kMismatch) kind = kind::kMismatch;
    problems.push_back(from.endpoint.member + ": " + why.error.message);
  }
  if (unproved) return with(*std::move(unproved), problems);
  std::ranges::copy(members.problems, std::back_inserter(problems));
  return trouble(kind, "no member gave a good snapshot: " + base::join(problems, "; "));
}

}  // namespace archive
