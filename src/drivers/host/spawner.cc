#include "drivers/host/spawner.h"

#include <fmt/format.h>

#include <utility>

#include "base/text.h"
#include "pki/digest.h"
#include "posix/env.h"
#include "posix/wakeup.h"

namespace host {
namespace {

// The guard gives etcd half a minute to end; systemd must not be quicker when it stops the unit.
constexpr int kStopSeconds = 45;
constexpr int kOpenFiles = 65'536;
constexpr base::Duration kProbe{5'000}, kAgain{100};

class ProcessSpawner final : public Spawner {
 public:
  base::Result<std::optional<posix::ProcessId>> start(const GuardLaunch& what,
                                                      const std::stop_token& /*stop*/) override {
    posix::Detached detached;
    detached.launch = what.launch;
    detached.log_file = what.log_file;
    TRY(const auto process, posix::spawn_detached(detached));
    return process;
  }
};

// The last line that is not empty: what systemd's programs say is the reason.
std::string reason_of(const posix::RunResult& ran) {
  std::string last;
  for (const auto line : base::split(ran.err.empty() ? ran.out : ran.err, '\n'))
    if (const auto text = base::trim(line); !text.empty()) last = text;
  return last.empty() ? fmt::format("exit code {}", ran.exit_code) : last;
}

std::string manager_of(const Systemd& systemd) {
  return systemd.user ? "the user's systemd manager" : "systemd";
}

// systemctl and systemd-run find the manager by these.
posix::Launch launch_of(std::vector<std::string> argv) {
  posix::Launch out{std::move(argv), {"LC_ALL=C", "SYSTEMD_PAGER=", "SYSTEMD_COLORS=0"}, "/"};
  for (const char* name : {"PATH", "HOME", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"})
    if (const auto value = posix::get_env(name))
      out.env.push_back(std::string(name) + "=" + *value);
  return out;
}

// In an argument of a unit's command "$NAME" would be replaced.
std::string as_argument(std::string_view text) {
  std::string out;
  for (const char c : text) out += c == '$' ? std::string("$$") : std::string(1, c);
  return out;
}

class SystemdSpawner final : public Spawner {
 public:
  SystemdSpawner(Systemd systemd, RunProgram run)
      : systemd_(std::move(systemd)), run_(std::move(run)) {}

  base::Status probe() {
    TRY_IN("ask " + manager_of(systemd_), const auto ran,
           ctl({"show", "--property=Version"}, kProbe, {}));
    if (ran.exit_code == 0) return {};
    return base::fail(base::Code::kFailedPrecondition,
                      fmt::format("{} does not answer: {}; --supervisor process needs none",
                                  manager_of(systemd_), reason_of(ran)));
  }

  base::Result<std::optional<posix::ProcessId>> start(const GuardLaunch& what,
                                                      const std::stop_token& stop) override {
    const auto until = posix::deadline_in(what.deadline);
    const std::string unit = unit_name(what);
    for (;;) {
      TRY_IN("systemd-run", const auto ran,
             run_(launch_of(systemd_run_argv(systemd_, what)), {what.deadline}, stop));
      if (ran.exit_code == 0) return main_process(unit, what.deadline, stop);
      // The unit of an earlier life may still be on its way out, although its lock is free.
      TRY(const std::string state, property(unit, "ActiveState", what.deadline, stop));
      const bool leaving = state == "active" || state == "deactivating" || state == "failed";
      if (state == "failed") (void)ctl({"reset-failed", unit}, what.deadline, stop);
      if (!leaving || stop.stop_requested() || posix::deadline_in(kAgain) >= until)
        return base::fail(
            base::Code::kUnavailable,
            fmt::format("{} did not start {}: {}", manager_of(systemd_), unit, reason_of(ran)));
      (void)posix::poll_until({}, posix::deadline_in(kAgain), stop);
    }
  }

 private:
  base::Result<posix::RunResult> ctl(const std::vector<std::string>& args, base::Duration deadline,
                                     const std::stop_token& stop) {
    std::vector<std::string> argv{systemd_.systemctl};
    if (systemd_.user) argv.emplace_back("--user");
    argv.insert(argv.end(), args.begin(), args.end());
    return run_(launch_of(std::move(argv)), {deadline}, stop);
  }

  base::Result<std::string> property(const std::string& unit, const std::string& name,
                                     base::Duration deadline, const std::stop_token& stop) {
    TRY_IN("systemctl", const auto ran,
           ctl({"show", "--property=" + name, "--value", unit}, deadline, stop));
    if (ran.exit_code != 0)
      return base::fail(
          base::Code::kUnavailable,
          fmt::format("{} does not answer: {}", manager_of(systemd_), reason_of(ran)));
    return std::string(base::trim(ran.out));
  }

  base::Result<std::optional<posix::ProcessId>> main_process(const std::string& unit,
                                                             base::Duration deadline,
                                                             const std::stop_token& stop) {
    TRY(const std::string text, property(unit, "MainPID", deadline, stop));
    const auto pid = base::parse_int(text);
    if (!pid || *pid <= 0) return std::nullopt;
    const auto process = posix::identify(*pid);
    return process ? std::optional(*process) : std::nullopt;
  }

  const Systemd systemd_;
  const RunProgram run_;
};

}  // namespace

std::string unit_name(const GuardLaunch& what) {
  return fmt::format("etcd-{}-{}-{}.service", what.cluster_ns, what.member,
                     pki::to_hex(pki::sha256(what.member_dir)).substr(0, 8));
}

std::vector<std::string> systemd_run_argv(const Systemd& systemd, const GuardLaunch& what) {
  std::vector<std::string> out{systemd.systemd_run};
  if (systemd.user) out.emplace_back("--user");
  // Collected: a unit that failed does not keep its name.
  for (const char* flag : {"--quiet", "--collect", "--no-ask-password", "--service-type=exec"})
    out.emplace_back(flag);
  out.push_back("--unit=" + unit_name(what));
  out.push_back(fmt::format("--description=etcd member {}/{}", what.cluster_ns, what.member));
  const std::string log = "append:" + what.log_file;
  // The guard ends etcd in order and restarts it: systemd asks only the guard, and leaves the unit
  // alone when the kernel takes etcd away for its memory.
  for (const std::string& property :
       {std::string("KillMode=mixed"), std::string("Restart=no"), std::string("OOMPolicy=continue"),
        fmt::format("TimeoutStopSec={}", kStopSeconds), fmt::format("LimitNOFILE={}", kOpenFiles),
        std::string("UMask=0077"), "StandardOutput=" + log, "StandardError=" + log})
    out.push_back("--property=" + property);
  out.push_back("--working-directory=" + what.launch.cwd);
  for (const auto& pair : what.launch.env) out.push_back("--setenv=" + pair);
  out.emplace_back("--");
  for (size_t i = 0; i < what.launch.argv.size(); ++i)
    out.push_back(i == 0 ? what.launch.argv[i] : as_argument(what.launch.argv[i]));
  return out;
}

std::unique_ptr<Spawner> make_process_spawner() {
  return std::make_unique<ProcessSpawner>();
}

base::Result<std::unique_ptr<Spawner>> make_systemd_spawner(const Systemd& systemd,
                                                            RunProgram run) {
  auto out = std::make_unique<SystemdSpawner>(systemd, std::move(run));
  if (const auto there = out->probe(); !there)
    return std::unexpected(there.error().in("--supervisor systemd"));
  return out;
}

base::Result<std::unique_ptr<Spawner>> make_spawner(Supervisor supervisor) {
  if (supervisor == Supervisor::kProcess) return make_process_spawner();
  const std::string path = posix::get_env("PATH").value_or("/usr/local/bin:/usr/bin:/bin");
  Systemd systemd{{}, {}, posix::own_uid() != 0};
  for (auto [name, to] : {std::pair("systemd-run", &systemd.systemd_run),
                          std::pair("systemctl", &systemd.systemctl)}) {
    auto found = posix::find_program(name, path);
    if (!found)
      return base::fail(base::Code::kFailedPrecondition,
                        "--supervisor systemd: " + found.error().message);
    *to = *std::move(found);
  }
  return make_systemd_spawner(systemd, posix::run);
}

}  // namespace host
