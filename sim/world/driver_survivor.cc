// What is saved of a survivor before a new incarnation is made of it: what drivers/host/survivor.cc
// does with real files.
#include <fmt/format.h>

#include "drivers/host/survivor.h"
#include "sim/world/driver.h"

namespace sim {
namespace {

constexpr base::Duration kStatus{1'000};
constexpr std::int64_t kBytesASecond = 150'000'000;

engine::ApplyResult refused(std::string text, bool damaged = false) {
  return {plan::Outcome::kRefused, std::move(text), damaged};
}

// The survivor and the recovery that an action is about; null: the record knows none.
const plan::MemberRecord* survivor_in(const plan::Record& record, const std::string& name) {
  const auto found = record.members.find(name);
  return found == record.members.end() || operation_of(record).empty() ? nullptr : &found->second;
}

std::string bound_of(const Snapshot& snapshot) {
  return fmt::format("revision {} at least, by raft index {} of term {}", snapshot.state->revision,
                     snapshot.index, snapshot.term);
}

bool log_is_damaged(const Dir& dir) {
  return dir.damage == Damage::kCrc || dir.damage == Damage::kEmptyFile;
}

base::Result<std::uint64_t> end_of_log(const Dir& dir) {
  if (dir.blank()) return base::fail(base::Code::kNotFound, "there is no log");
  if (log_is_damaged(dir)) return base::fail(base::Code::kDataLoss, "the log is damaged");
  return index_of(dir.tip);
}

}  // namespace

std::string operation_of(const plan::Record& record) {
  if (record.recovery) return record.recovery->operation;
  return record.operation ? record.operation->id : "";
}

void SimDriver::see_saved(const engine::Job& job, plan::Observation& seen) const {
  const std::string operation = operation_of(job.record);
  if (operation.empty()) {
    seen.survivor_snapshot = base::Fact<bool>::absent();
    return;
  }
  const auto found = world_.saved.find(operation);
  const bool there = found != world_.saved.end() && found->second.snapshot != nullptr;
  seen.survivor_snapshot = there;
  if (found != world_.saved.end()) seen.survivor_bound = found->second.bound;
  // One of a running process says nothing of the log's end.
  const auto& recovery = job.record.recovery;
  if (recovery && there && !found->second.exported && !found->second.usable &&
      !world_.is_alive(recovery->survivor))
    seen.survivor_snapshot = false;
}

SimDriver::Done SimDriver::act(const plan::SnapshotSurvivor& a, const Call& call) {
  const auto* member = survivor_in(call.job.record, a.member);
  if (member == nullptr) return refused("the record knows no recovery from " + a.member);
  const std::string operation = operation_of(call.job.record);
  if (world_.saved[operation].snapshot) return {plan::Outcome::kDone, "it is there already"};
  if (const auto ready = etcd_.dial(call.job.intent.cluster.spec.tls); !ready)
    return refused(ready.error().message);
  const auto status = etcd_.at(member->addresses.client_url)->status(kStatus);
  if (!status) return refused(status.error().message);
  const Process* etcd = world_.etcd().at_client_url(member->addresses.client_url);
  if (etcd == nullptr) return refused("it does not run");
  const Snapshot taken = snapshot_of(*etcd);
  if (!taken.sound) return refused("the snapshot's own check sum does not hold", true);
  world_.advance(base::Duration(etcd->dir.db_size * 1'000 / kBytesASecond));
  Saved& to = world_.saved[operation];
  to.running = {a.member, member->incarnation, status->raft_applied};
  to.bound = bound_of(taken) + ", of a snapshot taken while it ran";
  between("SnapshotSurvivor.bound");
  to.snapshot = file(taken);
  return {};
}

SimDriver::Done SimDriver::act(const plan::ExportSurvivor& a, const Call& call) {
  const auto* member = survivor_in(call.job.record, a.member);
  if (member == nullptr) return refused("the record knows no recovery from " + a.member);
  const std::string operation = operation_of(call.job.record);
  // A snapshot of the running process may lack the end of the log: it does not count here.
  if (world_.saved[operation].exported) return {plan::Outcome::kDone, "it is there already"};
  if (const auto there = reach(a.member); !there) return refused(there.error().message);
  if (world_.is_alive(a.member)) return refused(a.member + " is not proven to be stopped");
  const Dir data = world_.volume_of(a.member).data;
  const auto exported = export_of(data, true);
  if (exported && exported->sound) {
    Saved& to = world_.saved[operation];
    to.snapshot = file(*exported);
    to.bound = bound_of(*exported);
    between("ExportSurvivor.snapshot");
    to.exported = true;
    to.whole = {a.member, member->incarnation, exported->index};
    return {};
  }
  if (adopt_export(*member, call.job.record))
    return {plan::Outcome::kDone, "an earlier try had read it"};
  const std::string other = other_way(*member, call.job.record, data);
  return refused("the copy did not come up" + (other.empty() ? "" : "; " + other),
                 log_is_damaged(data) || exported.has_value() || (!data.blank() && !data.tip));
}

bool SimDriver::adopt_export(const plan::MemberRecord& member, const plan::Record& record) {
  if (member.phase != plan::Phase::kSurvivor) return false;
  Saved* best = nullptr;
  for (auto& [operation, from] : world_.saved) {
    if (!from.fenced || !from.snapshot || from.whole.member != member.name ||
        from.whole.incarnation != member.incarnation)
      continue;
    if (best == nullptr || from.whole.applied > best->whole.applied) best = &from;
  }
  if (best == nullptr) return false;
  Saved& to = world_.saved[operation_of(record)];
  if (best != &to) {
    to = *best;
    best->snapshot = nullptr;
  }
  to.exported = true;
  return true;
}

// Whether the snapshot that was taken while it ran may stand in for a volume that cannot be read.
std::string SimDriver::other_way(const plan::MemberRecord& member, const plan::Record& record,
                                 const Dir& data) {
  const auto last = end_of_log(data);
  Saved& to = world_.saved[operation_of(record)];
  if (!to.snapshot && record.recovery && record.recovery->approved) {
    for (auto& [operation, from] : world_.saved) {
      if (&from == &to || !from.snapshot || from.exported || from.told.empty() ||
          from.running.member != member.name || from.running.incarnation != member.incarnation ||
          from.told != host::what_lacks(from.running, last))
        continue;
      to = from;
      to.bound += ", without " + from.told;
      to.told.clear();
      to.usable = true;
      from.snapshot = nullptr;
      break;
    }
  }
  if (!to.snapshot || to.running.member != member.name ||
      to.running.incarnation != member.incarnation)
    return {};
  const std::string lacks = host::what_lacks(to.running, last);
  if (lacks.empty() || to.usable) {
    to.usable = true;
    return lacks.empty()
               ? "the snapshot that was taken while it ran holds its whole log"
               : "the snapshot that was taken while it ran is used, as approved, without " + lacks;
  }
  to.told = lacks;
  return "the snapshot that was taken while it ran lacks " + lacks +
         "; another try, when approved, does without them if it must";
}

}  // namespace sim
