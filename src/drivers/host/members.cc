#include "drivers/host/members.h"

#include <csignal>
#include <optional>

#include "drivers/live/member_facts.h"
#include "posix/change_time.h"
#include "posix/env.h"
#include "posix/files.h"
#include "posix/lock.h"
#include "posix/process.h"
#include "posix/wakeup.h"

namespace host {
namespace {

constexpr size_t kLimit = size_t{1} << 20;
constexpr base::Duration kPoll{20};

template <class T, class Decode>
base::Result<T> read_as(const std::string& file, Decode decode) {
  TRY(const std::string bytes, posix::read_file(file, kLimit));
  return decode(bytes);
}

base::Result<guard::State> read_state(const MemberFiles& files) {
  return read_as<guard::State>(files.state, guard::decode_state);
}

template <class T>
base::Fact<T> fact_of(base::Result<T> read) {
  if (read) return std::move(*read);
  if (read.error().code == base::Code::kNotFound) return base::Fact<T>::absent();
  return base::Fact<T>::unknown(read.error().message);
}

// As Verdict::volume; empty if it cannot be told.
std::string place_at(const std::string& path) {
  const auto info = posix::file_info(path);
  if (info) return guard::place_text({info->device, info->inode});
  return info.error().code == base::Code::kNotFound ? std::string(guard::kNoPlace) : std::string();
}

// Whether another directory stands there than the guard gave its verdict on, as when a volume is
// mounted (which brings its own, older times), or something came into it, or went, since: then the
// verdict is of other bytes, and a person may have brought back what was lost. The guard itself
// writes the verdict last.
bool is_of_other_bytes(const guard::Verdict& verdict, const MemberFiles& files) {
  using guard::Class;
  if (verdict.klass != Class::kDataLost && verdict.klass != Class::kDataCorrupt &&
      verdict.klass != Class::kForeign && verdict.klass != Class::kNoVolume)
    return false;
  const std::string place = place_at(files.volume);
  if (!verdict.volume.empty() && !place.empty() && verdict.volume != place) return true;
  const auto given = posix::changed_at(files.verdict);
  if (!given) return false;
  for (const char* below : {"", "/data", "/data/member", "/data/member/wal", "/data/member/snap"}) {
    const auto changed = posix::changed_at(files.volume + below);
    if (changed && *changed > *given) return true;
  }
  return false;
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
  live::Found found;
  found.alive = is_alive(files);
  found.directory = posix::exists(files.dir);
  found.data = has_data(files);
  found.state = fact_of(read_state(files));
  found.verdict = fact_of(read_as<guard::Verdict>(files.verdict, guard::decode_verdict));
  const bool stopped = found.alive.is_absent() || found.alive == base::Fact<bool>(false);
  if (found.verdict.known() && stopped && is_of_other_bytes(*found.verdict, files))
    found.verdict = base::Fact<guard::Verdict>::absent();
  found.marker = fact_of(read_as<guard::Marker>(files.marker, guard::decode_marker));
  found.ticket = fact_of(read_as<guard::Ticket>(files.ticket, guard::decode_ticket));
  return live::judge(found, member, boot_id);
}

base::Status make_member_dirs(const MemberFiles& files) {
  for (const auto* dir : {&files.dir, &files.volume, &files.tls, &files.log})
    TRY_OK(posix::make_dirs(*dir));
  return {};
}

base::Status start_guard(Spawner& spawner, const GuardStart& what, const MemberFiles& files,
                         const std::stop_token& stop) {
  if (is_alive(files) == base::Fact<bool>(true)) return {};
  // Of an earlier life: they must not be taken for this one's.
  TRY_OK(posix::remove_file(files.verdict));
  TRY_OK(posix::remove_file(files.state));
  GuardLaunch launch;
  launch.launch = {{what.guard, "run", "--member-dir", files.dir}, {}, "/"};
  for (const char* name : {"PATH", "HOME", "TZ"})
    if (const auto value = posix::get_env(name))
      launch.launch.env.push_back(std::string(name) + "=" + *value);
  launch.log_file = files.log + "/start.log";
  launch.cluster_ns = what.cluster_ns;
  launch.member = what.member;
  launch.member_dir = files.dir;
  launch.deadline = what.deadline;
  const auto until = posix::deadline_in(what.deadline);
  TRY(const auto process, spawner.start(launch, stop));
  while (posix::deadline_in({}) < until && !stop.stop_requested()) {
    if (is_alive(files) == base::Fact<bool>(true)) return {};
    if (posix::exists(files.verdict) == base::Fact<bool>(true)) return {};  // it has ended already
    if (!process || posix::is_alive(*process) == base::Fact<bool>(false))
      return base::fail(base::Code::kInternal, "the guard ended at once; see " + launch.log_file);
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
