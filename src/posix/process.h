// Processes: children with a deadline, detached ones that outlive us, and the identity of others.
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

#include "base/fact.h"
#include "base/result.h"
#include "base/time.h"

namespace posix {

// A pid alone may have been given to another process; the start time tells them apart.
struct ProcessId {
  std::int64_t pid = 0;
  std::uint64_t start_ticks = 0;  // since boot, field 22 of /proc/<pid>/stat
  bool operator==(const ProcessId&) const = default;
};

// NotFound if there is no such process; a zombie counts as gone.
base::Result<ProcessId> identify(std::int64_t pid);
base::Fact<bool> is_alive(const ProcessId& process);
// NotFound if that process is gone, whoever has its pid now; there is no moment between the check
// and the signal.
base::Status send_signal(const ProcessId& process, int signal);

struct Launch {
  std::vector<std::string> argv = {};  // argv[0] is an absolute path
  std::vector<std::string> env = {};   // "NAME=value"
  std::string cwd = "/";
};

struct Detached {
  Launch launch = {};
  std::string log_file = {};       // stdout and stderr are appended to it; empty: /dev/null
  std::vector<int> keep_fds = {};  // every other descriptor is closed
};
// Starts a process in a session of its own that no end of ours touches: default signal handling,
// nothing inherited but `keep_fds`. An error of exec itself is reported. Aborted: it was started,
// and has ended already.
base::Result<ProcessId> spawn_detached(const Detached& what);

struct RunLimits {
  base::Duration deadline{30'000};
  size_t output = size_t{1} << 20;  // of out and of err each; what is beyond is dropped
};
struct RunResult {
  int exit_code = -1;  // -1: ended by `signal`
  int signal = 0;
  std::string out, err;
  bool truncated = false;
};
// Runs a child to its end, in a process group that is killed whole when the child has ended, at the
// deadline (DeadlineExceeded), or when asked to stop (Cancelled). The child dies with the calling
// thread.
base::Result<RunResult> run(const Launch& launch, const RunLimits& limits,
                            const std::stop_token& stop);

base::Result<std::string> boot_id();      // new with every start of the kernel
base::Result<std::uint64_t> rss_bytes();  // of this process
base::Result<double> cpu_seconds();       // user and system time of this process
std::int64_t own_pid();

}  // namespace posix
