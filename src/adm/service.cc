#include "adm/service.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "adm/kubelet.h"
#include "drivers/host/members.h"
#include "drivers/host/spawner.h"
#include "posix/files.h"
#include "posix/process.h"
#include "posix/wakeup.h"

namespace adm {
namespace {

constexpr base::Duration kPoll{50}, kReload{30'000};
constexpr base::Duration kDown{60'000};  // longer than the unit's TimeoutStopSec

class Supervised final : public Service {
 public:
  Supervised(const Host& host, const Places& places)
      : guard_(guard_program(host)), name_(host.name), files_(places.member_files()) {}

  base::Status start(base::Duration deadline, const std::stop_token& stop) override {
    const auto spawner = host::make_process_spawner();
    return host::start_guard(*spawner, {guard_, "etcdadm", name_, deadline}, files_, stop);
  }

  base::Status stop(base::Duration deadline, const std::stop_token& stop) override {
    TRY(const auto boot, posix::boot_id());
    return host::stop_guard(files_, boot, deadline, stop);
  }

  base::Status retire(base::Duration deadline, const std::stop_token& stop_token) override {
    return stop(deadline, stop_token);
  }

  base::Status prepare() override { return {}; }
  base::Status forget() override { return {}; }

 private:
  const std::string guard_, name_;
  const host::MemberFiles files_;
};

// Neither more rights nor more of the machine than the guard and etcd need. What systemd does for
// them, such as a priority, it does before.
std::string confinement(const Host& host, const Places& places) {
  return fmt::format(
      "UMask=0077\n"
      "ProtectSystem=strict\n"
      "ReadWritePaths={0} {1}\n"
      "ProtectHome=read-only\n"
      "PrivateTmp=true\n"
      "NoNewPrivileges=true\n"
      "ProtectKernelTunables=true\n"
      "ProtectKernelModules=true\n"
      "ProtectKernelLogs=true\n"
      "ProtectControlGroups=true\n"
      "ProtectClock=true\n"
      "ProtectHostname=true\n"
      "ProtectProc=invisible\n"
      "PrivateDevices=true\n"
      "CapabilityBoundingSet={2}\n"
      // etcd lists the interfaces by netlink, and tells the guard by a socket that it serves.
      "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK\n"
      "RestrictNamespaces=true\n"
      "RestrictRealtime=true\n"
      "RestrictSUIDSGID=true\n"
      "LockPersonality=true\n"
      "MemoryDenyWriteExecute=true\n"
      "KeyringMode=private\n"
      "SystemCallArchitectures=native\n"
      "SystemCallFilter=@system-service\n"
      "SystemCallFilter=~@privileged\n"
      "SystemCallErrorNumber=EPERM\n",
      unit_word(host.data_dir), unit_word(places.member()),
      // Root's files may be anybody's: an adopted member's, or those of a host that had a user.
      host.user.empty() ? "CAP_DAC_OVERRIDE CAP_FOWNER" : "");
}

// etcd that holds its memory fast ends at its start where it may not.
std::string limits_of(const Host& host) {
  const bool locks = std::ranges::any_of(host.options, [](const std::string& option) {
    return option.find("memory-mlock") != std::string::npos;
  });
  return locks ? "LimitMEMLOCK=infinity\n" : "";
}

class Systemd final : public Service {
 public:
  Systemd(const Host& host, const Places& places, std::unique_ptr<UnitManager> manager)
      : manager_(std::move(manager)),
        unit_(host.unit_dir + "/" + kUnit),
        text_(unit_text(host, places)),
        files_(places.member_files()) {}

  base::Status start(base::Duration deadline, const std::stop_token& stop) override {
    // Its mounts are those of the machine when it began, which may have been mended since.
    if (waits()) TRY_OK(manager_->stop(kUnit, kDown, stop));
    if (host::is_alive(files_) != base::Fact<bool>(true)) {
      // Of an earlier life: they must not be taken for this one's.
      TRY_OK(posix::remove_file(files_.verdict));
      TRY_OK(posix::remove_file(files_.state));
    }
    TRY_OK(prepare());
    // The unit is up once etcd serves, which for a learner or a large database takes its time.
    TRY_OK(manager_->start(kUnit, deadline));
    const auto until = posix::deadline_in(deadline);
    while (host::is_alive(files_) != base::Fact<bool>(true)) {
      if (posix::exists(files_.verdict) == base::Fact<bool>(true)) return {};  // it says why
      if (stop.stop_requested()) return base::fail(base::Code::kCancelled, "asked to stop");
      if (posix::deadline_in({}) >= until)
        return base::fail(base::Code::kDeadlineExceeded,
                          fmt::format("{} did not start; see `journalctl -u etcd`", kUnit));
      (void)posix::poll_until({}, posix::deadline_in(kPoll), stop);
    }
    return {};
  }

  base::Status stop(base::Duration deadline, const std::stop_token& stop) override {
    return end(deadline, stop);
  }

  base::Status retire(base::Duration deadline, const std::stop_token& stop) override {
    if (is_there()) TRY_OK(manager_->disable(kUnit, kReload));
    return end(deadline, stop);
  }

  base::Status prepare() override {
    TRY_OK(posix::make_dirs(host_dir(), 0755));
    TRY_OK(posix::write_atomic(unit_, text_, 0644));
    TRY_OK(manager_->reload(kReload));
    return manager_->enable(kUnit, kReload);
  }

  base::Status forget() override {
    TRY_OK(posix::remove_file(unit_));
    return manager_->reload(kReload);
  }

 private:
  [[nodiscard]] bool is_there() const { return posix::exists(unit_) == base::Fact<bool>(true); }

  // The guard runs, and its etcd ended and is to be tried again.
  [[nodiscard]] bool waits() const {
    if (host::is_alive(files_) != base::Fact<bool>(true)) return false;
    const auto bytes = posix::read_file(files_.state, size_t{1} << 16);
    if (!bytes) return false;
    const auto state = guard::decode_state(*bytes);
    return state && state->phase == guard::Phase::kBackoff;
  }

  base::Status end(base::Duration deadline, const std::stop_token& stop) const {
    if (is_there()) TRY_OK(manager_->stop(kUnit, deadline, stop));
    // Of one that was started by hand.
    TRY(const auto boot, posix::boot_id());
    return host::stop_guard(files_, boot, deadline, stop);
  }

  [[nodiscard]] std::string host_dir() const { return unit_.substr(0, unit_.rfind('/')); }

  const std::unique_ptr<UnitManager> manager_;
  const std::string unit_, text_;
  const host::MemberFiles files_;
};

}  // namespace

std::string guard_program(const Host& host) {
  return host.install_dir + "/etcd-guard";
}

std::string unit_text(const Host& host, const Places& places) {
  std::string out = fmt::format(
      "[Unit]\n"
      "Description=etcd member {0}, under etcd-guard\n"
      "Documentation=https://etcd.io/docs\n"
      "After=network-online.target time-sync.target\n"
      "Wants=network-online.target\n"
      "StartLimitIntervalSec=0\n"
      "RequiresMountsFor={4} {5}\n"
      "\n[Service]\n"
      // etcd tells that it serves; a large database may take its time for that.
      "Type=notify\n"
      "NotifyAccess=all\n"
      "TimeoutStartSec=infinity\n"
      "TimeoutStopSec=45\n"
      "KillMode=mixed\n"
      "OOMPolicy=continue\n"
      "ExecStart={1} run --member-dir {2}\n"
      "{6}"
      "WorkingDirectory=/\n"
      "Restart=on-failure\n"
      "RestartSec=5\n"
      // The guard's final verdicts: another start ends the same way.
      "RestartPreventExitStatus=10 11 12 13 14 15 64\n"
      "LimitNOFILE=65536\n"
      "{7}"
      "MemoryLow=200M\n"
      "{8}"
      "{3}"
      "\n[Install]\n"
      "WantedBy=multi-user.target\n",
      host.name, unit_word(guard_program(host)), unit_word(places.member()),
      [&] {
        std::string lines;
        for (const auto& line : host.disk_priorities) lines += line + "\n";
        return lines;
      }(),
      unit_word(host.data_dir), unit_word(places.state_dir),
      host.user.empty() ? std::string() : fmt::format("User={}\n", host.user), limits_of(host),
      confinement(host, places));
  return out;
}

base::Result<std::unique_ptr<Service>> service_of(const Host& host, const Places& places) {
  if (host.init_system == "none") return std::make_unique<Supervised>(host, places);
  if (is_kubelet(host)) return kubelet_service(host, places);
  TRY(auto manager, systemd_manager());
  return systemd_service(host, places, std::move(manager));
}

std::unique_ptr<Service> systemd_service(const Host& host, const Places& places,
                                         std::unique_ptr<UnitManager> manager) {
  return std::make_unique<Systemd>(host, places, std::move(manager));
}

}  // namespace adm
