// status and doctor on a cluster of five: one dead, one whose process hangs, one of another
// version, which is what they say.
#include <fmt/format.h>

#include <csignal>

#include "hosts.h"
#include "posix/files.h"
#include "posix/socket.h"

namespace e2e {
namespace {

using namespace std::chrono_literals;
using Doctor = Hosts;

const json::Value* member(const json::Value& status, const std::string& name) {
  for (const auto& m : *status.at("members")->if_array())
    if (json::get_string(m, "name") == name) return &m;
  return nullptr;
}

bool healthy(const json::Value& status, const std::string& name) {
  const auto* m = member(status, name);
  return m != nullptr && json::get_bool(*m, "healthy") == true;
}

TEST_F(Doctor, FiveMembersWithADeadAHungAndAnOldOne) {
  build(4, "3.5.33");
  copy_authority(5);
  extra_[5]["VERSION"] = "3.5.12";
  must(5, {"join", peer(1)});
  // Nothing is wrong with them but the version, and all of the columns are told, by 3.5.12 too.
  std::optional<json::Value> status;
  EXPECT_TRUE(eventually(
      [&] {
        status = ask(5, {"status"});
        bool told = status.has_value();
        for (const int n : {1, 2, 3, 4, 5}) {
          const auto name = fmt::format("etcd-{}", n);
          told = told && healthy(*status, name) &&
                 member(*status, name)->find("walFsyncP99Seconds") != nullptr &&
                 json::get_int(*member(*status, name), "dbQuota") == 2147483648;
        }
        // The first probe of a peer is half a minute after a start.
        return told && member(*status, "etcd-1")->find("peerRttP99Seconds") != nullptr;
      },
      120s))
      << on(5, {"status", "-o", "json"}).out;
  ASSERT_TRUE(status && member(*status, "etcd-5") != nullptr);
  EXPECT_EQ(member(*status, "etcd-5")->find("version")->as_string().value_or(""), "3.5.12");

  kill_member(3);
  signal_etcd(4, SIGSTOP);
  // One of the two may have led.
  ASSERT_TRUE(eventually([&] {
    status = ask(5, {"status"});
    return status && json::get_bool(*status, "quorum") == true && healthy(*status, "etcd-1") &&
           healthy(*status, "etcd-2") && healthy(*status, "etcd-5");
  })) << on(5, {"status"}).out;
  const auto text = on(5, {"status"});
  EXPECT_EQ(text.exit_code, 1);
  const auto problem = [&](const std::string& name) {
    return json::get_string(*member(*status, name), "problem").value_or("");
  };
  EXPECT_NE(problem("etcd-3").find("nothing listens there"), std::string::npos) << text.out;
  EXPECT_NE(problem("etcd-4").find("answers nothing"), std::string::npos) << text.out;

  EXPECT_TRUE(eventually([&] {
    const auto doctor = ask(5, {"doctor"});
    return doctor && problems_of(*doctor) == 2;
  }));
  const auto words = on(5, {"doctor"}).out;
  for (const char* line :
       {"etcd-3 does not answer: nothing listens there", "etcd-4 does not answer: it takes",
        "the members run different versions: etcd-5 3.5.12; etcd-1, etcd-2 3.5.33",
        "etcd 3.5.12: ", "etcdadm upgrade plan", "etcdadm member replace"})
    EXPECT_NE(words.find(line), std::string::npos) << line << "\n" << words;
  signal_etcd(4, SIGCONT);
}

TEST_F(Doctor, WhatIsWrongOnOneHostIsSaidWithWhatMendsIt) {
  build(1, "3.5.33");
  EXPECT_TRUE(sound(1)) << on(1, {"doctor"}).out;
  const auto expect = [&](const std::string& what, const std::string& mend) {
    const auto ran = on(1, {"doctor"});
    EXPECT_EQ(ran.exit_code, 1);
    EXPECT_NE(ran.out.find(what), std::string::npos) << ran.out;
    EXPECT_NE(ran.out.find(mend), std::string::npos) << ran.out;
  };
  // A key that others can read.
  const std::string key = dir(1) + "/pki/server.key", pair = read(key);
  ASSERT_TRUE(posix::write_atomic(key, pair, 0644));
  expect("server.key can be read by others", "chmod 600");
  ASSERT_TRUE(posix::write_atomic(key, pair, 0600));

  // A certificate of another authority: the handshake itself fails.
  const std::string ca = dir(1) + "/pki/ca.crt", old = read(ca);
  must(2, {"init"});
  ASSERT_TRUE(posix::write_atomic(ca, read(dir(2) + "/pki/ca.crt")));
  expect("certificate server", "etcdadm certs renew");
  ASSERT_TRUE(posix::write_atomic(ca, old));
  must(2, {"reset", "--yes", "--delete-data"});

  // Its port is taken while it is down.
  kill_member(1);
  {
    const auto taken = posix::TcpListener::listen(address(1), ports_[1]);
    ASSERT_TRUE(taken);
    expect(fmt::format("the peer port {} cannot be used", ports_[1]), "ss -ltnp");
  }
  // An empty disk in the place of its own, and another member's.
  ASSERT_TRUE(posix::rename(data(1), data(1) + ".own"));
  ASSERT_TRUE(posix::make_dirs(data(1)));
  expect("holds no data, though this member has run", "mount what belongs there");
  must(2, {"init"});
  must(2, {"reset", "--yes", "--keep-config"});
  std::string other;
  const auto names = posix::list_dir(dir(2));
  ASSERT_TRUE(names);
  for (const auto& name : *names)
    if (name.starts_with("data.reset-")) other = dir(2) + "/" + name;
  ASSERT_TRUE(posix::remove_tree(data(1)));
  ASSERT_TRUE(posix::rename(other, data(1)));
  expect("wrong data directory", "mount this member's own disk");
}

}  // namespace
}  // namespace e2e
