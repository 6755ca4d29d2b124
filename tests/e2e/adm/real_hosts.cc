#include "real_hosts.h"

#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>

#include "base/text.h"
#include "posix/env.h"
#include "posix/files.h"

namespace e2e {

using namespace std::chrono_literals;

namespace {

constexpr const char* kSystemdHost = EO_SOURCE_DIR "/tests/e2e/host/systemd_host";
constexpr int kRouter = 254;

std::string name(int n) {
  return fmt::format("etcd-{}", n);
}
// Calls a command on a host: HOST COMMAND…, as ssh does.
constexpr const char* kOnHost = R"(#!/bin/sh
init=$(cat "{0}/$1.init") || exit 255
shift
exec nsenter -t "$init" -m -p -u -i -n -- env -i HOME=/root ASAN_OPTIONS="$ASAN_OPTIONS" \
  PATH=/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin:/opt/etcdadm sh -c "$*"
)";

posix::RunResult run(std::vector<std::string> argv, std::vector<std::string> more = {}) {
  auto env = posix::environment();
  env.insert(env.end(), more.begin(), more.end());
  auto ran = posix::run({std::move(argv), std::move(env), "/"}, {300s}, {});
  return ran ? *ran : posix::RunResult{-1, 0, "", ran.error().message, false};
}

}  // namespace

std::string RealHosts::root(int n) const {
  return dir_.path(name(n));
}

bool RealHosts::sh(const std::string& command) {
  const auto ran = run({"/bin/sh", "-ec", command});
  if (ran.exit_code != 0) told_ = fmt::format("{}: {}", command, base::trim(ran.err));
  return ran.exit_code == 0;
}

std::string RealHosts::address(int n) const {
  return fmt::format("{}{}", net_ == Net::kV4 ? "10.79.0." : "fd79::", n);
}

// To be used at once, without a look for others that have it.
std::string RealHosts::with_mask(int n) const {
  return address(n) + (net_ == Net::kV4 ? "/24" : "/64 nodad");
}

bool RealHosts::make_network() {
  return sh(
      fmt::format("ip link set lo up; ip link add hosts type bridge;"
                  "ip address add {} dev hosts; ip link set hosts up",
                  with_mask(kRouter)));
}

bool RealHosts::make_host(int n) {
  if (!sh(fmt::format("{} make {} {} multi-user.target", kSystemdHost, root(n), name(n))))
    return false;
  std::string known = "127.0.0.1 localhost\n";
  for (int i = 1; i <= kHosts; ++i) known += fmt::format("{} {}\n", address(i), name(i));
  if (!posix::write_atomic(root(n) + "/etc/hosts", known, 0644)) return false;
  const std::string net = root(n) + ".net";
  if (!sh(fmt::format("touch {0}; unshare --net={0} true", net))) return false;
  mounts_.push_back(net);
  return sh(
      fmt::format("ip link add host{0} type veth peer name eth0 netns {1};"
                  "ip link set host{0} master hosts up;"
                  "nsenter --net={1} sh -ec 'ip link set lo up; ip link set eth0 up;"
                  "ip address add {2} dev eth0; ip route add default via {3}'",
                  n, net, with_mask(n), address(kRouter)));
}

std::string RealHosts::start(Net net) {
  net_ = net;
  const auto missing = run({kSystemdHost, "missing"});
  if (missing.exit_code != 0 || !missing.out.empty()) return missing.out + missing.err;
  if (::unshare(CLONE_NEWNET | CLONE_NEWNS) != 0 ||
      ::mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    return "this process may have no network of its own";
  if (!posix::write_atomic(dir_.path("on"), fmt::format(kOnHost, dir_.path("")), 0755))
    return "no temporary file can be written";
  if (!make_network()) return told_;
  for (int n = 1; n <= kHosts; ++n)
    if (!make_host(n)) return told_;
  for (int n = 1; n <= kHosts; ++n)
    if (!boot(n)) return fmt::format("{} does not boot: {}", name(n), read(log(n)));
  return "";
}

RealHosts::~RealHosts() {
  for (int n = 1; n <= kHosts; ++n)
    if (carriers_[n].joinable()) EXPECT_TRUE(cut_power(n));
  for (const auto& mounted : mounts_) (void)::umount2(mounted.c_str(), MNT_DETACH);
}

posix::RunResult RealHosts::here(std::vector<std::string> argv) {
  return run(std::move(argv), {"ON_HOST=" + dir_.path("on")});
}

posix::RunResult RealHosts::on(int n, const std::string& command) {
  return run({dir_.path("on"), name(n), command});
}

bool RealHosts::boot(int n) {
  (void)posix::remove_file(root(n) + ".pid");
  (void)posix::remove_file(root(n) + ".init");
  const std::string cache = posix::cache_dir().value_or("") + "/etcd-operator/etcd";
  const std::vector<std::string> argv{kSystemdHost,
                                      "boot",
                                      root(n),
                                      fmt::format("eo-{}-{}", posix::own_pid(), name(n)),
                                      "--hostname=" + name(n),
                                      fmt::format("--network-namespace-path={}.net", root(n)),
                                      "--bind-ro=" EO_BIN_DIR "/etcdadm:/opt/etcdadm/etcdadm",
                                      fmt::format("--bind-ro={}:/var/cache/etcdadm/etcd", cache)};
  carriers_[n] = std::jthread([argv, log = log(n)](const std::stop_token& stop) {
    const auto ran = posix::run({argv, posix::environment(), "/"}, {30min}, stop);
    (void)posix::write_atomic(log, ran ? ran->out + ran->err : ran.error().message);
  });
  return eventually(
      [&] {
        const std::string pid(base::trim(read(root(n) + ".pid")));
        const std::string init(base::trim(read(fmt::format("/proc/{0}/task/{0}/children", pid))));
        const auto process = posix::identify(std::strtoll(init.c_str(), nullptr, 10));
        if (pid.empty() || !process || !posix::write_atomic(root(n) + ".init", init)) return false;
        inits_[n] = *process;
        const auto state = on(n, "systemctl is-system-running").out;
        return state == "running\n" || state == "degraded\n";
      },
      120s);
}

// The container's mounts are gone with its init, and only then.
bool RealHosts::is_off(int n) {
  carriers_[n].join();
  return eventually([&] { return posix::is_alive(inits_[n]) == base::Fact<bool>(false); }, 60s);
}

bool RealHosts::shut_down(int n) {
  (void)on(n, "systemctl poweroff");
  const std::string pid(base::trim(read(root(n) + ".pid")));
  return eventually([&] { return !posix::identify(std::strtoll(pid.c_str(), nullptr, 10)); },
                    120s) &&
         is_off(n);
}

bool RealHosts::cut_power(int n) {
  carriers_[n].request_stop();
  return is_off(n);
}

std::shared_ptr<etcd::EtcdApi> RealHosts::etcd(int n) const {
  const std::string pki = root(n) + "/etc/etcd/pki/";
  return etcd::connect(
      net_ == Net::kV4 ? "https://" + address(n) + ":2379" : "https://[" + address(n) + "]:2379",
      {read(pki + "ca.crt"), read(pki + "etcdctl-etcd-client.crt"),
       read(pki + "etcdctl-etcd-client.key"), ""});
}

}  // namespace e2e
