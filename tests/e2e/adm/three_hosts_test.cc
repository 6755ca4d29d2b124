// Three hosts with a systemd each, in network namespaces: the tutorial word for word, what a
// restore refuses, the hand-over of the authority, and hosts that reboot. No flag is other than its
// default.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <sstream>

#include "base/text.h"
#include "hosts.h"
#include "json/json.h"
#include "real_hosts.h"

namespace e2e {
namespace {

using namespace std::chrono_literals;

constexpr const char* kTutorial = EO_SOURCE_DIR "/docs/tutorials/three-hosts.sh";
constexpr const char* kFile = "/backup/etcd-snapshot.db";
constexpr const char* kRestore = "etcdadm snapshot restore /backup/etcd-snapshot.db --data-dir ";

class ThreeHosts : public ::testing::Test {
 protected:
  // False: this machine cannot boot hosts, which is told.
  bool have_hosts(RealHosts::Net net) {
    const std::string why = hosts_.start(net);
    if (!why.empty()) RecordProperty("not_run", why);
    return why.empty();
  }

  void must(int n, const std::string& command) {
    const auto ran = hosts_.on(n, command);
    ASSERT_EQ(ran.exit_code, 0) << command << " on host " << n << "\n" << ran.out << ran.err;
  }
  std::string told(int n, const std::string& command) {
    return std::string(base::trim(hosts_.on(n, command).out));
  }
  bool well(int n) {
    return until_good([&] { return hosts_.on(n, "etcdadm status"); }).exit_code == 0;
  }
  std::string get(int n, const std::string& key) {
    return get_from([&] { return hosts_.etcd(n); }, key).value_or("(no answer)");
  }
  // `users`: who the guard and etcd run as on each host, who cannot read the authority's key
  // unless he is root.
  void expect_units(const std::vector<std::string>& users) {
    for (int n = 1; n <= RealHosts::kHosts; ++n) {
      const auto& user = users.at(static_cast<size_t>(n) - 1);
      EXPECT_EQ(told(n,
                     "cd /proc; for p in [0-9]*; do case $(cat $p/comm) in etcd|etcd-guard) "
                     "stat -c %U $p;; esac; done"),
                user + "\n" + user)
          << n;
      EXPECT_EQ(hosts_.on(n, fmt::format("setpriv --reuid={} --clear-groups cat "
                                         "/etc/etcd/pki/ca.key",
                                         user))
                        .exit_code == 0,
                user == "root")
          << n;
      EXPECT_EQ(told(n, "systemctl is-active etcd"), "active") << n;
      EXPECT_EQ(told(n, "systemctl is-enabled etcd"), "enabled") << n;
    }
  }
  int leader() {
    int at = 0;
    EXPECT_TRUE(eventually([&] {
      for (int n = 1; n <= RealHosts::kHosts && at == 0; ++n) at = leader_of(*hosts_.etcd(n));
      return at != 0;
    }));
    return at;
  }

  void join_by_token(int n, const std::string& told);
  void expect_refusals();
  void expect_refused(int n, const std::string& dir);

  RealHosts hosts_;
};

// By the command that another host told, word for word.
void ThreeHosts::join_by_token(int n, const std::string& told) {
  const auto value = json::parse(told);
  ASSERT_TRUE(value) << told;
  const auto command = json::get_string(*value, "join").value_or("");
  ASSERT_NE(command.find(" --token "), std::string::npos) << told;
  must(n, command);
}

// A restore there ends in an error, and no file has come, gone or become another.
void ThreeHosts::expect_refused(int n, const std::string& dir) {
  const std::string files =
      "find /etc /srv /var/lib/etcd /var/lib/etcd.* /var/lib/etcdadm/*.json -printf '%p %i\\n'"
      " | sort";
  const std::string unit = "systemctl show etcd -p MainPID -p ActiveState";
  const auto before = told(n, files), ran = told(n, unit);
  const auto refused = hosts_.on(n, fmt::format("{}{}", kRestore, dir));
  EXPECT_EQ(refused.exit_code, 4) << refused.out << refused.err;
  EXPECT_EQ(told(n, files), before);
  EXPECT_EQ(told(n, unit), ran);
}

// Of the cluster that the tutorial left.
void ThreeHosts::expect_refusals() {
  expect_refused(1, "/var/lib/etcd");
  must(1, "mkdir -p /srv/full && echo mine >/srv/full/note");
  expect_refused(1, "/srv/full");
  EXPECT_EQ(told(1, "cat /srv/full/note"), "mine");
  EXPECT_EQ(get(1, "greeting"), "hello");

  must(3, "etcdadm reset --keep-config --yes");
  must(3, "mkdir -p /srv /backup /var/lib/etcd && echo mine >/var/lib/etcd/note");
  ASSERT_TRUE(posix::write_atomic(hosts_.root(3) + kFile, read(hosts_.root(1) + kFile)));
  expect_refused(3, "/var/lib/etcd");
  EXPECT_EQ(told(3, "cat /var/lib/etcd/note"), "mine");
  must(3, "rm /var/lib/etcd/note && etcdadm join https://etcd-1:2380");
  EXPECT_TRUE(well(3));
  expect_units({"etcd", "etcd", "etcd"});
}

// Without "--- ", which the tutorial puts before each.
std::vector<std::string> commands_in(const std::string& told) {
  std::vector<std::string> out;
  std::istringstream in(told);
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("--- ") && line.find(": etcdadm ") != std::string::npos)
      out.push_back(line.substr(4));
  return out;
}

// As `status` names them.
std::vector<std::string> clusters_in(const std::string& told) {
  std::vector<std::string> out;
  std::istringstream in(told);
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("cluster ")) out.push_back(line.substr(0, line.find(',')));
  return out;
}

