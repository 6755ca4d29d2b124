// etcdadm on a host with a real systemd, which in_systemd has booted around this program: the
// commands without any folder, address or port of our own.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>

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

bool well() {
  return eventually([] { return adm({"status"}).exit_code == 0; });
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
    const auto ran = adm({"init", "--start-timeout", "20s"});
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

  const auto init = adm({"init"});
  ASSERT_EQ(init.exit_code, 0) << init.err;
  EXPECT_TRUE(well());
  // A key that etcd, as the user that it runs as, is not the owner of.
  ASSERT_EQ(run({"/usr/bin/chown", "1234", "/etc/etcd/pki/server.key"}).exit_code, 0);
  const auto doctor = adm({"doctor"});
  EXPECT_NE(doctor.out.find("server.key belongs to user 1234"), std::string::npos) << doctor.out;
  EXPECT_NE(doctor.out.find("chown -R 0 /etc/etcd/pki/server.key"), std::string::npos);
  ASSERT_EQ(adm({"reset", "--yes", "--delete-data"}).exit_code, 0);
}

}  // namespace
}  // namespace e2e
