// What is saved of a survivor before a new incarnation is made of it. Its volume is only read.
#include <fmt/format.h>

#include <thread>

#include "drivers/host/driver.h"
#include "drivers/host/members.h"
#include "drivers/host/ticket.h"
#include "drivers/host/wal_commit.h"
#include "pki/digest.h"
#include "posix/env.h"
#include "posix/files.h"
#include "posix/process.h"
#include "posix/wakeup.h"
#include "posix/writer.h"

namespace host {
namespace {

constexpr base::Duration kStatus{1'000}, kReady{30'000};
constexpr size_t kSum = 32;  // bytes of the SHA-256 at a snapshot's end

// Sees a snapshot go by and says at the end whether its own check sum holds.
class SnapshotCheck {
 public:
  void update(std::string_view bytes) {
    tail_.append(bytes);
    if (tail_.size() <= kSum) return;
    sum_.update(std::string_view(tail_).substr(0, tail_.size() - kSum));
    any_ = true;
    tail_.erase(0, tail_.size() - kSum);
  }
  [[nodiscard]] bool holds() { return any_ && tail_.size() == kSum && sum_.finish() == tail_; }

 private:
  pki::Sha256 sum_;
  std::string tail_;
  bool any_ = false;
};

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

}  // namespace

base::Status HostDriver::take_snapshot(etcd::EtcdApi& from, const RecoveryFiles& to,
                                       const Call& call) {
  TRY(const auto status, from.status(kStatus));
  TRY(auto file, posix::FileWriter::create(to.snapshot));
  SnapshotCheck check;
  base::Status wrote;
  const auto sink = [&](std::string_view bytes) {
    check.update(bytes);
    wrote = file.append(bytes);
    return wrote.has_value() && !call.stop.stop_requested();
  };
  const auto streamed = from.snapshot(sink, call.job.deadline);
  TRY_OK(wrote);
  TRY_OK(streamed);
  if (!check.holds())
    return base::fail(base::Code::kDataLoss, "the snapshot's own check sum does not hold");
  TRY_OK(posix::write_atomic(
      to.bound, fmt::format("revision {} at least, by raft index {} of term {}", status.revision,
                            status.raft_applied, status.raft_term)));
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
  return result_of(take_snapshot(*etcd_.at(found->second.addresses.client_url), to, call));
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
  if (is_alive(files) != base::Fact<bool>(false))
    return {plan::Outcome::kRefused, a.member + " is not proven to be stopped"};
  auto exported = export_copy(found->second, files, to, call);
  if (exported) exported = posix::write_atomic(to.exported, "");
  (void)posix::remove_tree(to.copy);
  return result_of(exported);
}

base::Status HostDriver::export_copy(const plan::MemberRecord& member, const MemberFiles& files,
                                     const RecoveryFiles& to, const Call& call) {
  const auto& spec = call.job.intent.cluster.spec;
  TRY_OK(posix::make_dirs(to.dir));
  TRY_OK(posix::remove_tree(to.copy));
  TRY(const auto cp, posix::find_program("cp", "/usr/bin:/bin"));
  TRY(const auto copied, posix::run({{cp, "-a", "--reflink=auto", files.data, to.copy}, {}, "/"},
                                    {call.job.deadline}, call.stop));
  if (copied.exit_code != 0)
    return base::fail(base::Code::kUnavailable, "copy of the data failed: " + copied.err);
  TRY(const auto last, commit_whole_log(to.copy + "/member/wal"));
  shared_.log.info("survivor_log", {{"member", member.name}, {"index", std::to_string(last)}});
  TRY(const auto programs, shared_.binaries.find(member.version, call.stop));
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
  base::Status taken = base::fail(base::Code::kDeadlineExceeded, "the copy did not come up");
  {
    const std::jthread etcd([&](const std::stop_token& stop) {
      ended = posix::run(launch, {call.job.deadline + kReady}, stop);
    });
    const Api api = etcd_.at(alone.addresses.client_url);
    const auto until = posix::deadline_in(kReady);
    while (posix::deadline_in({}) < until && !call.stop.stop_requested()) {
      const auto status = api->status(kStatus);
      if (status && status->leader) {
        taken = take_snapshot(*api, to, call);
        break;
      }
      (void)posix::poll_until({}, posix::deadline_in(base::Duration{50}), call.stop);
    }
  }
  if (!taken && ended && !ended->err.empty())
    return std::unexpected(
        taken.error().in("etcd on a copy of the data ended: " + ended->err.substr(0, 400)));
  return taken;
}

}  // namespace host
