#include "archive/merged_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "archive/merge.h"
#include "archive/snapshot.h"
#include "etcd/bolt/hashkv.h"
#include "posix/writer.h"

namespace archive {
namespace {

constexpr size_t kPiece = size_t{1} << 20;

std::unexpected<Trouble> ours(const std::string& what) {
  return trouble(kind::kInternal, "what was written anew is not it: " + what);
}

base::Status for_each_record(const posix::ScratchFile& log, const RecordSink& sink) {
  std::string buffer;
  for (std::uint64_t at = 0; at < log.size();) {
    const auto kept = buffer.size();
    const auto more = std::min<std::uint64_t>(kPiece, log.size() - at);
    buffer.resize(kept + more);
    TRY_OK(log.read(at, std::span(buffer.data() + kept, more)));
    at += more;
    std::string_view rest = buffer;
    while (const auto record = next_record(rest)) TRY_OK(sink(*record));
    buffer.erase(0, buffer.size() - rest.size());
  }
  return {};
}

}  // namespace

void note(FetchReport& report, const std::string& what) {
  if (!report.warning.empty()) report.warning += "; ";
  report.warning += what;
}

void note_users(const Fetched& base, std::int64_t of, const UsersMark& later, FetchReport& report) {
  const auto& content = base.facts.content;
  if (differ({content.auth_revision, content.auth_enabled}, later))
    note(report, fmt::format("users and roles are those of revision {}: they were changed later, "
                             "and changes of them are no part of the history",
                             of));
}

Outcome<void> write_merged(const FetchJob& job, const World& world, const Fetched& base,
                           const posix::ScratchFile& log, std::int64_t revision,
                           FetchReport& report) {
  const ScratchSource source(base.file);
  TRY(const auto database, bolt::Database::open(source, base.facts.database_bytes));
  TRY(auto file, posix::FileWriter::create(job.to));
  bool half = false;
  TRY(const auto merged,
      merge(
          database, base.facts, [&](const RecordSink& sink) { return for_each_record(log, sink); },
          {.revision = revision, .exact = job.exact},
          [&](std::string_view bytes) {
            if (!std::exchange(half, true)) world.pass("merge.half");
            return file.append(bytes);
          }));
  TRY(const auto written, bolt::FileSource::open(job.to + ".partial"));
  const auto facts = bolt::verify(written);
  if (!facts) return ours(facts.error().message);
  if (facts->revision != merged.revision || facts->records != merged.records ||
      (!job.exact && facts->live_keys != merged.keys))
    return ours(fmt::format("{} records at revision {} became {} at {}", merged.records,
                            merged.revision, facts->records, facts->revision));
  report.starts_at = facts->revision;
  report.hash = facts->hash->hash;
  report.hash_compact_revision = facts->hash->compact_revision;
  report.keys = facts->live_keys;
  report.log_records = merged.log_records;
  if (merged.unknown_leases > 0)
    note(report, fmt::format("{} leases were gone before their time to live was learnt; "
                             "they have 60 seconds now",
                             merged.unknown_leases));
  world.pass("fetched.before");
  TRY_OK(file.finish());
  world.pass("fetched.after");
  return {};
}

}  // namespace archive