TEST_F(ThreeHosts, TheTutorialWordForWord) {
  if (!have_hosts(RealHosts::Net::kV4)) return;
  const auto tutorial = hosts_.here({kTutorial});
  ASSERT_EQ(tutorial.exit_code, 0) << tutorial.out << tutorial.err;
  const std::vector<std::string> verbatim{
      "etcd-1: etcdadm init",
      "etcd-2: etcdadm join https://etcd-1:2380",
      "etcd-3: etcdadm join https://etcd-1:2380",
      "etcd-1: etcdadm snapshot save /backup/etcd-snapshot.db",
      "etcd-1: etcdadm status",
      "etcd-1: etcdadm reset --keep-config --yes",
      "etcd-2: etcdadm reset --keep-config --yes",
      "etcd-3: etcdadm reset --keep-config --yes",
      "etcd-1: etcdadm snapshot restore /backup/etcd-snapshot.db --data-dir /var/lib/etcd",
      "etcd-2: etcdadm join https://etcd-1:2380",
      "etcd-3: etcdadm join https://etcd-1:2380",
      "etcd-1: etcdadm status"};
  EXPECT_EQ(commands_in(tutorial.err), verbatim);
  const auto clusters = clusters_in(tutorial.out);
  ASSERT_EQ(clusters.size(), 2U) << tutorial.out;
  EXPECT_NE(clusters[0], clusters[1]);
  const std::string all = "quorum: yes, 3 of 3 voters healthy";
  const auto first = tutorial.out.find(all);
  ASSERT_NE(first, std::string::npos) << tutorial.out;
  EXPECT_NE(tutorial.out.find(all, first + 1), std::string::npos) << tutorial.out;
  expect_units({"etcd", "etcd", "etcd"});
  for (int n = 1; n <= RealHosts::kHosts; ++n)
    EXPECT_EQ(hosts_.on(n, "ls -d /var/lib/etcd.reset-*").exit_code, 0) << n;
  expect_refusals();
}

// With no addresses but of IPv6.
TEST_F(ThreeHosts, TheAuthorityIsHandedOverAndTheLeadersHostMayReboot) {
  if (!have_hosts(RealHosts::Net::kV6)) return;
  const auto init = hosts_.on(1, "etcdadm init -o json");
  ASSERT_EQ(init.exit_code, 0) << init.err;
  must(2, "sed -i /^etcd:/d /etc/passwd");  // it has no such user, and runs as root
  join_by_token(2, init.out);
  const auto token = hosts_.on(2, "etcdadm token create -o json");
  ASSERT_EQ(token.exit_code, 0) << token.err;
  join_by_token(3, token.out);
  ASSERT_TRUE(well(1));

  Writer writer({hosts_.etcd(1), hosts_.etcd(2), hosts_.etcd(3)});
  const auto goes_on = [&] {
    return eventually(
        [&, from = writer.acknowledged()] { return writer.acknowledged() > from + 20; });
  };
  EXPECT_TRUE(goes_on());
  const int first = leader();
  ASSERT_TRUE(hosts_.shut_down(first));
  EXPECT_TRUE(goes_on());
  ASSERT_TRUE(hosts_.boot(first));
  EXPECT_TRUE(well(first));

  const int second = leader();
  ASSERT_TRUE(hosts_.cut_power(second));
  EXPECT_TRUE(goes_on());
  ASSERT_TRUE(hosts_.boot(second));
  EXPECT_TRUE(well(second));
  EXPECT_TRUE(goes_on());

  EXPECT_EQ(writer.stop(), 0);
  for (int n = 1; n <= RealHosts::kHosts; ++n) EXPECT_EQ(writer.lost(*hosts_.etcd(n)), 0) << n;
  expect_units({"etcd", "root", "etcd"});
}

}  // namespace
}  // namespace e2e
