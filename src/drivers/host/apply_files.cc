// Actions on files and processes. Each may be repeated: what is done already stays done.
#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "base/text.h"
#include "drivers/host/driver.h"
#include "drivers/host/members.h"
#include "drivers/host/ticket.h"
#include "drivers/host/tombs.h"
#include "posix/files.h"

namespace host {
namespace {

constexpr base::Duration kStart{10'000}, kStop{15'000};
constexpr size_t kLimit = size_t{1} << 20;

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

std::optional<guard::Ticket> old_ticket(const MemberFiles& files) {
  const auto bytes = posix::read_file(files.ticket, kLimit);
  if (!bytes) return std::nullopt;
  auto ticket = guard::decode_ticket(*bytes);
  return ticket ? std::optional(std::move(*ticket)) : std::nullopt;
}

// Of a folder in retained/: "<member>-<kind>", or that with a number.
bool is_kind(std::string_view folder, std::string_view kind) {
  const auto dash = folder.rfind('-');
  if (dash != std::string_view::npos && base::parse_int(folder.substr(dash + 1)))
    folder = folder.substr(0, dash);
  return folder.ends_with(kind);
}

}  // namespace

HostDriver::Done HostDriver::act(const plan::PrepareMember& a, const Call& call) {
  const auto* member = find(call.job.record, a.member);
  if (member == nullptr) return refused("the record does not know " + a.member);
  const MemberFiles files = files_of(a.member);
  if (auto made = make_member_dirs(files); !made) return result_of(made);
  return result_of(certificates_.prepare_member(call.job.intent.cluster.spec.tls, a.member, files,
                                                member->incarnation));
}

base::Status HostDriver::write_ticket(const plan::MemberRecord& member, const Call& call) {
  const auto& record = call.job.record;
  const MemberFiles files = files_of(member.name);
  TRY(const EtcdPrograms programs, shared_.binaries.find(member.version, call.stop));
  TicketInput input{call.job.intent.cluster.spec, record, member, files, programs, {}, {}};
  if (member.permit == plan::Permit::kJoin) {
    if (const auto now = etcd_.live(call))
      for (const auto& m : now->list.members)
        if (!m.peer_urls.empty()) input.live.emplace_back(m.name, m.peer_urls.front());
  }
  if (member.permit == plan::Permit::kRestore)
    input.restore_snapshot = recovery_files(files_, record.recovery ? record.recovery->operation
                                                                    : record.restore.operation)
                                 .snapshot;
  TRY(guard::Ticket ticket, make_ticket(input));
  const auto old = old_ticket(files);
  if (old) keep_flags(*old, call.job.intent.template_hash, ticket);
  if (old && *old == ticket) return {};
  return posix::write_atomic(files.ticket, guard::encode(ticket));
}

HostDriver::Done HostDriver::act(const plan::StartMember& a, const Call& call) {
  const auto* member = find(call.job.record, a.member);
  if (member == nullptr || !member->may_start)
    return refused("the record does not allow to start " + a.member);
  const MemberFiles files = files_of(a.member);
  if (member->phase == plan::Phase::kRetired || member->phase == plan::Phase::kSurvivor)
    return refused(a.member + " is out of the cluster");
  // A member directory that is gone is the guard's to judge: it must be able to say so.
  if (auto made = make_member_dirs(files); !made) return result_of(made);
  const auto& tls = call.job.intent.cluster.spec.tls;
  if (auto ready = certificates_.prepare_member(tls, a.member, files, member->incarnation); !ready)
    return result_of(ready);
  if (auto wrote = write_ticket(*member, call); !wrote) return result_of(wrote);
  if (is_alive(files) == base::Fact<bool>(true)) {
    nudge_guard(files, shared_.boot_id);
    return done("it runs already");
  }
  return result_of(start_guard(*shared_.spawner, {shared_.options.guard, key_.ns, a.member, kStart},
                               files, call.stop));
}

HostDriver::Done HostDriver::act(const plan::WriteTicket& a, const Call& call) {
  const auto* member = find(call.job.record, a.member);
  if (member == nullptr) return refused("the record does not know " + a.member);
  const auto wrote = write_ticket(*member, call);
  if (wrote) nudge_guard(files_of(a.member), shared_.boot_id);
  return result_of(wrote);
}

HostDriver::Done HostDriver::act(const plan::StopMember& a, const Call& call) {
  return result_of(stop_guard(files_of(a.member), shared_.boot_id,
                              std::min(kStop, call.job.deadline), call.stop));
}

HostDriver::Done HostDriver::act(const plan::IssueCertificates& a, const Call& call) {
  const auto& tls = call.job.intent.cluster.spec.tls;
  base::Status first;  // one whose place cannot be written holds up nobody else
  for (const auto& name : a.members) {
    const auto* member = find(call.job.record, name);
    if (member == nullptr) return refused("the record does not know " + name);
    const auto made = certificates_.renew_member(tls, name, files_of(name), member->incarnation);
    if (!made && first) first = made;
  }
  if (a.client) {
    const auto made = certificates_.renew_clients(tls, call.job.record.incarnation);
    if (!made && first) first = made;
  }
  return result_of(first);
}

HostDriver::Done HostDriver::act(const plan::OpenToClients& /*a*/, const Call& call) {
  if (certificates_.published()) return done("it is open already");
  const auto& tls = call.job.intent.cluster.spec.tls;
  if (auto ready = certificates_.prepare_operator(tls); !ready) return result_of(ready);
  return result_of(certificates_.publish(tls));
}

HostDriver::Done HostDriver::act(const plan::FetchBinary& a, const Call& /*call*/) {
  const auto version = api::parse_version(a.version);
  if (!version) return refused(version.error().message);
  return result_of(shared_.fetcher.want(*version));
}

HostDriver::Done HostDriver::act(const plan::NewPeerAuthority& /*a*/, const Call& call) {
  const auto& record = call.job.record;
  if (auto made = certificates_.prepare_peer_ca(record.incarnation); !made) return result_of(made);
  if (!record.recovery) return {};
  // From here on the old incarnation never runs: another try may use what was read of it.
  const RecoveryFiles files = recovery_files(files_, record.recovery->operation);
  const auto exported = posix::read_file(files.exported, 4096);
  return exported ? result_of(posix::write_atomic(files.fenced, *exported)) : Done{};
}

base::Result<std::string> HostDriver::put_aside(const std::string& member, const std::string& why,
                                                bool remove) {
  const MemberFiles files = files_of(member);
  const auto alive = is_alive(files);
  if (alive.is_unknown()) return base::fail(base::Code::kUnavailable, alive.why());
  if (alive.known() && *alive)
    return base::fail(base::Code::kFailedPrecondition, member + " still runs");
  if (posix::exists(files.dir) == base::Fact<bool>(false)) return std::string();
  TRY_OK(posix::make_dirs(files_.retained));
  // A rename first, so that half-removed data never stands where a member's data is looked for.
  std::string to = member + "-" + why;
  for (int i = 2; posix::exists(files_.retained + "/" + to) != base::Fact<bool>(false) && i < 100;
       ++i)
    to = fmt::format("{}-{}-{}", member, why, i);
  TRY_OK(posix::rename(files.dir, files_.retained + "/" + to));
  if (!remove) return to;
  TRY_OK(posix::remove_tree(files_.retained + "/" + to));
  return std::string();
}

// S4: of stale data one copy is enough. `may_go` tells of a folder in retained/ whether it is such.
base::Status HostDriver::keep_only(const std::string& newest,
                                   const std::function<bool(const std::string&)>& may_go) {
  const auto names = posix::list_dir(files_.retained);
  if (!names) return std::unexpected(names.error());
  for (const auto& name : *names) {
    if (name == newest || !may_go(name)) continue;
    TRY_OK(posix::remove_tree(files_.retained + "/" + name));
    shared_.log.info("stale_data_removed", {{"cluster", key_.text()}, {"folder", name}});
  }
  return {};
}

// Data of members that this very incarnation has removed and that was not in order, else it would
// have been deleted at once. What a recovery has put aside is of an older one, and stays.
bool HostDriver::is_superseded(const std::string& folder, const plan::Record& record) const {
  if (!is_kind(folder, "-retired")) return false;
  const auto bytes = posix::read_file(files_.retained + "/" + folder + "/volume/marker", kLimit);
  const auto marker = bytes ? guard::decode_marker(*bytes) : std::unexpected(bytes.error());
  return marker && marker->incarnation == record.incarnation;
}

HostDriver::Done HostDriver::act(const plan::PutAside& a, const Call& call) {
  const auto* member = find(call.job.record, a.member);
  if (member != nullptr && member->phase != plan::Phase::kRetired &&
      member->phase != plan::Phase::kSurvivor)
    return refused(a.member + " is not retired");
  const auto put = put_aside(a.member, "retired", a.delete_data);
  const auto& record = call.job.record;
  const bool settled = record.formation == plan::Formation::kLatched && !record.recovery;
  if (put && !put->empty() && settled &&
      call.job.intent.cluster.spec.when_scaled == api::ClaimPolicy::kDelete)
    if (auto kept = keep_only(*put, [&](const auto& name) { return is_superseded(name, record); });
        !kept)
      shared_.log.warning("stale_data_not_removed",
                          {{"cluster", key_.text()}, {"why", kept.error().message}});
  return put ? done() : result_of(std::unexpected(put.error()));
}

HostDriver::Done HostDriver::act(const plan::DeleteCluster& a, const Call& call) {
  const auto names = posix::list_dir(files_.members);
  if (!names && names.error().code != base::Code::kNotFound) return refused(names.error().message);
  for (size_t i = 0; names && i < names->size(); ++i) {
    const auto alive = is_alive(files_of((*names)[i]));
    if (alive.is_unknown() || (alive.known() && *alive))
      return refused((*names)[i] + " still runs");
  }
  if (auto ended = end_jobs(call.stop); !ended) return result_of(ended);
  if (!a.delete_data) return done("its data is kept in " + files_.dir);
  shared_.ports.forget(call.job.record.key);
  // Before the record goes: what is in it may be known nowhere else.
  if (posix::exists(files_.dir) != base::Fact<bool>(false))
    if (auto kept = save_rest(shared_.layout, rest_of(call.job.record)); !kept)
      return result_of(kept);
  if (auto buried = bury(shared_.layout, key_); !buried) return result_of(buried);
  return result_of(remove_buried(shared_.layout, key_.ns, shared_.log));
}

HostDriver::Done HostDriver::act(const plan::DiscardFormation& /*a*/, const Call& call) {
  if (call.job.record.formation == plan::Formation::kLatched)
    return refused("the cluster was formed: its data is kept");
  const auto names = posix::list_dir(files_.members);
  if (!names)
    return names.error().code == base::Code::kNotFound ? done() : refused(names.error().message);
  // What an earlier formation left was never promised to anybody.
  const auto unformed = [](const std::string& name) { return is_kind(name, "-unformed"); };
  if (!names->empty() && posix::exists(files_.retained) == base::Fact<bool>(true))
    if (auto kept = keep_only("", unformed); !kept) return result_of(kept);
  for (const auto& name : *names) {
    const MemberFiles files = files_of(name);
    const auto ticket = old_ticket(files);
    const auto data = has_data(files);
    // What begins from a backup holds nothing else, as long as it was not latched.
    const bool fetched = ticket && ticket->permit == guard::Permit::kRestore &&
                         !call.job.record.recovery &&
                         ticket->restore_operation == call.job.record.restore.operation;
    if (ticket ? !fetched && ticket->permit != guard::Permit::kBootstrap
               : data != base::Fact<bool>(false))
      return refused(name + " may hold data of a cluster that was formed");
    const auto stopped = stop_guard(files, shared_.boot_id, kStop, call.stop);
    if (!stopped) return result_of(stopped);
    // Moved aside, not removed: cheap, and a mistake can be taken back.
    const auto put = put_aside(name, "unformed", false);
    if (!put) return result_of(std::unexpected(put.error()));
  }
  return done();
}

}  // namespace host
