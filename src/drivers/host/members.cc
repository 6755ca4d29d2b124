#include "drivers/host/members.h"

#include <csignal>
#include <optional>

#include "base/text.h"
#include "posix/env.h"
#include "posix/files.h"
#include "posix/lock.h"
#include "posix/process.h"
#include "posix/wakeup.h"

namespace host {
namespace {

constexpr size_t kLimit = size_t{1} << 20;
constexpr base::Duration kPoll{20};

plan::End to_end(guard::Class klass) {
  switch (klass) {
    case guard::Class::kNone:
      return plan::End::kNone;
    case guard::Class::kStopped:
      return plan::End::kStopped;
    case guard::Class::kRetry:
      return plan::End::kRetry;
    case guard::Class::kDataLost:
      return plan::End::kDataLost;
    case guard::Class::kDataCorrupt:
      return plan::End::kDataCorrupt;
    case guard::Class::kForeign:
      return plan::End::kForeign;
    case guard::Class::kRemoved:
      return plan::End::kRemoved;
    case guard::Class::kConfig:
      return plan::End::kConfig;
    case guard::Class::kNode:
      return plan::End::kNode;
    case guard::Class::kNoVolume:
      return plan::End::kNoVolume;
  }
  return plan::End::kNone;
}

plan::Permit to_plan(guard::Permit permit) {
  switch (permit) {
    case guard::Permit::kBootstrap:
      return plan::Permit::kBootstrap;
    case guard::Permit::kJoin:
      return plan::Permit::kJoin;
    case guard::Permit::kData:
      return plan::Permit::kData;
    case guard::Permit::kRestore:
      return plan::Permit::kRestore;
  }
  return plan::Permit::kData;
}

template <class T, class Decode>
base::Result<T> read_as(const std::string& file, Decode decode) {
  TRY(const std::string bytes, posix::read_file(file, kLimit));
  return decode(bytes);
}

base::Result<guard::State> read_state(const MemberFiles& files) {
  return read_as<guard::State>(files.state, guard::decode_state);
}

base::Fact<plan::Process> process_of(const MemberFiles& files, const std::string& boot_id,
                                     plan::MemberFacts& facts) {
  const auto alive = is_alive(files);
  if (alive.is_unknown()) return base::Fact<plan::Process>::unknown(alive.why());
  if (alive.is_absent() || !*alive) return plan::Process::kStopped;
  const auto state = read_state(files);
  // The lock is held but the file is of an earlier start, or not written yet.
  if (!state || state->boot_id != boot_id) return plan::Process::kStarting;
  switch (state->phase) {
    case guard::Phase::kStarting:
      return plan::Process::kStarting;
    case guard::Phase::kBackoff:
      return plan::Process::kBackoff;
    case guard::Phase::kEnded:
      return base::Fact<plan::Process>::unknown("its guard is ending");
    case guard::Phase::kRunning:
      break;
  }
  facts.version = state->version;
  facts.template_hash = state->template_hash;
  return plan::Process::kRunning;
}

// Of a member without a process: the marker says whose the volume is, the log whether there is
// data; what is wrong with the data only a guard can tell.
base::Fact<plan::Data> data_of(const MemberFiles& files, const plan::MemberRecord& member,
                               const plan::MemberFacts& facts) {
  using Data = plan::Data;
  if (facts.process.known() && *facts.process == plan::Process::kRunning) return Data::kOwn;
  if (posix::exists(files.dir) == base::Fact<bool>(false)) return base::Fact<Data>::absent();
  const auto data = has_data(files);
  if (!data.known()) return base::Fact<Data>::unknown(data.why());
  const auto marker = read_as<guard::Marker>(files.marker, guard::decode_marker);
  if (!marker && marker.error().code == base::Code::kNotFound) return Data::kNoMarker;
  if (!marker) return base::Fact<Data>::unknown(marker.error().message);
  if (marker->volume_id != member.volume || marker->member_name != member.name)
    return Data::kForeign;
  const auto end = facts.ended ? facts.ended->end : plan::End::kNone;
  if (end == plan::End::kForeign) return Data::kForeign;
  if (end == plan::End::kDataCorrupt) return Data::kCorrupt;
  if (!*data) return marker->started ? base::Fact<Data>(Data::kBlank) : Data::kNoMarker;
  if (end == plan::End::kDataLost) return Data::kOlder;
  return Data::kOwn;
}

std::optional<plan::Ending> ending_of(const MemberFiles& files) {
  const auto verdict = read_as<guard::Verdict>(files.verdict, guard::decode_verdict);
  if (!verdict || verdict->klass == guard::Class::kNone) return std::nullopt;
  return plan::Ending{to_end(verdict->klass), verdict->signature, verdict->at, verdict->failures};
}

// The guard of this very directory, by its state and its command line; a pid alone proves nothing.
base::Result<posix::ProcessId> find_guard(const MemberFiles& files, const std::string& boot_id) {
  TRY(const guard::State state, read_state(files));
  if (state.boot_id != boot_id || state.guard_pid <= 0)
    return base::fail(base::Code::kNotFound, "the guard's state is of an earlier start");
  TRY(const auto process, posix::identify(state.guard_pid));
  TRY(const std::string line,
      posix::read_file("/proc/" + std::to_string(state.guard_pid) + "/cmdline", kLimit));
  const std::string dir = '\0' + files.dir + '\0';
  if ((line + '\0').find(dir) == std::string::npos)
    return base::fail(base::Code::kNotFound, "that process is not the member's guard");
  return process;
}

}  // namespace

base::Fact<bool> is_alive(const MemberFiles& files) {
  return posix::is_locked(files.lock);
}

base::Fact<bool> has_data(const MemberFiles& files) {
  const auto wal = posix::list_dir(files.data + "/member/wal");
  if (wal) {
    for (const auto& name : *wal)
      if (name.ends_with(".wal")) return true;
    return false;
  }
  if (wal.error().code == base::Code::kNotFound) return false;
  return base::Fact<bool>::unknown(wal.error().message);
}

plan::MemberFacts look_at_member(const MemberFiles& files, const plan::MemberRecord& member,
                                 const std::string& boot_id) {
  plan::MemberFacts facts;
  facts.process = process_of(files, boot_id, facts);
  facts.ended = ending_of(files);
  facts.data = data_of(files, member, facts);
  if (const auto marker = read_as<guard::Marker>(files.marker, guard::decode_marker);
      marker && marker->volume_id == member.volume) {
    facts.log_term = marker->last_term;
    facts.log_index = marker->last_index;
  }
  const auto ticket = read_as<guard::Ticket>(files.ticket, guard::decode_ticket);
  if (ticket)
    facts.ticket = to_plan(ticket->permit);
  else if (ticket.error().code == base::Code::kNotFound)
    facts.ticket = base::Fact<plan::Permit>::absent();
  else
    facts.ticket = base::Fact<plan::Permit>::unknown(ticket.error().message);
  return facts;
}

base::Status make_member_dirs(const MemberFiles& files) {
  for (const auto* dir : {&files.dir, &files.volume, &files.tls, &files.log})
    TRY_OK(posix::make_dirs(*dir));
  return {};
}

base::Status start_guard(const std::string& guard, const MemberFiles& files,
                         base::Duration deadline, const std::stop_token& stop) {
  if (is_alive(files) == base::Fact<bool>(true)) return {};
  // Of an earlier life: they must not be taken for this one's.
  TRY_OK(posix::remove_file(files.verdict));
  TRY_OK(posix::remove_file(files.state));
  posix::Detached what;
  what.launch = {{guard, "run", "--member-dir", files.dir}, {}, "/"};
  for (const char* name : {"PATH", "HOME", "TZ"})
    if (const auto value = posix::get_env(name))
      what.launch.env.push_back(std::string(name) + "=" + *value);
  what.log_file = files.log + "/start.log";
  TRY(const auto process, posix::spawn_detached(what));
  const auto until = posix::deadline_in(deadline);
  while (posix::deadline_in({}) < until && !stop.stop_requested()) {
    if (is_alive(files) == base::Fact<bool>(true)) return {};
    if (posix::exists(files.verdict) == base::Fact<bool>(true)) return {};  // it has ended already
    if (posix::is_alive(process) == base::Fact<bool>(false))
      return base::fail(base::Code::kInternal, "the guard ended at once; see " + what.log_file);
    (void)posix::poll_until({}, posix::deadline_in(kPoll), stop);
  }
  return base::fail(base::Code::kDeadlineExceeded, "the guard has not taken the member's lock");
}

base::Status stop_guard(const MemberFiles& files, const std::string& boot_id,
                        base::Duration deadline, const std::stop_token& stop) {
  const auto until = posix::deadline_in(deadline);
  std::optional<posix::ProcessId> asked;
  for (;;) {
    const auto alive = is_alive(files);
    if (alive.is_unknown()) return base::fail(base::Code::kUnavailable, alive.why());
    if (alive.is_absent() || !*alive) return {};
    if (!asked) {
      const auto guard = find_guard(files, boot_id);
      if (guard && posix::send_signal(*guard, SIGTERM)) asked = *guard;
    }
    if (stop.stop_requested()) return base::fail(base::Code::kCancelled, "asked to stop");
    if (posix::deadline_in({}) >= until) break;
    (void)posix::poll_until({}, posix::deadline_in(kPoll), stop);
  }
  return asked ? base::fail(base::Code::kDeadlineExceeded, "the member has not stopped yet")
               : base::fail(base::Code::kFailedPrecondition,
                            "something holds the member's lock and is not its guard");
}

void nudge_guard(const MemberFiles& files, const std::string& boot_id) {
  const auto state = read_state(files);
  if (!state || state->phase != guard::Phase::kBackoff) return;
  if (const auto guard = find_guard(files, boot_id)) (void)posix::send_signal(*guard, SIGHUP);
}

}  // namespace host
