#include "guard/testing/kill_at.h"

#include <elf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "guard/clock.h"
#include "guard/disk.h"

namespace guard::testing {
namespace {

constexpr std::int64_t kLimitMs = 40'000;
constexpr int kSyscallStop = SIGTRAP | 0x80;

std::string text_at(pid_t pid, std::uint64_t address) {
  const Fd memory(::open(fmt::format("/proc/{}/mem", pid).c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 512> buffer{};
  if (::pread(memory.get(), buffer.data(), buffer.size() - 1, static_cast<off_t>(address)) <= 0)
    return {};
  return buffer.data();
}

// The path that a rename which begins just now takes its file from; empty: it is something else.
std::string begins_rename(pid_t pid) {
  __ptrace_syscall_info info{};
  if (::ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info) <= 0 ||
      info.op != PTRACE_SYSCALL_INFO_ENTRY)
    return {};
  const auto number = static_cast<long>(info.entry.nr);
#ifdef SYS_rename
  if (number == SYS_rename) return text_at(pid, info.entry.args[0]);
#endif
#ifdef SYS_renameat
  if (number == SYS_renameat) return text_at(pid, info.entry.args[1]);
#endif
  if (number == SYS_renameat2) return text_at(pid, info.entry.args[1]);
  return {};
}

pid_t run_traced(const std::vector<std::string>& argv) {
  std::vector<char*> args;
  std::vector<std::string> copy = argv;
  for (auto& a : copy) args.push_back(a.data());
  args.push_back(nullptr);
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) ::_exit(126);
  ::execv(args[0], args.data());
  ::_exit(127);
}

void kill_and_collect(pid_t pid) {
  ::kill(pid, SIGKILL);
  int status = 0;
  while (::waitpid(pid, &status, 0) == pid && !WIFSIGNALED(status) && !WIFEXITED(status)) {
  }
}

}  // namespace

bool run_killed_at(const std::vector<std::string>& argv, const KillAt& at) {
  const pid_t pid = run_traced(argv);
  int status = 0;
  if (::waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status) ||
      ::ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL) != 0) {
    ADD_FAILURE() << "the guard cannot be traced";
    kill_and_collect(pid);
    return false;
  }
  int seen = 0, pass_on = 0;
  const std::int64_t until = monotonic_ms() + kLimitMs;
  std::int64_t next_look = 0;
  for (bool stopped = true;;) {
    if (stopped && ::ptrace(PTRACE_SYSCALL, pid, 0, pass_on) != 0) break;
    stopped = ::waitpid(pid, &status, WNOHANG) == pid;
    if (stopped && !WIFSTOPPED(status)) {
      ADD_FAILURE() << "the guard ended by itself";
      return false;
    }
    if (stopped) {
      const int signal = WSTOPSIG(status);
      pass_on = signal == kSyscallStop || signal == SIGTRAP ? 0 : signal;
      if (signal == kSyscallStop && begins_rename(pid).find(at.path_part) != std::string::npos &&
          ++seen == at.rename) {
        kill_and_collect(pid);
        return true;
      }
      continue;
    }
    if (monotonic_ms() > until) {
      ADD_FAILURE() << "the guard got nowhere";
      break;
    }
    ::poll(nullptr, 0, 1);
    if (monotonic_ms() < next_look) continue;
    next_look = monotonic_ms() + 50;
    if (at.enough()) break;
  }
  kill_and_collect(pid);
  return false;
}

}  // namespace guard::testing
