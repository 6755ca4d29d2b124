// Clusters that were made by other means: with etcd's own command line, with an environment file,
// and in the retired tool's layout. They are adopted while they run.
#include <fmt/format.h>

#include <csignal>

#include "hosts.h"
#include "posix/env.h"
#include "posix/files.h"
#include "posix/wakeup.h"

namespace e2e {
namespace {

class Adopt : public Hosts {
 protected:
  // Certificates as a person may have made them; here by etcdadm, in a folder of another name.
  void SetUp() override {
    Hosts::SetUp();
    etcd_ = posix::cache_dir().value_or("") + "/etcd-operator/etcd/v3.5.33/etcd";
    must(9, {"init", "phase", "certificates"});
  }
  void TearDown() override {
    for (const auto& [n, process] : running_) (void)posix::send_signal(process, SIGKILL);
    Hosts::TearDown();
  }

  void make_pki(int n, const std::string& folder) {
    ASSERT_TRUE(posix::make_dirs(folder));
    extra_[n]["CERTS_DIR"] = folder;
    for (const char* file : {"/ca.crt", "/ca.key"})
      ASSERT_TRUE(posix::write_atomic(folder + file, read(dir(9) + "/pki" + file)));
    must(n, {"join", "phase", "certificates", "https://127.0.0.1:2380"});
  }

  std::map<std::string, std::string> flags(int n, const std::string& pki, int hosts) {
    std::string all;
    for (int i = 1; i <= hosts; ++i)
      all += fmt::format("{}hand-{}={}", i == 1 ? "" : ",", i, peer(i));
    return {{"name", fmt::format("hand-{}", n)},
            {"data-dir", dir(n) + "/var"},
            {"listen-client-urls", client(n)},
            {"advertise-client-urls", client(n)},
            {"listen-peer-urls", peer(n)},
            {"initial-advertise-peer-urls", peer(n)},
            {"listen-metrics-urls", fmt::format("http://{}:{}", address(n), ports_[2])},
            {"initial-cluster", all},
            {"initial-cluster-token", "by-hand"},
            {"cert-file", pki + "/server.crt"},
            {"key-file", pki + "/server.key"},
            {"trusted-ca-file", pki + "/ca.crt"},
            {"client-cert-auth", "true"},
            {"peer-cert-file", pki + "/peer.crt"},
            {"peer-key-file", pki + "/peer.key"},
            {"peer-trusted-ca-file", pki + "/ca.crt"},
            {"peer-client-cert-auth", "true"},
            {"quota-backend-bytes", "123456789"}};
  }

  void start(int n, const std::map<std::string, std::string>& flags, bool by_environment) {
    posix::Detached what;
    what.launch.argv = {etcd_};
    for (const auto& [name, value] : flags) {
      std::string variable = "ETCD_";
      for (const char c : name) variable += c == '-' ? '_' : static_cast<char>(std::toupper(c));
      if (by_environment)
        what.launch.env.push_back(variable + "=" + value);
      else
        what.launch.argv.push_back("--" + name + "=" + value);
    }
    what.log_file = dir(n) + "/etcd.log";
    ASSERT_TRUE(posix::make_dirs(dir(n)));
    const auto process = posix::spawn_detached(what);
    ASSERT_TRUE(process) << process.error().message;
    running_[n] = *process;
  }

  std::vector<std::string> adopt(int n, std::vector<std::string> more = {}) {
    std::vector<std::string> out{"adopt", "--pid", std::to_string(running_.at(n).pid)};
    out.insert(out.end(), more.begin(), more.end());
    return out;
  }

