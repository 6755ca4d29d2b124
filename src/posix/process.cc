#include "posix/process.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>

#include "base/text.h"
#include "posix/errors.h"
#include "posix/files.h"

namespace posix {
namespace {

using base::Code;

struct Stat {
  char state = '?';
  std::uint64_t start_ticks = 0;
};

base::Result<Stat> read_stat(std::int64_t pid) {
  const auto path = fmt::format("/proc/{}/stat", pid);
  auto text = read_file(path, 65536);
  if (!text && text.error().code == Code::kNotFound)
    return base::fail(Code::kNotFound, fmt::format("no process {}", pid));
  if (!text) return std::unexpected(text.error());
  // The name in parentheses may hold anything, parentheses and blanks too.
  const size_t name_end = text->rfind(')');
  if (name_end == std::string::npos) return base::fail(Code::kInternal, "unreadable " + path);
  const auto fields = base::split(base::trim(std::string_view(*text).substr(name_end + 1)), ' ');
  if (fields.size() < 20 || fields[0].size() != 1)
    return base::fail(Code::kInternal, "unreadable " + path);
  const auto start = base::parse_int(fields[19]);
  if (!start) return base::fail(Code::kInternal, "unreadable " + path);
  return Stat{fields[0][0], static_cast<std::uint64_t>(*start)};
}

}  // namespace

base::Result<ProcessId> identify(std::int64_t pid) {
  if (pid <= 0) return base::fail(Code::kNotFound, fmt::format("no process {}", pid));
  TRY(const auto stat, read_stat(pid));
  if (stat.state == 'Z' || stat.state == 'X')
    return base::fail(Code::kNotFound, fmt::format("process {} has ended", pid));
  return ProcessId{pid, stat.start_ticks};
}

base::Fact<bool> is_alive(const ProcessId& process) {
  const auto now = identify(process.pid);
  if (now) return *now == process;
  if (now.error().code == Code::kNotFound) return false;
  return base::Fact<bool>::unknown(now.error().message);
}

base::Status send_signal(const ProcessId& process, int signal) {
  if (process.pid <= 0) return base::fail(Code::kInvalidArgument, "no process");
  const Fd fd(static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(process.pid), 0)));
  if (!fd.open() && errno == ESRCH)
    return base::fail(Code::kNotFound, fmt::format("no process {}", process.pid));
  if (!fd.open()) return fail_errno(errno, "pidfd_open");
  // The descriptor pins the process; whether it is the right one is asked after that.
  TRY(const auto now, identify(process.pid));
  if (now != process)
    return base::fail(Code::kNotFound, fmt::format("pid {} is another process now", process.pid));
  if (::syscall(SYS_pidfd_send_signal, fd.get(), signal, nullptr, 0) == 0) return {};
  if (errno == ESRCH) return base::fail(Code::kNotFound, fmt::format("no process {}", process.pid));
  return fail_errno(errno, fmt::format("signal {} to {}", signal, process.pid));
}

base::Result<std::string> boot_id() {
  TRY(const auto text, read_file("/proc/sys/kernel/random/boot_id", 256));
  return std::string(base::trim(text));
}

base::Result<std::uint64_t> rss_bytes() {
  TRY(const auto text, read_file("/proc/self/statm", 4096));
  const auto fields = base::split(base::trim(text), ' ');
  const auto pages = fields.size() < 2 ? std::nullopt : base::parse_int(fields[1]);
  if (!pages) return base::fail(Code::kInternal, "unreadable /proc/self/statm");
  return static_cast<std::uint64_t>(*pages) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

base::Result<double> cpu_seconds() {
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) != 0) return fail_errno(errno, "getrusage");
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

std::int64_t own_pid() {
  return ::getpid();
}

}  // namespace posix
