// Hosts that are lost: one of three with its disk, and two of three.
#include <fmt/format.h>

#include <csignal>

#include "hosts.h"
#include "posix/files.h"

namespace e2e {
namespace {

using Loss = Hosts;

TEST_F(Loss, AHostWithItsDiskIsReplacedByTwoCommands) {
  build(3, "3.5.33");
  ASSERT_TRUE(put(1, "colour", "blue"));
  EXPECT_EQ(on(1, {"member", "replace", "etcd-2", "--yes"}).exit_code, 4);  // it is alive
  EXPECT_EQ(on(1, {"member", "recover", "--yes"}).exit_code, 4);            // a quorum answers
  Writer writer({etcd(1), etcd(3)});
  lose_disk(2);
  EXPECT_TRUE(eventually([&] {
    const auto status = ask(3, {"status"});
    return status && json::get_bool(*status, "quorum") == true;
  }));

  // A slip of the pen puts nobody in; what was killed between the two changes goes on.
  const std::string fresh = peer(2);
  EXPECT_EQ(on(1, {"member", "replace", "etcd-9", "--peer-url", fresh}).exit_code, 3);
  must(1, {"member", "replace", "etcd-2", "--peer-url", fresh, "--dry-run"});
  EXPECT_EQ(versions(1).size(), 3U);
  const std::vector<std::string> replace{"member", "replace", "etcd-2", "--peer-url", fresh};
  std::vector<std::string> killed{"--fault-point", "add.before"};
  killed.insert(killed.end(), replace.begin(), replace.end());
  EXPECT_EQ(on(1, killed).exit_code, 85);
  EXPECT_EQ(versions(1).size(), 2U);
  EXPECT_EQ(on(1, {"member", "replace", "etcd-9", "--peer-url", fresh}).exit_code, 3);
  const auto replaced = on(1, replace);
  ASSERT_EQ(replaced.exit_code, 0) << replaced.err;
  EXPECT_NE(replaced.out.find("is in the list as a learner"), std::string::npos) << replaced.out;
  EXPECT_NE(replaced.out.find("etcdadm join " + peer(1) + " --name etcd-2"), std::string::npos)
      << replaced.out;
  copy_authority(2);
  must(2, {"join", peer(1), "--name", "etcd-2"});
  EXPECT_EQ(writer.stop(), 0);
  EXPECT_EQ(writer.lost(*etcd(2)), 0);
  EXPECT_EQ(get(2, "colour"), "blue");
  EXPECT_TRUE(well(2)) << on(2, {"status"}).out;

  // The last two of its life: a dead one is taken out by its own reset too.
  kill_member(3);
  must(3, {"reset", "--yes"});
  EXPECT_TRUE(eventually([&] { return versions(1).size() == 2; }));
}

TEST_F(Loss, TwoOfThreeAreRecoveredFromTheOneThatIsLeft) {
  build(3, "3.5.12");
  ASSERT_TRUE(put(1, "colour", "blue"));
  lose_disk(1);
  signal_etcd(2, SIGSTOP);
  const auto seen = on(3, {"doctor"});
  EXPECT_EQ(seen.exit_code, 1);
  EXPECT_NE(seen.out.find("etcdadm member recover"), std::string::npos) << seen.out;
  // Who still runs may come to itself.
  const auto alive = on(3, {"member", "recover", "--yes"});
  EXPECT_EQ(alive.exit_code, 4) << alive.err;
  EXPECT_NE(alive.err.find("etcd-2 still runs"), std::string::npos) << alive.err;

  kill_member(2);
  const auto asked = on(3, {"member", "recover"});  // nobody is there to be asked
  EXPECT_EQ(asked.exit_code, 4) << asked.err;
  for (const char* word :
       {"2 of 3 members are not seen: etcd-1, etcd-2", "revision ", "How much that is is unknown"})
    EXPECT_NE(asked.err.find(word), std::string::npos) << word << asked.err;
  must(3, {"member", "recover", "--yes"});
  EXPECT_EQ(get(3, "colour"), "blue");
  ASSERT_TRUE(put(3, "colour", "red"));
  // The others come as new members; the old data of one is kept beside.
  must(2, {"reset", "--skip-remove-member", "--keep-config", "--yes"});
  must(2, {"join", peer(3)});
  EXPECT_EQ(get(2, "colour"), "red");
  EXPECT_TRUE(eventually([&] { return versions(2).size() == 2; }));
}

TEST_F(Loss, ARecoveryThatIsKilledGoesOn) {
  build(3, "3.5.33");
  ASSERT_TRUE(put(1, "colour", "blue"));
  for (const int n : {1, 2}) lose_disk(n);
  kill_member(3);  // and the survivor was started again: it opens no client port
  for (const auto& point :
       points_of({"check", "stop", "export", "keep", "found", "configure", "start", "health"})) {
    const auto ran = on(3, {"--fault-point", point, "member", "recover", "--yes"});
    ASSERT_EQ(ran.exit_code, 85) << point << ran.out << ran.err;
  }
  must(3, {"member", "recover", "--yes"});
  EXPECT_EQ(get(3, "colour"), "blue");
  const auto names = posix::list_dir(dir(3));
  ASSERT_TRUE(names);
  int kept = 0;
  for (const auto& name : *names) kept += name.starts_with("data.survivor-") ? 1 : 0;
  EXPECT_EQ(kept, 1);
  copy_authority(1);
  must(1, {"join", peer(3)});
  EXPECT_EQ(get(1, "colour"), "blue");
  EXPECT_TRUE(well(1)) << on(1, {"status"}).out;
  // Its own end, the last of the cluster's.
  must(3, {"reset", "--yes", "--delete-data"});
  must(1, {"reset", "--yes", "--delete-data"});
  EXPECT_EQ(posix::exists(data(1)), base::Fact<bool>(false));
}

}  // namespace
}  // namespace e2e