  std::string etcd_;
  std::map<int, posix::ProcessId> running_;
};

TEST_F(Adopt, ThreeMembersMadeByHandAreAdoptedWithoutARestart) {
  for (const int n : {1, 2, 3}) {
    make_pki(n, dir(n) + "/by-hand");
    start(n, flags(n, dir(n) + "/by-hand", 3), n == 2);
  }
  for (const int n : {1, 2, 3}) ASSERT_TRUE(put(n, "colour", "blue")) << n;
  for (const int n : {1, 2, 3}) {
    extra_[n]["CERTS_DIR"] = dir(n) + "/pki";
    if (n == 2)
      for (const char* step : {"process", "certificates", "identity", "install", "stamp", "unit"})
        EXPECT_EQ(on(n, adopt(n, {"--fault-point", std::string(step) + ".after"})).exit_code, 85);
    must(n, adopt(n));
    EXPECT_EQ(posix::is_alive(running_.at(n)), base::Fact<bool>(true)) << n;
  }
  EXPECT_TRUE(well(1));
  const auto status = on(1, {"status"});
  EXPECT_NE(status.out.find("Unguarded"), std::string::npos) << status.out;
  EXPECT_NE(on(1, {"doctor"}).out.find("Unguarded"), std::string::npos);

  // The next start is under the guard, by its data, with its flags and its name.
  Writer writer({etcd(2), etcd(3), etcd(1)});
  for (const int n : {1, 2, 3}) {
    const auto ran = on(n, adopt(n, {"--restart"}));
    ASSERT_EQ(ran.exit_code, 0) << ran.out << ran.err;
    EXPECT_EQ(posix::is_alive(running_.at(n)), base::Fact<bool>(false)) << n;
    EXPECT_NE(read(dir(n) + "/state/member/ticket").find("--quota-backend-bytes=123456789"),
              std::string::npos);
  }
  EXPECT_EQ(writer.stop(), 0);
  EXPECT_TRUE(well(1));
  const auto after = on(1, {"status"});
  EXPECT_EQ(after.out.find("Unguarded"), std::string::npos) << after.out;
  EXPECT_NE(after.out.find("etcd runs under its guard"), std::string::npos) << after.out;
  for (const int n : {1, 2, 3}) EXPECT_EQ(writer.lost(*etcd(n)), 0) << n;
  EXPECT_EQ(get(3, "colour"), "blue");
  // From here on it is as any: a blank directory in its place is not started.
  kill_member(3);
  ASSERT_TRUE(posix::rename(dir(3) + "/var/member", dir(3) + "/member"));
  const auto blank = on(3, {"doctor"});
  EXPECT_NE(blank.out.find("holds no data, though this member has run"), std::string::npos)
      << blank.out;
}

TEST_F(Adopt, WhatCannotBeLookedAfterIsLeftAlone) {
  // The retired tool's layout: its folder of certificates is where ours is.
  make_pki(1, dir(1) + "/pki");
  const auto own = flags(1, dir(1) + "/pki", 1);
  start(1, own, true);
  ASSERT_TRUE(put(1, "colour", "blue"));
  const std::string cert = read(dir(1) + "/pki/server.crt");
  EXPECT_EQ(on(1, {"adopt", "--pid", "1"}).exit_code, 4);  // no etcd
  must(1, adopt(1, {"--dry-run"}));
  EXPECT_EQ(posix::exists(dir(1) + "/state/host.json"), base::Fact<bool>(false));
  must(1, adopt(1));
  EXPECT_EQ(read(dir(1) + "/pki/server.crt"), cert);
  EXPECT_TRUE(well(1)) << on(1, {"status"}).out;
  EXPECT_EQ(on(1, {"init"}).exit_code, 4);

  // Without TLS.
  std::map<std::string, std::string> plain{
      {"name", "plain"},
      {"data-dir", dir(2) + "/var"},
      {"listen-client-urls", fmt::format("http://{}:{}", address(2), ports_[0])},
      {"advertise-client-urls", fmt::format("http://{}:{}", address(2), ports_[0])},
      {"listen-peer-urls", fmt::format("http://{}:{}", address(2), ports_[1])},
      {"initial-advertise-peer-urls", fmt::format("http://{}:{}", address(2), ports_[1])},
      {"initial-cluster", fmt::format("plain=http://{}:{}", address(2), ports_[1])}};
  start(2, plain, false);
  const auto refused = on(2, adopt(2));
  EXPECT_EQ(refused.exit_code, 4) << refused.err;
  EXPECT_NE(refused.err.find("nothing was changed"), std::string::npos) << refused.err;
  EXPECT_EQ(posix::exists(dir(2) + "/state/host.json"), base::Fact<bool>(false));
}

}  // namespace
}  // namespace e2e
