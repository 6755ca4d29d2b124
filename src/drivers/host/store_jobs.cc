#include "drivers/host/store_jobs.h"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>

#include "base/text.h"
#include "posix/env.h"
#include "posix/files.h"
#include "posix/lock.h"
#include "posix/process.h"
#include "posix/wakeup.h"

namespace host {
namespace {

constexpr size_t kLimit = size_t{64} << 10;
constexpr size_t kLogLimit = size_t{1} << 20;
constexpr base::Duration kPoll{20};

// Empty: it is not there.
base::Result<std::string> text_of(const std::string& file) {
  auto bytes = posix::read_file(file, kLimit);
  if (!bytes && bytes.error().code == base::Code::kNotFound) return std::string();
  return bytes;
}

bool is_key(const std::string& name) {
  return !name.empty() && name != "." && name != ".." && name.size() <= 253 &&
         std::ranges::all_of(name, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '_' || c == '.';
         });
}

std::string encode(const posix::ProcessId& process) {
  return fmt::format("{} {}", process.pid, process.start_ticks);
}

base::Result<posix::ProcessId> decode_process(const std::string& text) {
  const auto words = base::split(text, ' ');
  const auto pid = base::parse_int(words.front());
  const auto ticks = words.size() == 2 ? base::parse_int(words[1]) : std::nullopt;
  if (!pid || !ticks || *pid <= 1 || *ticks < 0)
    return base::fail(base::Code::kNotFound, "it is not known which process the job is");
  return posix::ProcessId{*pid, static_cast<std::uint64_t>(*ticks)};
}

// The process of a job, whose file is named on its command line. A crash of ours between its start
// and the note of it leaves nothing else.
base::Result<posix::ProcessId> find_process(const JobFiles& files) {
  const std::string words = std::string("--job\0", 6) + files.job + '\0';
  TRY(const auto names, posix::list_dir("/proc"));
  for (const auto& name : names) {
    const auto pid = base::parse_int(name);
    if (!pid || *pid <= 1) continue;
    const auto process = posix::identify(*pid);  // before its words: then they are of this one
    const auto line = posix::read_file("/proc/" + name + "/cmdline", kLogLimit);
    if (process && line && line->find(words) != std::string::npos) return *process;
  }
  return base::fail(base::Code::kNotFound, "it is not known which process the job is");
}

base::Result<posix::ProcessId> process_of(const JobFiles& files) {
  TRY(const std::string text, text_of(files.process));
  auto noted = decode_process(text);
  return noted ? noted : find_process(files);
}

// The words of many jobs: kept, but not for ever.
base::Status trim_log(const std::string& file) {
  const auto info = posix::file_info(file, false);
  if (!info || info->size < kLogLimit) return {};
  return posix::rename(file, file + ".1");
}

}  // namespace

JobFiles job_files(const ClusterFiles& cluster, const std::string& kind) {
  const std::string dir = cluster.dir + "/jobs/" + kind;
  return {dir,           dir + "/job.json", dir + "/epoch",  dir + "/report.json", dir + "/process",
          dir + "/lock", dir + "/log",      dir + "/secret", dir + "/scratch"};
}

