// status and doctor on a cluster of five: one dead, one whose process hangs, one of another
// version, which is what they say.
#include <fmt/format.h>

#include <csignal>

#include "hosts.h"
#include "posix/files.h"
#include "posix/socket.h"

namespace e2e {
namespace {

using Doctor = Hosts;

const json::Value* member(const json::Value& status, const std::string& name) {
  for (const auto& m : *status.at("members")->if_array())
    if (json::get_string(m, "name") == name) return &m;
  return nullptr;
}

int problems(const json::Value& doctor) {
  int out = 0;
  for (const auto& f : *doctor.at("findings")->if_array())
    out += json::get_string(f, "level") == "problem" ? 1 : 0;
  return out;
}

TEST_F(Doctor, FiveMembersWithADeadAHungAndAnOldOne) {
  build(4, "3.5.33");
  copy_authority(5);
  extra_[5]["VERSION"] = "3.5.12";
  must(5, {"join", peer(1)});
  // Nothing is wrong with them but the version, and all of the columns are told, by 3.5.12 too.
  auto status = ask(5, {"status"});
  ASSERT_TRUE(status);
  for (const int n : {1, 2, 3, 4, 5}) {
    const auto* m = member(*status, fmt::format("etcd-{}", n));
    ASSERT_NE(m, nullptr);
    EXPECT_EQ(json::get_bool(*m, "healthy"), true);
    EXPECT_NE(m->find("walFsyncP99Seconds"), nullptr) << n;
    // The first probe of a peer is half a minute after a start.
    if (n == 1) EXPECT_NE(m->find("peerRttP99Seconds"), nullptr);
    EXPECT_EQ(json::get_int(*m, "dbQuota"), 2147483648) << n;
  }
  EXPECT_EQ(member(*status, "etcd-5")->find("version")->as_string().value_or(""), "3.5.12");

  kill_member(3);
  signal_etcd(4, SIGSTOP);
  const auto text = on(5, {"status"});
  EXPECT_EQ(text.exit_code, 1);
  status = ask(5, {"status"});
  ASSERT_TRUE(status);
  EXPECT_EQ(json::get_bool(*status, "quorum"), true) << text.out;
  const auto problem = [&](const std::string& name) {
    return json::get_string(*member(*status, name), "problem").value_or("");
  };
  EXPECT_NE(problem("etcd-3").find("nothing listens there"), std::string::npos) << text.out;
  EXPECT_NE(problem("etcd-4").find("answers nothing"), std::string::npos) << text.out;
  for (const int n : {1, 2, 5})
    EXPECT_EQ(json::get_bool(*member(*status, fmt::format("etcd-{}", n)), "healthy"), true)
        << text.out;

  const auto doctor = ask(5, {"doctor"});
  const auto words = on(5, {"doctor"}).out;
  ASSERT_TRUE(doctor);
  for (const char* line :
       {"etcd-3 does not answer: nothing listens there", "etcd-4 does not answer: it takes",
        "the members run different versions: etcd-5 3.5.12; etcd-1, etcd-2 3.5.33",
        "etcd 3.5.12: ", "etcdadm upgrade plan", "etcdadm member replace"})
    EXPECT_NE(words.find(line), std::string::npos) << line << "\n" << words;
  EXPECT_EQ(problems(*doctor), 2) << words;
  signal_etcd(4, SIGCONT);
}

TEST_F(Doctor, WhatIsWrongOnOneHostIsSaidWithWhatMendsIt) {
  build(1, "3.5.33");
  EXPECT_EQ(on(1, {"doctor"}).exit_code, 0) << on(1, {"doctor"}).out;
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
