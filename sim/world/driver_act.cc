// Actions on the machines of a world: what drivers/host does on a real one.
#include <algorithm>

#include "drivers/host/ticket.h"
#include "sim/world/driver.h"

namespace sim {
namespace {

constexpr base::Duration kStop{15'000}, kStep{20};
constexpr const char* kOperatorName = "root";  // etcd takes it for its user of all rights

engine::ApplyResult done(std::string text = {}) {
  return {plan::Outcome::kDone, std::move(text)};
}
engine::ApplyResult refused(std::string text) {
  return {plan::Outcome::kRefused, std::move(text)};
}
engine::ApplyResult result_of(const base::Status& status) {
  if (status) return done();
  const auto code = status.error().code;
  const bool open = code == base::Code::kDeadlineExceeded || code == base::Code::kCancelled;
  return {open ? plan::Outcome::kMayHaveHappened : plan::Outcome::kRefused, status.error().message};
}

const plan::MemberRecord* find(const plan::Record& record, const std::string& name) {
  const auto found = record.members.find(name);
  return found == record.members.end() ? nullptr : &found->second;
}

// Paths mean nothing here but that they are absolute.
host::MemberFiles files_of(const std::string& member) {
  static const host::Layout kLayout("/sim");
  return kLayout.member({"default", "c"}, member);
}

}  // namespace

base::Status SimDriver::reach(const std::string& member) const {
  const auto found = world_.places.find(member);
  if (found == world_.places.end() || world_.reaches(found->second.machine)) return {};
  return base::fail(base::Code::kUnavailable, "the machine of " + member + " does not answer");
}

void SimDriver::issue_operator(const api::Tls& tls) {
  world_.operator_leaf = {1, world_.now(), world_.now() + tls.validity, kOperatorName};
}

void SimDriver::issue(const std::string& member, const std::string& incarnation,
                      const api::Tls& tls) {
  if (world_.operator_leaf.until == base::Instant{}) issue_operator(tls);
  const base::Instant from = world_.now(), until = from + tls.validity;
  world_.set_leaves(member, {1, from, until, member},
                    {world_.peer_authority(incarnation), from, until, member});
}

base::Status SimDriver::prepare(const std::string& member, const Call& call) {
  TRY_OK(reach(member));
  const Place& p = world_.place(member);
  if (p.volume.disk != Disk::kFine)
    return base::fail(base::Code::kResourceExhausted, "no space left on device");
  const auto& incarnation = call.job.record.members.at(member).incarnation;
  const bool good = p.has_leaves() && p.peer.ca == world_.peer_authority(incarnation) &&
                    p.peer.until > world_.now() && world_.operator_leaf.until != base::Instant{};
  if (!good) issue(member, incarnation, call.job.intent.cluster.spec.tls);
  return {};
}

SimDriver::Done SimDriver::act(const plan::PrepareMember& a, const Call& call) {
  if (find(call.job.record, a.member) == nullptr)
    return refused("the record does not know " + a.member);
  return result_of(prepare(a.member, call));
}

base::Status SimDriver::write_ticket(const plan::MemberRecord& member, const Call& call) {
  const auto& record = call.job.record;
  TRY_OK(reach(member.name));
  if (!world_.binaries.contains(member.version.text()))
    return base::fail(base::Code::kNotFound, "etcd " + member.version.text() + " is not there");
  const std::string program = "/etcd/" + member.version.text();
  host::TicketInput input{call.job.intent.cluster.spec,
                          record,
                          member,
                          files_of(member.name),
                          {program, program + "ctl", program + "utl"},
                          {},
                          {}};
  if (member.permit == plan::Permit::kJoin) {
    if (const auto now = etcd_.live(call))
      for (const auto& m : now->list.members)
        if (!m.peer_urls.empty()) input.live.emplace_back(m.name, m.peer_urls.front());
  }
  if (member.permit == plan::Permit::kRestore)
    input.restore_snapshot = "/sim/recovery/" + (record.recovery ? record.recovery->operation
                                                                 : record.restore.operation);
  TRY(guard::Ticket ticket, host::make_ticket(input));
  Place& p = world_.place(member.name);
  if (p.ticket) host::keep_flags(*p.ticket, call.job.intent.template_hash, ticket);
  if (p.ticket && *p.ticket == ticket) return {};
  if (p.volume.disk != Disk::kFine)
    return base::fail(base::Code::kResourceExhausted, "no space left on device");
  p.ticket = file(std::move(ticket));
  return {};
}

SimDriver::Done SimDriver::act(const plan::StartMember& a, const Call& call) {
  const auto* member = find(call.job.record, a.member);
  if (member == nullptr || !member->may_start)
    return refused("the record does not allow to start " + a.member);
  if (member->phase == plan::Phase::kRetired || member->phase == plan::Phase::kSurvivor)
    return refused(a.member + " is out of the cluster");
  // A full disk does not stop what is prepared already.
  const auto ready = prepare(a.member, call);
  if (!ready && (ready.error().code != base::Code::kResourceExhausted ||
                 !world_.place(a.member).has_leaves()))
    return result_of(ready);
  if (const auto wrote = write_ticket(*member, call); !wrote) return result_of(wrote);
  between("StartMember.ticket");
  if (world_.is_alive(a.member)) {
    world_.nudge_guard(a.member);
    return done("it runs already");
  }
  world_.start_guard(a.member);
  return done();
}

SimDriver::Done SimDriver::act(const plan::WriteTicket& a, const Call& call) {
  const auto* member = find(call.job.record, a.member);
  if (member == nullptr) return refused("the record does not know " + a.member);
  const auto wrote = write_ticket(*member, call);
  if (wrote) {
    between("WriteTicket.ticket");
    world_.nudge_guard(a.member);
  }
  return result_of(wrote);
}

base::Status SimDriver::stop(const std::string& member, base::Duration deadline) {
  TRY_OK(reach(member));
  world_.stop_guard(member);
  if (!world_.waits()) {
    world_.settle();
  } else {
    const base::Instant until = world_.now() + deadline;
    while (world_.is_alive(member) && world_.now() < until) world_.advance(kStep);
  }
  if (!world_.is_alive(member)) return {};
  return base::fail(base::Code::kDeadlineExceeded, "the member has not stopped yet");
}

SimDriver::Done SimDriver::act(const plan::StopMember& a, const Call& call) {
  return result_of(stop(a.member, std::min(kStop, call.job.deadline)));
}

SimDriver::Done SimDriver::act(const plan::IssueCertificates& a, const Call& call) {
  const auto& tls = call.job.intent.cluster.spec.tls;
  Done all = done();  // one whose place cannot be written holds up nobody else
  for (const auto& name : a.members) {
    const auto* member = find(call.job.record, name);
    if (member == nullptr) return refused("the record does not know " + name);
    auto there = result_of(reach(name));
    if (there.outcome == plan::Outcome::kDone && world_.place(name).volume.disk != Disk::kFine)
      there = refused("no space left on device");
    if (there.outcome != plan::Outcome::kDone) {
      if (all.outcome == plan::Outcome::kDone) all = std::move(there);
      continue;
    }
    issue(name, member->incarnation, tls);
    between("IssueCertificates.member");
  }
  if (!a.client) return all;
  issue_operator(tls);
  between("IssueCertificates.operator");
  if (world_.published) world_.user_leaf = {1, world_.now(), world_.now() + tls.validity, "client"};
  return all;
}

SimDriver::Done SimDriver::act(const plan::OpenToClients& /*a*/, const Call& call) {
  if (world_.published) return done("it is open already");
  const auto& tls = call.job.intent.cluster.spec.tls;
  if (world_.operator_leaf.until == base::Instant{}) issue_operator(tls);
  if (tls.mode != api::TlsMode::kDisabled)
    world_.user_leaf = {1, world_.now(), world_.now() + tls.validity, "client"};
  world_.published = true;
  return done();
}

SimDriver::Done SimDriver::act(const plan::FetchBinary& a, const Call& /*call*/) {
  if (world_.binaries.contains(a.version)) return done();
  if (!world_.binaries_to_fetch.contains(a.version))
    return refused("etcd " + a.version + " cannot be fetched");
  world_.binaries.insert(a.version);
  return done();
}

SimDriver::Done SimDriver::act(const plan::NewPeerAuthority& /*a*/, const Call& call) {
  const plan::Record& record = call.job.record;
  (void)world_.peer_authority(record.incarnation);
  if (!record.recovery) return done();
  const auto saved = world_.saved.find(record.recovery->operation);
  if (saved != world_.saved.end()) saved->second.fenced = saved->second.exported;
  return done();
}

// A backup does not wait for a drill.
SimDriver::Done SimDriver::act(const plan::StartBackup& a, const Call& call) {
  if (world_.stores != nullptr) world_.stores->end(Stores::Kind::kDrill);
  return start_job(Stores::Kind::kBackup, a.epoch, call);
}

SimDriver::Done SimDriver::act(const plan::StartDrill& a, const Call& call) {
  return start_job(Stores::Kind::kDrill, a.epoch, call);
}

SimDriver::Done SimDriver::act(const plan::FetchBackup& a, const Call& call) {
  Done started = start_job(Stores::Kind::kFetch, a.epoch, call);
  if (started.outcome != plan::Outcome::kDone) return started;
  std::erase_if(world_.saved, [](const auto& saved) { return saved.first.starts_with("fetch-"); });
  return started;
}

SimDriver::Done SimDriver::start_job(Stores::Kind kind, int epoch, const Call& call) {
  if (world_.stores == nullptr) return refused("there is no store in this world");
  return result_of(world_.stores->start(kind, epoch, call.job));
}

SimDriver::Done SimDriver::act(const plan::StartFollower& /*a*/, const Call& /*call*/) {
  return refused("no continuous log is written in this world");
}

SimDriver::Done SimDriver::act(const plan::EndFollower& /*a*/, const Call& /*call*/) {
  return refused("no continuous log is written in this world");
}

base::Status SimDriver::put_aside(const std::string& member) {
  TRY_OK(reach(member));
  if (world_.is_alive(member))
    return base::fail(base::Code::kFailedPrecondition, member + " still runs");
  world_.destroy(member);
  return {};
}

SimDriver::Done SimDriver::act(const plan::PutAside& a, const Call& call) {
  const auto* member = find(call.job.record, a.member);
  if (member != nullptr && member->phase != plan::Phase::kRetired &&
      member->phase != plan::Phase::kSurvivor)
    return refused(a.member + " is not retired");
  const bool there = world_.places.contains(a.member);
  const auto put = put_aside(a.member);
  if (put && there && !a.delete_data) world_.retained.push_back(a.member + "-retired");
  return result_of(put);
}

SimDriver::Done SimDriver::act(const plan::DeleteCluster& a, const Call& /*call*/) {
  for (const auto& [name, p] : world_.places) {
    if (const auto there = reach(name); !there) return refused(there.error().message);
    if (world_.is_alive(name)) return refused(name + " still runs");
  }
  if (world_.stores != nullptr)
    for (const auto kind : {Stores::Kind::kBackup, Stores::Kind::kDrill, Stores::Kind::kFetch})
      world_.stores->end(kind);
  if (!a.delete_data) return done("its data is kept");
  world_.forget_cluster();
  if (world_.stores != nullptr) world_.stores->forget_jobs();
  memory_.record_version = world_.record.version;
  return done();
}

SimDriver::Done SimDriver::act(const plan::DiscardFormation& /*a*/, const Call& call) {
  if (call.job.record.formation == plan::Formation::kLatched)
    return refused("the cluster was formed: its data is kept");
  std::vector<std::string> names;
  for (const auto& [name, p] : world_.places) names.push_back(name);
  for (const auto& name : names) {
    if (const auto there = reach(name); !there) return result_of(there);
    const Place& p = world_.places.at(name);
    const bool blank = world_.volume_of(name).data.blank();
    // What begins from a backup holds nothing else, as long as it was not latched.
    const bool fetched = p.ticket && p.ticket->permit == guard::Permit::kRestore &&
                         !call.job.record.recovery &&
                         p.ticket->restore_operation == call.job.record.restore.operation;
    if (p.ticket ? !fetched && p.ticket->permit != guard::Permit::kBootstrap : !blank)
      return refused(name + " may hold data of a cluster that was formed");
    if (const auto stopped = stop(name, kStop); !stopped) return result_of(stopped);
    if (const auto put = put_aside(name); !put) return result_of(put);
    world_.retained.push_back(name + "-unformed");
    between("DiscardFormation.member");
  }
  return done();
}

}  // namespace sim
