// What is saved of a survivor before a new incarnation is made of it. Its volume is only read.
#include "drivers/host/survivor.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <functional>
#include <optional>
#include <thread>

#include "base/text.h"
#include "drivers/host/driver.h"
#include "drivers/host/export.h"
#include "drivers/host/members.h"
#include "drivers/host/snapshot_check.h"
#include "drivers/host/ticket.h"
#include "drivers/host/wal_commit.h"
#include "posix/env.h"
#include "posix/files.h"
#include "posix/process.h"
#include "posix/wakeup.h"
#include "posix/writer.h"

namespace host {
namespace {

constexpr base::Duration kStatus{1'000}, kReady{30'000}, kCopy{60'000}, kSnapshot{60'000};
constexpr base::Duration kTellEvery{1'000}, kLogEvery{10'000};
constexpr std::int64_t kSlowest = 20'000;  // bytes a millisecond
constexpr size_t kLimit = 4096;            // of the small files beside a snapshot
constexpr size_t kWords = 400;             // of what a process said, in a message
// The guard's signatures of damaged data (guard/signatures.cc), which is a program of its own.
constexpr std::array<std::string_view, 9> kDamage{"invalid database",
                                                  "Page expected to be",
                                                  "invalid freelist page",
                                                  "failed to get all reachable pages",
                                                  "unexpected fault address",
                                                  "walpb: crc mismatch",
                                                  "max entry size limit exceeded",
                                                  "cannot use none as id",
                                                  "wal: slice bounds out of range"};

engine::ApplyResult result_of(const base::Status& status) {
  if (status) return {};
  return {plan::Outcome::kRefused, status.error().message,
          status.error().code == base::Code::kDataLoss};
}

std::string operation_of(const plan::Record& record) {
  if (record.recovery) return record.recovery->operation;
  return record.operation ? record.operation->id : "";
}

bool is_there(const std::string& file) {
  return posix::exists(file) == base::Fact<bool>(true);
}

std::string mebibytes(std::uint64_t bytes) {
  return fmt::format("{} MiB", bytes >> 20U);
}

// Tells for as long as it lives how far a step is, and logs it now and then.
class Telling {
 public:
  Telling(Shared& shared, const base::ClusterKey& key, std::function<std::string()> words)
      : shared_(shared),
        key_(key),
        words_(std::move(words)),
        thread_([this](const auto& stop) { run(stop); }) {}
  Telling(const Telling&) = delete;
  Telling& operator=(const Telling&) = delete;
  ~Telling() {
    thread_.request_stop();
    thread_.join();
    shared_.long_work.end(key_);
  }

 private:
  void run(const std::stop_token& stop) {
    auto log_at = posix::deadline_in(kLogEvery);
    while (!stop.stop_requested()) {
      const std::string words = words_();
      shared_.long_work.tell(key_, words);
      if (posix::deadline_in({}) >= log_at) {
        shared_.log.info("survivor", {{"cluster", key_.text()}, {"progress", words}});
        log_at = posix::deadline_in(kLogEvery);
      }
      (void)posix::poll_until({}, posix::deadline_in(kTellEvery), stop);
    }
  }

