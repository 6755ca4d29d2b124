// A member in the retired tool's layout (its unit, its environment file, its folders) on a host
// with a real systemd, adopted without a restart; the guard comes with the unit's next start.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "base/text.h"
#include "looks.h"
#include "posix/env.h"
#include "posix/files.h"
#include "posix/process.h"
#include "posix/wakeup.h"

namespace e2e {
namespace {

using namespace std::chrono_literals;

constexpr const char* kUnit =
    "[Unit]\nDescription=etcd\n[Service]\nEnvironmentFile=/etc/etcd/etcd.env\n"
    "User={}\nExecStart=/var/opt/bin/etcd\n"
    "Type=notify\nTimeoutStartSec=0\nRestart=on-failure\nRestartSec=5s\nLimitNOFILE=65536\n"
    "[Install]\nWantedBy=multi-user.target\n";
constexpr const char* kEnvironment =
    "ETCD_NAME=etcd-1\nETCD_INITIAL_CLUSTER=etcd-1=https://127.0.0.1:2380\n"
    "ETCD_INITIAL_CLUSTER_TOKEN=abcd\nETCD_INITIAL_CLUSTER_STATE=new\n"
    "ETCD_INITIAL_ADVERTISE_PEER_URLS=https://127.0.0.1:2380\n"
    "ETCD_LISTEN_PEER_URLS=https://127.0.0.1:2380\n"
    "ETCD_ADVERTISE_CLIENT_URLS=https://127.0.0.1:2379\n"
    "ETCD_LISTEN_CLIENT_URLS=https://127.0.0.1:2379\n"
    "ETCD_CERT_FILE=/etc/etcd/pki/server.crt\nETCD_KEY_FILE=/etc/etcd/pki/server.key\n"
    "ETCD_TRUSTED_CA_FILE=/etc/etcd/pki/ca.crt\nETCD_CLIENT_CERT_AUTH=true\n"
    "ETCD_PEER_CERT_FILE=/etc/etcd/pki/peer.crt\nETCD_PEER_KEY_FILE=/etc/etcd/pki/peer.key\n"
    "ETCD_PEER_TRUSTED_CA_FILE=/etc/etcd/pki/ca.crt\nETCD_PEER_CLIENT_CERT_AUTH=true\n"
    "ETCD_DATA_DIR=/var/lib/etcd\nETCD_STRICT_RECONFIG_CHECK=true\nETCD_LOGGER=zap\n"
    "GOMAXPROCS=2\n";

posix::RunResult run(std::vector<std::string> argv) {
  std::vector<std::string> env{"PATH=/usr/bin:/bin:/usr/sbin:/sbin", "ETCDADM_VERSION=3.5.12",
                               "ETCDADM_NAME=etcd-1", "ETCDADM_BIND_ADDRESS=127.0.0.1",
                               "ETCDADM_INSTALL_DIR=/var/opt/bin"};
  for (const char* name : {"HOME", "XDG_CACHE_HOME", "ASAN_OPTIONS"})
    if (const auto value = posix::get_env(name)) env.push_back(fmt::format("{}={}", name, *value));
  auto ran = posix::run({argv, env, "/"}, {180s}, {});
  return ran ? *ran : posix::RunResult{-1, 0, "", ran.error().message, false};
}

posix::RunResult adm(std::vector<std::string> args) {
  args.insert(args.begin(), EO_BIN_DIR "/etcdadm");
  return run(args);
}

std::string systemctl(std::vector<std::string> args) {
  args.insert(args.begin(), "/usr/bin/systemctl");
  return std::string(base::trim(run(args).out));
}

bool well() {
  return eventually([] { return adm({"status"}).exit_code == 0; });
}

std::string main_pid() {
  return systemctl({"show", "--value", "--property=MainPID", "etcd"});
}

// Who its main process runs as, by name.
std::string main_user() {
  const auto ran = run({"/usr/bin/stat", "--format=%U", "/proc/" + main_pid()});
  return std::string(base::trim(ran.out));
}

// The unit of whoever made it ran as `user`, and does so afterwards.
void adopt_from(const std::string& user) {
  if (const char* why = std::getenv("EO_NO_SYSTEMD"); why != nullptr) {
    ::testing::Test::RecordProperty("not_run", why);
    return;
  }
  ASSERT_EQ(adm({"init", "phase", "install"}).exit_code, 0);
  ASSERT_EQ(adm({"init", "phase", "certificates", "--user", user}).exit_code, 0);
  ASSERT_TRUE(posix::make_dirs("/var/lib/etcd"));
  ASSERT_EQ(run({"/usr/bin/chown", user, "/var/lib/etcd"}).exit_code, 0);
  ASSERT_TRUE(posix::write_atomic("/etc/etcd/etcd.env", kEnvironment));
  ASSERT_TRUE(posix::write_atomic("/etc/systemd/system/etcd.service",
                                  fmt::format(fmt::runtime(kUnit), user)));
  (void)systemctl({"daemon-reload"});
  (void)systemctl({"start", "etcd"});
  ASSERT_TRUE(eventually([] { return systemctl({"is-active", "etcd"}) == "active"; }));

  const std::string pid = main_pid();
  const auto adopted = adm({"adopt"});
  ASSERT_EQ(adopted.exit_code, 0) << adopted.out << adopted.err;
  EXPECT_EQ(main_pid(), pid);
  EXPECT_EQ(posix::exists("/etc/systemd/system/etcd.service.before-etcdadm"),
            base::Fact<bool>(true));
  EXPECT_TRUE(well());
  const auto before = adm({"status"});
  EXPECT_NE(before.out.find("Unguarded"), std::string::npos) << before.out;

  (void)systemctl({"restart", "etcd"});
  EXPECT_TRUE(eventually([] { return systemctl({"is-active", "etcd"}) == "active"; }));
  EXPECT_NE(main_pid(), pid);
  EXPECT_TRUE(well());
  const auto after = adm({"status"});
  EXPECT_NE(after.out.find("etcd runs under its guard"), std::string::npos) << after.out;
  EXPECT_EQ(main_user(), user);

  // A unit's member takes its step too.
  const auto step = adm({"upgrade", "apply", "3.5.33", "--yes"});
  EXPECT_EQ(step.exit_code, 0) << step.out << step.err;
  EXPECT_TRUE(eventually([] { return systemctl({"is-active", "etcd"}) == "active"; }));
  EXPECT_EQ(systemctl({"is-enabled", "etcd"}), "enabled");
  EXPECT_EQ(main_user(), user);
  ASSERT_EQ(adm({"reset", "--yes", "--delete-data"}).exit_code, 0);
  ASSERT_TRUE(posix::remove_file("/etc/systemd/system/etcd.service.before-etcdadm"));
}

TEST(AdmSystemd, TheRetiredToolsUnitIsAdopted) {
  adopt_from("root");
}

TEST(AdmSystemd, AUnitOfAnotherUserKeepsHim) {
  adopt_from("etcd");
}

}  // namespace
}  // namespace e2e
