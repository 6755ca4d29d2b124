// etcdadm on a host with a real systemd, which in_systemd has booted around this program: the
// commands without any folder, address or port of our own.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <set>

#include "base/text.h"
#include "looks.h"
#include "posix/env.h"
#include "posix/files.h"
#include "posix/process.h"
#include "posix/socket.h"
#include "posix/wakeup.h"

namespace e2e {
namespace {

using namespace std::chrono_literals;

posix::RunResult run(std::vector<std::string> argv) {
  // The container has no default route, and its cache of etcd is the machine's.
  std::vector<std::string> env{"PATH=/usr/bin:/bin:/usr/sbin:/sbin", "ETCDADM_VERSION=3.5.12",
                               "ETCDADM_NAME=etcd-1", "ETCDADM_BIND_ADDRESS=127.0.0.1",
                               "ETCDADM_INSTALL_DIR=/var/opt/bin"};
  for (const char* name : {"HOME", "XDG_CACHE_HOME", "ASAN_OPTIONS"})
    if (const auto value = posix::get_env(name)) env.push_back(fmt::format("{}={}", name, *value));
  if (argv.front() == "etcdadm") argv.front() = EO_BIN_DIR "/etcdadm";
  auto ran = posix::run({argv, env, "/"}, {180s}, {});
  return ran ? *ran : posix::RunResult{-1, 0, "", ran.error().message, false};
}

posix::RunResult adm(std::vector<std::string> args) {
  args.insert(args.begin(), "etcdadm");
  return run(args);
}

std::string systemctl(std::vector<std::string> args) {
  args.insert(args.begin(), "/usr/bin/systemctl");
  return std::string(base::trim(run(args).out));
}

// Of the user etcd, whom systemd_host makes.
const std::string kUid = "998";

bool well() {
  return eventually([] { return adm({"status"}).exit_code == 0; });
}

// Who runs the guard and etcd, by number; each once.
std::set<std::string> users_of_etcd() {
  std::set<std::string> out;
  for (const auto& entry : posix::list_dir("/proc").value_or(std::vector<std::string>())) {
    const std::string name(base::trim(read("/proc/" + entry + "/comm")));
    if (name != "etcd" && name != "etcd-guard") continue;
    const std::string status = read("/proc/" + entry + "/status");
    const auto at = status.find("Uid:\t");
    const auto end = status.find('\t', at + 5);
    out.insert(fmt::format("{} {}", name, status.substr(at + 5, end - at - 5)));
  }
  return out;
}

// What that user gets when he reads a file.
bool can_read(const std::string& user, const std::string& file) {
  return run({"/usr/bin/setpriv", "--reuid=" + user, "--clear-groups", "/usr/bin/cat", file})
             .exit_code == 0;
}

void expect_own_user() {
  EXPECT_TRUE(eventually([] {
    return users_of_etcd() == std::set<std::string>{"etcd " + kUid, "etcd-guard " + kUid};
  })) << fmt::format("{}", fmt::join(users_of_etcd(), ", "));
  EXPECT_FALSE(can_read("etcd", "/etc/etcd/pki/ca.key"));
  EXPECT_FALSE(can_read("etcd", "/etc/etcd/pki/etcdctl-etcd-client.key"));
  EXPECT_FALSE(can_read("etcd", "/var/lib/etcdadm/host.json"));
  EXPECT_TRUE(can_read("etcd", "/etc/etcd/pki/server.key"));
  for (const char* key : {"ca", "etcdctl-etcd-client", "server", "peer"}) {
    const auto info = posix::file_info(fmt::format("/etc/etcd/pki/{}.key", key));
    ASSERT_TRUE(info);
    EXPECT_EQ(info->mode, 0600U) << key;
  }
}

// By each command that makes or changes files of the member.
TEST(AdmSystemd, EtcdRunsAsAUserOfItsOwnThroughItsWholeLife) {
  if (const char* why = std::getenv("EO_NO_SYSTEMD"); why != nullptr) {
    RecordProperty("not_run", why);
    return;
  }
  const std::string file = "/root/etcd-snapshot.db";
  // A folder on the way that he may not go through is said, and the same command goes on after it.
  ASSERT_TRUE(posix::make_dirs("/etc/etcd", 0700));
  const auto barred = adm({"init"});
  EXPECT_EQ(barred.exit_code, 4) << barred.err;
  EXPECT_NE(barred.err.find("etcd runs as user etcd, who may not go through the folder /etc/etcd; "
                            "this mends it: chmod a+x /etc/etcd"),
            std::string::npos)
      << barred.err;
  ASSERT_EQ(run({"/usr/bin/chmod", "a+x", "/etc/etcd"}).exit_code, 0);
  const auto init = adm({"init"});
  ASSERT_EQ(init.exit_code, 0) << init.err;
  EXPECT_NE(init.out.find("It runs as user etcd."), std::string::npos) << init.out;
  expect_own_user();
  EXPECT_EQ(adm({"snapshot", "save", file}).exit_code, 0);

  // The keys are new ones, and still his.
  const std::string key = read("/etc/etcd/pki/server.key");
  const auto renewed = adm({"certs", "renew", "--within", "8800h"});
  EXPECT_EQ(renewed.exit_code, 0) << renewed.err;
  EXPECT_NE(read("/etc/etcd/pki/server.key"), key);
  expect_own_user();
  (void)systemctl({"restart", "etcd"});
  EXPECT_TRUE(well());

  const auto step = adm({"upgrade", "apply", "3.5.33", "--yes"});
  EXPECT_EQ(step.exit_code, 0) << step.out << step.err;
  expect_own_user();

  ASSERT_EQ(adm({"reset", "--keep-config", "--yes"}).exit_code, 0);
  const auto restored = adm({"snapshot", "restore", file, "--data-dir", "/var/lib/etcd"});
  ASSERT_EQ(restored.exit_code, 0) << restored.err;
  EXPECT_TRUE(well());
  expect_own_user();
  EXPECT_TRUE(is_sound([] { return adm({"doctor", "-o", "json"}); })) << adm({"doctor"}).out;

  // What root did by hand.
  for (const std::string wrong : {"/etc/etcd/pki/peer.key", "/var/lib/etcd/data/member/snap/db"}) {
    ASSERT_EQ(run({"/usr/bin/chown", "root", wrong}).exit_code, 0);
    const auto doctor = adm({"doctor"});
    EXPECT_NE(doctor.out.find("chown -R etcd"), std::string::npos) << doctor.out;
    EXPECT_NE(doctor.out.find(wrong.substr(wrong.rfind('/'))), std::string::npos) << doctor.out;
    ASSERT_EQ(run({"/usr/bin/chown", "etcd", wrong}).exit_code, 0);
  }
  ASSERT_EQ(run({"/usr/bin/chown", "etcd", "/etc/etcd/pki/ca.key"}).exit_code, 0);
  const auto doctor = adm({"doctor"});
  EXPECT_NE(doctor.out.find("chown root /etc/etcd/pki/ca.key"), std::string::npos) << doctor.out;
  ASSERT_EQ(run({"/usr/bin/chown", "root", "/etc/etcd/pki/ca.key"}).exit_code, 0);
  ASSERT_EQ(adm({"reset", "--yes", "--delete-data"}).exit_code, 0);
}

TEST(AdmSystemd, TheUnitRunsTheGuardAndComesBack) {
  if (const char* why = std::getenv("EO_NO_SYSTEMD"); why != nullptr) {
    RecordProperty("not_run", why);
    return;
  }
  const std::string file = "/root/etcd-snapshot.db";
  const auto init = adm({"init"});
  ASSERT_EQ(init.exit_code, 0) << init.err;
  EXPECT_EQ(systemctl({"is-enabled", "etcd"}), "enabled");
  EXPECT_TRUE(eventually([] { return systemctl({"is-active", "etcd"}) == "active"; }));
  EXPECT_TRUE(well());
  EXPECT_EQ(adm({"snapshot", "save", file}).exit_code, 0);

  // The listener for hosts that join is a unit of its own, which nothing enables. The word that it
  // is given a token for is in no journal.
  EXPECT_EQ(systemctl({"is-active", "etcdadm-token"}), "active");
  const auto created = adm({"token", "create"});
  ASSERT_EQ(created.exit_code, 0) << created.err;
  const auto at = created.out.find("--token ");
  ASSERT_NE(at, std::string::npos) << created.out;
  const auto secret = created.out.substr(at + 17, 32);
  posix::RunResult journal;
  EXPECT_TRUE(eventually([&] {
    journal = run({"/usr/bin/journalctl", "--no-pager", "-u", "etcdadm-token"});
    return journal.out.find("listens at 127.0.0.1 port 2378") != std::string::npos;
  })) << journal.out
      << journal.err;
  EXPECT_EQ(journal.out.find(secret), std::string::npos);
  EXPECT_EQ(run({"/usr/bin/grep", "-r", secret, "/etc", "/var/lib/etcdadm"}).exit_code, 1);

  // As after a reboot: by the unit alone.
  (void)systemctl({"restart", "etcd"});
  EXPECT_TRUE(eventually([] { return systemctl({"is-active", "etcd"}) == "active"; }));
  EXPECT_TRUE(well());

  const auto live = adm({"snapshot", "restore", file, "--data-dir", "/var/lib/etcd"});
  EXPECT_EQ(live.exit_code, 4) << live.err;
  ASSERT_EQ(adm({"reset", "--keep-config", "--yes"}).exit_code, 0);
  EXPECT_EQ(systemctl({"is-active", "etcd"}), "inactive");
  const auto restored = adm({"snapshot", "restore", file, "--data-dir", "/var/lib/etcd"});
  ASSERT_EQ(restored.exit_code, 0) << restored.err;
  EXPECT_TRUE(well());
  EXPECT_TRUE(eventually([] { return systemctl({"is-active", "etcd"}) == "active"; }));

  ASSERT_EQ(adm({"reset", "--yes", "--delete-data"}).exit_code, 0);
  for (const char* left :
       {"/etc/systemd/system/etcd.service", "/etc/systemd/system/etcdadm-token.service",
        "/var/lib/etcd", "/etc/etcd/pki/ca.key", "/var/opt/bin/etcd", "/var/lib/etcdadm/host.json"})
    EXPECT_EQ(posix::exists(left), base::Fact<bool>(false)) << left;
}

// Each is said by what is wrong, nothing of it is lost, and the same command goes on when it is
// mended.
TEST(AdmSystemd, WhatIsWrongWithTheMachineIsToldAndMended) {
  if (const char* why = std::getenv("EO_NO_SYSTEMD"); why != nullptr) {
    RecordProperty("not_run", why);
    return;
  }
  const auto expect_refused = [](int exit_code, const std::string& words) {
    const auto ran = adm({"init", "--user", "root", "--start-timeout", "20s"});
    EXPECT_EQ(ran.exit_code, exit_code) << ran.err;
    EXPECT_NE(ran.err.find(words), std::string::npos) << ran.err;
  };
  const auto mount = [](const std::string& at, const std::string& options) {
    ASSERT_TRUE(posix::make_dirs(at));
    ASSERT_EQ(run({"/usr/bin/mount", "-t", "tmpfs", "-o", options, "tmpfs", at}).exit_code, 0);
  };
  const auto unmount = [](const std::string& at) {
    ASSERT_EQ(run({"/usr/bin/umount", at}).exit_code, 0);
  };
  {
    const auto taken = posix::TcpListener::listen("127.0.0.1", 2380);
    ASSERT_TRUE(taken);
    expect_refused(4, "the peer port cannot be used: listen on 127.0.0.1:2380: Address already");
  }
  mount("/var/lib/etcdadm", "nr_inodes=3");
  expect_refused(1, "No space left on device");
  unmount("/var/lib/etcdadm");
  mount("/etc/etcd/pki", "ro");
  expect_refused(4, "create /etc/etcd/pki/");
  unmount("/etc/etcd/pki");
  mount("/var/lib/etcd", "size=64k");
  expect_refused(5, "last end: Node: failed to create WAL: no space left on device");
  unmount("/var/lib/etcd");
  mount("/var/lib/etcd", "ro");
  expect_refused(5, "Read-only file system");
  unmount("/var/lib/etcd");

  const auto init = adm({"init", "--user", "root"});
  ASSERT_EQ(init.exit_code, 0) << init.err;
  EXPECT_TRUE(well());
  EXPECT_EQ(users_of_etcd(), (std::set<std::string>{"etcd 0", "etcd-guard 0"}));
  // A key that etcd, as the user that it runs as, is not the owner of.
  ASSERT_EQ(run({"/usr/bin/chown", "1234", "/etc/etcd/pki/server.key"}).exit_code, 0);
  const auto doctor = adm({"doctor"});
  EXPECT_NE(doctor.out.find("server.key belongs to user 1234"), std::string::npos) << doctor.out;
  EXPECT_NE(doctor.out.find("chown -R 0 /etc/etcd/pki/server.key"), std::string::npos);
  ASSERT_EQ(adm({"reset", "--yes", "--delete-data"}).exit_code, 0);
}

}  // namespace
}  // namespace e2e