base::Fact<JobState> look_at_job(const JobFiles& files) {
  using Seen = base::Fact<JobState>;
  JobState out;
  const auto locked = posix::is_locked(files.lock);
  if (locked.is_unknown()) return Seen::unknown(locked.why());
  out.running = locked == base::Fact<bool>(true);
  const auto epoch = text_of(files.epoch);
  if (!epoch) return Seen::unknown(epoch.error().message);
  if (epoch->empty()) return out;
  const auto number = base::parse_int(*epoch);
  if (!number || *number < 1 || *number > 1'000'000'000)
    return Seen::unknown(files.epoch + " is damaged");
  out.epoch = static_cast<int>(*number);
  const auto job = text_of(files.job);
  if (!job) return Seen::unknown(job.error().message);
  out.job = *job;
  if (out.running) return out;
  const auto report = text_of(files.report);
  if (!report) return Seen::unknown(report.error().message);
  out.report = *report;
  return out;
}

base::Status clear_job(const JobFiles& files) {
  TRY_OK(posix::remove_tree(files.secret));
  return posix::remove_tree(files.scratch);
}

base::Status make_backups_folder(const Layout& layout, const base::ClusterKey& key) {
  TRY_OK(posix::make_dirs(layout.backups(key)));
  if (posix::exists(layout.backups_made(key)) == base::Fact<bool>(true)) return {};
  TRY_OK(posix::make_dirs(layout.clusters() + "/" + key.ns));
  return posix::write_atomic(layout.backups_made(key), "");
}

base::Status make_first_backups_folder(const Layout& layout, const base::ClusterKey& key) {
  const auto made = posix::exists(layout.backups_made(key));
  if (made.is_unknown()) return base::fail(base::Code::kUnavailable, made.why());
  return made == base::Fact<bool>(true) ? base::Status{} : make_backups_folder(layout, key);
}

base::Result<PrivateFiles> secret_files(const api::Secret& secret, const std::string& dir) {
  PrivateFiles out;
  for (const auto& [key, value] : secret.data) {
    if (!is_key(key))
      return base::fail(base::Code::kInvalidArgument,
                        fmt::format("Secret {} has a key that is no file name", secret.key.text()));
    out[dir + "/" + key] = value;
  }
  return out;
}

base::Status write_private(const PrivateFiles& files) {
  for (const auto& [path, text] : files) {
    TRY_OK(posix::make_dirs(path.substr(0, path.rfind('/'))));
    TRY_OK(posix::write_atomic(path, text, 0600));
  }
  return {};
}

base::Status start_job(const JobLaunch& what, const JobFiles& files) {
  TRY_OK(posix::make_dirs(files.dir));
  const auto lock = posix::FileLock::try_lock(files.lock);
  if (!lock) return std::unexpected(lock.error().in("a job still runs"));
  TRY_OK(posix::make_dirs(files.scratch));
  TRY_OK(trim_log(files.log));
  // What an earlier one left must not be taken for this one's.
  TRY_OK(posix::remove_file(files.report));
  TRY_OK(posix::remove_file(files.process));
  TRY_OK(posix::write_atomic(files.job, what.job));
  TRY_OK(posix::write_atomic(files.epoch, std::to_string(what.epoch)));
  posix::Detached child;
  child.launch = {{what.program, "archive", what.verb, "--job", files.job},
                  posix::environment(),  // where credentials of the machine's own may be
                  "/"};
  child.log_file = files.log;
  child.keep_fds = {lock->fd()};
  const auto process = posix::spawn_detached(child);
  // It has run: its report, or that there is none, tells the rest.
  if (!process && process.error().code == base::Code::kAborted) return {};
  if (!process) return std::unexpected(process.error());
  auto noted = posix::write_atomic(files.process, encode(*process));
  // It is not to run where it may be that nobody can end it.
  if (!noted) (void)posix::send_signal(*process, SIGKILL);
  return noted;
}

base::Status end_job(const JobFiles& files, base::Duration deadline, const std::stop_token& stop) {
  const auto until = posix::deadline_in(deadline);
  const auto kill_at = posix::deadline_in(deadline / 4);
  bool asked = false, killed = false;
  for (;;) {
    const auto locked = posix::is_locked(files.lock);
    if (locked.is_unknown()) return base::fail(base::Code::kUnavailable, locked.why());
    if (locked.is_absent() || !*locked) return {};
    TRY(const auto process, process_of(files));
    if (!asked) asked = posix::send_signal(process, SIGTERM).has_value();
    if (!killed && posix::deadline_in({}) >= kill_at)
      killed = posix::send_signal(process, SIGKILL).has_value();
    if (stop.stop_requested()) return base::fail(base::Code::kCancelled, "asked to stop");
    if (posix::deadline_in({}) >= until)
      return base::fail(base::Code::kDeadlineExceeded, "its backup job has not ended yet");
    (void)posix::poll_until({}, posix::deadline_in(kPoll), stop);
  }
}

}  // namespace host