  Shared& shared_;
  const base::ClusterKey key_;
  const std::function<std::string()> words_;
  std::jthread thread_;  // last: it uses the rest
};

}  // namespace

base::Duration limit_for(base::Duration least, std::uint64_t bytes) {
  return least + base::Duration(static_cast<std::int64_t>(bytes) / kSlowest);
}

std::uint64_t bytes_below(const std::string& dir) {
  std::uint64_t bytes = 0;
  const auto names = posix::list_dir(dir);
  for (size_t i = 0; names && i < names->size(); ++i) {
    const std::string path = dir + "/" + (*names)[i];
    const auto info = posix::file_info(path, false);
    if (info && info->directory) bytes += bytes_below(path);
    if (info && info->regular) bytes += info->size;
  }
  return bytes;
}

std::string damage_in(std::string_view said) {
  for (const auto line : base::split(said, '\n'))
    for (const auto sign : kDamage)
      if (line.find(sign) != std::string_view::npos) return std::string(line.substr(0, kWords));
  return {};
}

std::string encode(const RunningSnapshot& snapshot) {
  return fmt::format("{} {} {}", snapshot.member, snapshot.incarnation, snapshot.applied);
}

base::Result<RunningSnapshot> decode_running_snapshot(std::string_view text) {
  const auto words = base::split(text, ' ');
  const auto applied = words.size() == 3 ? base::parse_int(words[2]) : std::nullopt;
  if (!applied || *applied < 0)
    return base::fail(base::Code::kDataLoss, "it is not known what the snapshot is of");
  return RunningSnapshot{std::string(words[0]), std::string(words[1]),
                         static_cast<std::uint64_t>(*applied)};
}

std::string what_lacks(const RunningSnapshot& snapshot, const base::Result<std::uint64_t>& last) {
  if (!last)
    return fmt::format("what its log held after entry {}, which cannot be read", snapshot.applied);
  if (*last <= snapshot.applied) return {};
  return fmt::format("the entries {} to {} of its log", snapshot.applied + 1, *last);
}

base::Status HostDriver::take_snapshot(etcd::EtcdApi& from, const RecoveryFiles& to,
                                       const Call& call, const RunningSnapshot* running) {
  TRY(const auto status, from.status(kStatus));
  const auto all = static_cast<std::uint64_t>(std::max<std::int64_t>(0, status.db_size));
  TRY(auto file, posix::FileWriter::create(to.snapshot));
  SnapshotCheck check;
  base::Status wrote;
  std::atomic<std::uint64_t> got = 0;
  const auto sink = [&](std::string_view bytes) {
    check.update(bytes);
    wrote = file.append(bytes);
    got += bytes.size();
    return wrote.has_value() && !call.stop.stop_requested();
  };
  {
    const Telling telling(shared_, key_, [&] {
      return fmt::format("{} of {} of the survivor's snapshot are written", mebibytes(got),
                         mebibytes(all));
    });
    const auto streamed = from.snapshot(sink, limit_for(kSnapshot, all));
    TRY_OK(wrote);
    TRY_OK(streamed);
  }
  if (!check.holds())
    return base::fail(base::Code::kDataLoss, "the snapshot's own check sum does not hold");
  if (running != nullptr) {
    RunningSnapshot of = *running;
    of.applied = status.raft_applied;
    TRY_OK(posix::write_atomic(to.running, encode(of)));
  }
  TRY_OK(posix::write_atomic(
      to.bound, fmt::format("revision {} at least, by raft index {} of term {}{}", status.revision,
                            status.raft_applied, status.raft_term,
                            running == nullptr ? "" : ", of a snapshot taken while it ran")));
  return file.finish();
}

HostDriver::Done HostDriver::act(const plan::SnapshotSurvivor& a, const Call& call) {
  const auto& record = call.job.record;
  const auto found = record.members.find(a.member);
  const std::string operation = operation_of(record);
  if (found == record.members.end() || operation.empty())
    return {plan::Outcome::kRefused, "the record knows no recovery from " + a.member};
  const RecoveryFiles to = recovery_files(files_, operation);
  if (is_there(to.snapshot)) return {plan::Outcome::kDone, "it is there already"};
  if (auto made = posix::make_dirs(to.dir); !made) return result_of(made);
  if (auto ready = etcd_.dial(call.job.intent.cluster.spec.tls); !ready) return result_of(ready);
  const RunningSnapshot of{a.member, found->second.incarnation, 0};
  return result_of(take_snapshot(*etcd_.at(found->second.addresses.client_url), to, call, &of));
}

// A copy of the directory is brought up alone on ports of its own, so that what is only in the log
// is in the snapshot too.
HostDriver::Done HostDriver::act(const plan::ExportSurvivor& a, const Call& call) {
  const auto& record = call.job.record;
  const auto found = record.members.find(a.member);
  const std::string operation = operation_of(record);
  if (found == record.members.end() || operation.empty())
    return {plan::Outcome::kRefused, "the record knows no recovery from " + a.member};
  const MemberFiles files = files_of(a.member);
  const RecoveryFiles to = recovery_files(files_, operation);
  // A snapshot of the running process may lack the end of the log: it does not count here.
  if (is_there(to.exported)) return {plan::Outcome::kDone, "it is there already"};
  const auto alive = is_alive(files);
  engine::ApplyResult earlier{plan::Outcome::kDone, "an earlier try had read it", false};
  // Its place is gone as a whole.
  if (alive.is_absent() && adopt_export(found->second, to)) return earlier;
  if (alive != base::Fact<bool>(false))
    return {plan::Outcome::kRefused, a.member + " is not proven to be stopped"};
  const auto read = export_copy(found->second, files, to, call);
  (void)posix::remove_tree(to.copy);
  if (read) return result_of(posix::write_atomic(to.exported, encode(*read)));
  if (adopt_export(found->second, to)) return earlier;
  base::Status failed = std::unexpected(read.error());
  const std::string other = other_way(found->second, files, to, record);
  if (!other.empty()) failed.error().message += "; " + other;
  return result_of(failed);
}

// What an earlier try read of its whole log before it began a new incarnation: nothing of the old
// one has run since, so that the volume cannot hold more. False: there is no such.
bool HostDriver::adopt_export(const plan::MemberRecord& member, const RecoveryFiles& to) {
  if (member.phase != plan::Phase::kSurvivor) return false;
  std::optional<RecoveryFiles> best;
  RunningSnapshot newest;
  const auto tries = posix::list_dir(files_.recovery);
  for (size_t i = 0; tries && i < tries->size(); ++i) {
    const RecoveryFiles from = recovery_files(files_, (*tries)[i]);
    const auto text = posix::read_file(from.fenced, kLimit);
    const auto of = text ? decode_running_snapshot(*text) : std::unexpected(text.error());
    if (!of || of->member != member.name || of->incarnation != member.incarnation ||
        !is_there(from.snapshot) || (best && of->applied <= newest.applied))
      continue;
    best = from;
    newest = *of;
  }
  if (!best) return false;
  const auto bound = posix::read_file(best->bound, kLimit);
  // What is fenced goes first: with the snapshot behind it this can be gone on with.
  const bool moved = best->dir == to.dir ||
                     (bound && posix::make_dirs(to.dir) && posix::write_atomic(to.bound, *bound) &&
                      posix::write_atomic(to.fenced, encode(newest)) &&
                      posix::rename(best->snapshot, to.snapshot));
  return moved && posix::write_atomic(to.exported, encode(newest)).has_value();
}

// Of a survivor whose volume could not be read: whether the snapshot that was taken while it ran
// may stand in for it. It does when it lacks nothing; else a person is told what it lacks, and it
// does in the try that is approved after that. Gives what is to be said.
std::string HostDriver::other_way(const plan::MemberRecord& member, const MemberFiles& files,
                                  const RecoveryFiles& to, const plan::Record& record) {
  const bool approved = record.recovery && record.recovery->approved;
  const auto floor = floor_of(files.marker, member.audited_index);
  const auto last = floor ? end_of_log(files.data + "/member/wal", *floor)
                          : base::Result<std::uint64_t>(std::unexpected(floor.error()));
  if (!is_there(to.snapshot) && approved) adopt_snapshot(member, to, last);
  if (!is_there(to.snapshot)) return {};
  const auto text = posix::read_file(to.running, kLimit);
  const auto of = text ? decode_running_snapshot(*text) : std::unexpected(text.error());
  if (!of || of->member != member.name || of->incarnation != member.incarnation) return {};
  const std::string lacks = what_lacks(*of, last);
  if (lacks.empty() || is_there(to.usable)) {
    if (auto kept = posix::write_atomic(to.usable, ""); !kept) return kept.error().message;
    return lacks.empty()
               ? "the snapshot that was taken while it ran holds its whole log"
               : "the snapshot that was taken while it ran is used, as approved, without " + lacks;
  }
  if (auto kept = posix::write_atomic(to.told, lacks); !kept) return kept.error().message;
  return "the snapshot that was taken while it ran lacks " + lacks +
         "; another try, when approved, does without them if it must";
}

// The snapshot of an earlier try, if a person was told what it lacks and it lacks no more now.
void HostDriver::adopt_snapshot(const plan::MemberRecord& member, const RecoveryFiles& to,
                                const base::Result<std::uint64_t>& last) {
  const auto tries = posix::list_dir(files_.recovery);
  for (size_t i = 0; tries && i < tries->size(); ++i) {
    const RecoveryFiles from = recovery_files(files_, (*tries)[i]);
    if (from.dir == to.dir || !is_there(from.snapshot) || is_there(from.exported)) continue;
    const auto text = posix::read_file(from.running, kLimit);
    const auto of = text ? decode_running_snapshot(*text) : std::unexpected(text.error());
    const auto told = posix::read_file(from.told, kLimit);
    const auto bound = posix::read_file(from.bound, kLimit);
    if (!of || !told || !bound || of->member != member.name ||
        of->incarnation != member.incarnation || *told != what_lacks(*of, last))
      continue;
    if (posix::make_dirs(to.dir) && posix::write_atomic(to.running, *text) &&
        posix::write_atomic(to.bound, fmt::format("{}, without {}", *bound, *told)) &&
        posix::write_atomic(to.usable, ""))
      (void)posix::rename(from.snapshot, to.snapshot);
    return;
  }
}

base::Status HostDriver::copy_data(const MemberFiles& files, const RecoveryFiles& to,
                                   const Call& call, std::uint64_t all) {
  TRY_OK(posix::make_dirs(to.dir));
  TRY_OK(posix::remove_tree(to.copy));
  TRY(const auto cp, posix::find_program("cp", "/usr/bin:/bin"));
  const Telling telling(shared_, key_, [&] {
    return fmt::format("{} of {} of the survivor's data are copied",
                       mebibytes(bytes_below(to.copy)), mebibytes(all));
  });
  TRY(const auto copied, posix::run({{cp, "-a", "--reflink=auto", files.data, to.copy}, {}, "/"},
                                    {limit_for(kCopy, all)}, call.stop));
  if (copied.exit_code == 0) return {};
  return base::fail(base::Code::kUnavailable, "copy of the data failed: " + copied.err);
}

base::Result<RunningSnapshot> HostDriver::export_copy(const plan::MemberRecord& member,
                                                      const MemberFiles& files,
                                                      const RecoveryFiles& to, const Call& call) {
  const auto& spec = call.job.intent.cluster.spec;
  const std::uint64_t all = bytes_below(files.data);
  TRY_OK(copy_data(files, to, call, all));
  TRY(const auto floor, floor_of(files.marker, member.audited_index));
  TRY(const auto last, commit_whole_log(to.copy + "/member/wal", floor));
  shared_.log.info("survivor_log", {{"member", member.name}, {"index", std::to_string(last)}});
  TRY(const auto programs, shared_.binaries.find(member.version, call.stop));
  TRY(const auto owner, owner_of_log(to.copy + "/member/wal"));
  TRY(const auto ports, shared_.ports.borrow(3));
  const bool tls = spec.tls.mode != api::TlsMode::kDisabled;
  plan::MemberRecord alone = member;
  alone.addresses = {fmt::format("https://127.0.0.1:{}", ports[0]),
                     fmt::format("{}://127.0.0.1:{}", tls ? "https" : "http", ports[1]),
                     fmt::format("http://127.0.0.1:{}", ports[2])};
  posix::Launch launch{
      {programs.etcd, "--data-dir=" + to.copy, "--name=" + member.name,
       "--initial-cluster=" + member.name + "=" + alone.addresses.peer_url, "--force-new-cluster"},
      {},
      "/"};
  TRY(auto args, args_of(spec, alone, files));
  for (auto& arg : args)
    if (!arg.starts_with("--feature-gates") && arg.find("corrupt-check") == std::string::npos)
      launch.argv.push_back(std::move(arg));
  TRY_OK(etcd_.dial(spec.tls));
  base::Result<posix::RunResult> ended = base::fail(base::Code::kInternal, "it still runs");
  base::Status taken;
  std::atomic<bool> gone = false;
  {
    const std::jthread etcd([&](const std::stop_token& stop) {
      ended = posix::run(launch, {limit_for(kReady, all) + limit_for(kSnapshot, all)}, stop);
      gone = true;
    });
    const Api api = etcd_.at(alone.addresses.client_url);
    const auto come_up = [&] {
      const Telling telling(shared_, key_, [&] {
        return fmt::format("etcd opens a copy of the survivor's data, {}", mebibytes(all));
      });
      return comes_up(*api, owner, all, gone, call.stop);
    };
    taken = come_up();
    if (taken) taken = take_snapshot(*api, to, call, nullptr);
  }
  if (taken) return RunningSnapshot{member.name, member.incarnation, last};
  if (!ended || ended->err.empty()) return std::unexpected(taken.error());
  const std::string& said = ended->err;
  if (const auto damage = damage_in(said); !damage.empty())
    return base::fail(base::Code::kDataLoss, "etcd finds a copy of the data damaged: " + damage);
  return std::unexpected(
      taken.error().in("etcd on a copy of the data ended: " +
                       said.substr(said.size() - std::min(kWords, said.size()))));
}

}  // namespace host
