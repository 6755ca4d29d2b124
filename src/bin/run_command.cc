// `run`: the operator in the foreground, with its log or a live table.
#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <thread>
#include <utility>

#include "base/text.h"
#include "bin/commands.h"
#include "bin/run_parts.h"
#include "manager/manager.h"
#include "manager/table.h"
#include "posix/clock.h"
#include "posix/env.h"
#include "posix/file_limit.h"
#include "posix/files.h"
#include "posix/logger.h"
#include "posix/rotating_file.h"
#include "posix/signals.h"
#include "posix/wakeup.h"

namespace bin {
namespace {

constexpr base::Duration kEndLimit{1'700};  // members go on whatever we do: SIGTERM ends us in 2 s

base::Result<posix::PortRange> parse_ports(const std::string& text) {
  const auto parts = base::split(text, '-');
  const auto first = base::parse_int(parts.front());
  const auto last = parts.size() == 2 ? base::parse_int(parts.back()) : std::nullopt;
  if (!first || !last || *first < 1024 || *last > 65535 || *last - *first < 2)
    return base::fail(base::Code::kInvalidArgument,
                      fmt::format("--port-range {} is not allowed: FIRST-LAST of three ports or "
                                  "more between 1024 and 65535, such as 23000-32767",
                                  text));
  return posix::PortRange{static_cast<posix::Port>(*first), static_cast<posix::Port>(*last)};
}

base::Result<std::string> guard_program() {
  TRY(const auto self, posix::own_executable());
  auto guard = self.substr(0, self.rfind('/')) + "/etcd-guard";
  if (const auto info = posix::file_info(guard); !info || !info->regular)
    return base::fail(base::Code::kNotFound,
                      guard + " is missing: it must stand beside etcd-operator");
  return guard;
}

base::Result<manager::ManagerOptions> options_of(const RunFlags& flags) {
  if (flags.manifests.empty() || flags.state.empty())
    return base::fail(base::Code::kInvalidArgument,
                      "--platform host needs --manifests DIR and --state DIR");
  manager::ManagerOptions out;
  TRY(out.manifests, posix::absolute_path(flags.manifests));
  out.http_addr = flags.http_addr;
  if (flags.workers != 0) out.workers = flags.workers;
  TRY(out.platform.state_dir, posix::absolute_path(flags.state));
  if (const auto made = posix::make_dirs(out.platform.state_dir); !made)
    return std::unexpected(made.error().in("--state"));
  // A folder that is away for now must not keep clusters that run without their operator.
  const bool known = posix::exists(out.platform.state_dir + "/clusters") == base::Fact<bool>(true);
  const auto folder = posix::file_info(out.manifests);
  if (!folder && !known) return std::unexpected(folder.error().in("--manifests"));
  if (folder && !folder->directory)
    return base::fail(base::Code::kInvalidArgument,
                      "--manifests " + flags.manifests + " is not a folder");
  TRY(out.platform.guard, guard_program());
  TRY(out.platform.program, posix::own_executable());
  if (!flags.etcd_dir.empty()) {
    TRY(out.platform.etcd_dir, posix::absolute_path(flags.etcd_dir));
  }
  if (flags.supervisor == "systemd") out.platform.supervisor = host::Supervisor::kSystemd;
  out.platform.release_url = flags.release_url;
  TRY(out.platform.ports, parse_ports(flags.port_range));
  out.platform.store_jobs = flags.store_jobs;
  return out;
}

posix::LogSink sink_of(bool live, const std::string& state_dir) {
  if (!live) return posix::to_stderr();
  // Shared, because a sink is a copyable function.
  auto file = std::make_shared<posix::RotatingFile>(manager::log_file(state_dir),
                                                    posix::RotatingFile::Options{});
  return [file](std::string_view line) {
    if (const auto written = file->append(line); !written) return;  // nowhere left to say it
  };
}

void show_live(const manager::Manager& manager, const base::Clock& clock,
               const std::string& state_dir, const std::stop_token& stop) {
  print_text("\x1b[2J");
  while (!stop.stop_requested()) {
    print_text(live_frame(manager.status(), clock.now(), state_dir));
    if (const auto waited = posix::poll_until({}, posix::deadline_in(base::Duration{1'000}), stop);
        !waited && waited.error().code == base::Code::kCancelled)
      return;
  }
}

}  // namespace

int run_operator(const RunFlags& flags) {
  // A low limit is gone on with: what meets it waits or is refused, and says so.
  static_cast<void>(posix::raise_file_limit());
  if (flags.platform == "kubernetes") return run_on_kubernetes(flags);
  const auto signals = posix::StopOnSignal::install();
  if (!signals) return report(signals.error());
  const auto options = options_of(flags);
  if (!options) return report(options.error());
  auto wiring = *options;
  std::unique_ptr<DieAtPoints> fault;
  if (!flags.fault_points.empty()) {
    fault = std::make_unique<DieAtPoints>(flags.fault_points);
    wiring.faults = fault.get();
  }
  const bool live = flags.live.value_or(posix::is_terminal(1));
  const auto& state_dir = wiring.platform.state_dir;
  const posix::SystemClock clock;
  posix::SystemRandom random;
  const auto log = posix::make_logger(log_options(flags), clock, sink_of(live, state_dir));
  auto manager = manager::Manager::open(wiring, clock, random, *log);
  if (!manager) return report(manager.error());

  auto& stop = (*signals)->source();
  std::jthread last_resort([token = stop.get_token()](const std::stop_token& ended) {
    // Waits for the request to stop, then gives the orderly end its time. What is on disk is whole
    // at every moment, so leaving without clean-up loses nothing.
    static_cast<void>(posix::poll_until({}, base::Tick::max(), token));
    if (ended.stop_requested()) return;
    const auto waited = posix::poll_until({}, posix::deadline_in(kEndLimit), ended);
    if (!waited && waited.error().code == base::Code::kDeadlineExceeded) std::_Exit(kDone);
  });
  std::jthread table;
  if (live) table = std::jthread([&] { show_live(**manager, clock, state_dir, stop.get_token()); });
  const auto ended = (*manager)->run(stop);
  last_resort.request_stop();
  stop.request_stop();
  if (table.joinable()) table.join();
  if (live)
    print_text(
        "\nThe members go on running. `make stop` or `etcd-operator stop --all "
        "--state " +
        flags.state + "` stops them too.\n");
  return ended ? kDone : report(ended.error());
}

}  // namespace bin
