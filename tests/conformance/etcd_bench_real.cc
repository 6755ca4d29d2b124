// Cases on processes of etcd, on loopback.
#include <fmt/format.h>
#include <poll.h>
#include <sys/wait.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "conformance/etcd_bench.h"
#include "pki/issue.h"
#include "posix/clock.h"
#include "posix/files.h"
#include "posix/process.h"
#include "posix/wakeup.h"
#include "support/etcd_process.h"

namespace conformance {
namespace {

namespace fs = std::filesystem;

class RealBench final : public Bench {
 public:
  using Bench::Bench;

  void launch(int n, const Launch& how) override {
    const auto dir = dir_of(n);
    static_cast<void>(posix::remove_file(dir + "/log"));
    std::string list;
    for (const int i : how.list)
      list += fmt::format("{}m{}={}", list.empty() ? "" : ",", i, peer_url(i));
    const auto port = [](const std::string& url) {
      return static_cast<posix::Port>(std::stoi(url.substr(url.rfind(':') + 1)));
    };
    processes_[n] = std::make_unique<support::EtcdProcess>(
        support::EtcdProcess::Options{.version = how.version.empty() ? version() : how.version,
                                      .name = how.name.empty() ? fmt::format("m{}", n) : how.name,
                                      .dir = dir,
                                      .client_port = port(client_url(n)),
                                      .peer_port = port(peer_url(n)),
                                      .initial_cluster = list,
                                      .token = how.token,
                                      .state = how.existing ? "existing" : "new",
                                      .flags = how.flags,
                                      .pki = tls() ? pki() : nullptr});
    static_cast<void>(processes_[n]->start());
  }
  void kill(int n) override { processes_[n]->kill(); }
  void terminate(int n) override { processes_[n]->signal(SIGTERM); }
  void pause(int n) override { processes_[n]->signal(SIGSTOP); }
  void resume(int n) override { processes_[n]->signal(SIGCONT); }
  void wipe(int n) override { static_cast<void>(posix::remove_tree(dir_of(n) + "/data")); }
  void keep(int n) override { copy(dir_of(n) + "/data", dir_of(n) + "/kept"); }
  void put_back(int n) override {
    wipe(n);
    copy(dir_of(n) + "/kept", dir_of(n) + "/data");
  }
  void spoil(int n, sim::Damage how) override {
    const auto member = dir_of(n) + "/data/member";
    if (how == sim::Damage::kNoDb) {
      static_cast<void>(posix::remove_file(member + "/snap/db"));
      return;
    }
    const auto wal = member + "/wal/0000000000000000-0000000000000000.wal";
    if (how == sim::Damage::kEmptyFile) {
      fs::resize_file(wal, 0);
      return;
    }
    // One byte of a value that the case has written.
    const auto bytes = posix::read_file(wal, size_t{128} << 20).value_or(std::string());
    const auto at = bytes.find(kVictim);
    if (at == std::string::npos) return;
    std::fstream file(wal, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(at));
    file.put('X');
  }
  bool restore(int from, int n, const std::string& token) override {
    std::string bytes;
    const auto taken = api(from).snapshot(
        [&](std::string_view part) {
          bytes += part;
          return true;
        },
        kCall);
    const auto file = dir_of(n) + "/snapshot";
    if (!taken || !posix::write_atomic(file, bytes)) return false;
    const auto etcdutl = support::etcd_binary(version(), "etcdutl");
    if (!etcdutl) return false;
    const auto ran = posix::run(
        {{*etcdutl, "snapshot", "restore", file, "--data-dir=" + dir_of(n) + "/data",
          fmt::format("--name=m{}", n), fmt::format("--initial-cluster=m{}={}", n, peer_url(n)),
          "--initial-advertise-peer-urls=" + peer_url(n), "--initial-cluster-token=" + token},
         {},
         "/"},
        {kLimit}, {});
    return ran && ran->exit_code == 0;
  }
  void alter(int n) override {
    const auto file = dir_of(n) + "/data/member/snap/db";
    auto bytes = posix::read_file(file, size_t{128} << 20).value_or(std::string());
    for (auto at = bytes.find(kVictim); at != std::string::npos; at = bytes.find(kVictim))
      bytes[at] = 'X';
    static_cast<void>(posix::write_atomic(file, bytes));
  }
  std::unique_ptr<etcd::EtcdApi> connect_as(int n, Who who) override {
    if (!tls()) return etcd::connect(client_url(n), {});
    etcd::Tls shown = pki()->client();
    const auto now = posix::SystemClock().now();
    const auto life = std::chrono::hours(1);
    const auto other = pki::make_ca({.common_name = "other", .now = now, .life = life}).value();
    if (who == Who::kNobody || who == Who::kStranger) {
      const auto& ca = who == Who::kNobody ? pki()->ca() : other;
      const auto leaf =
          pki::issue(ca, {.common_name = "nobody", .dns = {}, .ips = {}, .now = now, .life = life})
              .value();
      shown.cert = leaf.cert;
      shown.key = leaf.key;
    }
    if (who == Who::kUnnamed) shown.cert = shown.key = "";
    if (who == Who::kDistrusts) shown.ca = other.cert;
    return etcd::connect(client_url(n), shown);
  }
  bool enable_auth(int n) override {
    const auto etcdctl = support::etcd_binary(version(), "etcdctl");
    const auto root = dir_.root();
    const auto shown = pki()->client();
    if (!etcdctl || !posix::write_atomic(root + "/root.crt", shown.cert) ||
        !posix::write_atomic(root + "/root.key", shown.key))
      return false;
    using Words = std::vector<std::string>;
    for (const Words& words :
         {Words{"user", "add", "root", "--no-password"},
          Words{"user", "grant-role", "root", "root"}, Words{"auth", "enable"}}) {
      Words argv{*etcdctl, "--endpoints=" + client_url(n), "--cacert=" + root + "/ca.crt",
                 "--cert=" + root + "/root.crt", "--key=" + root + "/root.key"};
      argv.insert(argv.end(), words.begin(), words.end());
      const auto ran = posix::run({argv, {}, "/"}, {kLimit}, {});
      if (!ran || ran->exit_code != 0) return false;
    }
    return true;
  }
  bool until(const std::function<bool()>& condition, base::Duration limit) override {
    for (const auto end = posix::deadline_in(limit); posix::deadline_in({}) < end;
         ::poll(nullptr, 0, 20))
      if (condition()) return true;
    return condition();
  }
  std::optional<Ended> ended(int n) override {
    const auto status = processes_[n]->wait_exit(kLimit);
    if (!status) return std::nullopt;
    return judge_end(WIFEXITED(*status) ? WEXITSTATUS(*status) : -1,
                     WIFSIGNALED(*status) ? WTERMSIG(*status) : 0, processes_[n]->log());
  }

 private:
  std::string dir_of(int n) {
    auto dir = fmt::format("{}/m{}", dir_.root(), n);
    static_cast<void>(posix::make_dirs(dir));
    return dir;
  }
  support::TestPki* pki() {
    if (!pki_) pki_ = std::make_unique<support::TestPki>(dir_.root());
    return pki_.get();
  }
  static void copy(const std::string& from, const std::string& to) {
    static_cast<void>(posix::remove_tree(to));
    std::error_code ignored;
    fs::copy(from, to, fs::copy_options::recursive, ignored);
  }

  support::ScratchDir dir_;
  std::unique_ptr<support::TestPki> pki_;
  std::map<int, std::unique_ptr<support::EtcdProcess>> processes_;
};

}  // namespace

std::unique_ptr<Bench> real_bench(const std::string& version, std::vector<posix::Port> ports) {
  return std::make_unique<RealBench>(version, std::move(ports));
}

}  // namespace conformance
