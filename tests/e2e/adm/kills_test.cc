// init, join and reset, killed before and after each of their steps: the same command goes on.
#include "hosts.h"
#include "posix/files.h"

namespace e2e {
namespace {

class Kills : public Hosts {
 protected:
  void kill_at_each(int n, const std::vector<std::string>& steps,
                    const std::vector<std::string>& command) {
    for (const auto& point : points_of(steps)) {
      std::vector<std::string> args{"--fault-point", point};
      args.insert(args.end(), command.begin(), command.end());
      const auto ran = on(n, args);
      ASSERT_EQ(ran.exit_code, 85) << point << "\n" << ran.out << ran.err;
    }
    must(n, command);
  }
};

TEST_F(Kills, AtEachStepOfInitJoinAndReset) {
  for (const int n : {1, 2}) extra_[n]["VERSION"] = "3.5.33";
  const std::vector<std::string> join{"join", peer(1)}, reset{"reset", "--yes", "--delete-data"};
  kill_at_each(1,
               {"preflight", "install", "certificates", "configure", "start", "etcdctl", "health",
                "token", "post-init-instructions"},
               {"init"});
  ASSERT_TRUE(put(1, "colour", "blue"));
  copy_authority(2);
  kill_at_each(
      2,
      {"stop", "certificates", "install", "membership", "configure", "start", "etcdctl", "health"},
      join);
  EXPECT_EQ(get(2, "colour"), "blue");
  EXPECT_TRUE(eventually([&] { return versions(1).size() == 2; }));
  EXPECT_TRUE(sound(2)) << on(2, {"doctor"}).out;
  const std::vector<std::string> steps{"remove-member", "token", "stop", "data", "configuration"};
  kill_at_each(2, steps, reset);
  EXPECT_TRUE(eventually([&] { return versions(1).size() == 1; }));
  EXPECT_EQ(get(1, "colour"), "blue");
  // The last one.
  kill_at_each(1, steps, reset);
  for (const int n : {1, 2})
    for (const char* left : {"/data", "/state/host.json", "/state/journal.json", "/pki/ca.key"})
      EXPECT_EQ(posix::exists(dir(n) + left), base::Fact<bool>(false)) << n << left;
}

TEST_F(Kills, ARestoreIntoAFolderIsTidiedByTheNext) {
  extra_[1]["VERSION"] = "3.5.12";
  must(1, {"init"});
  const std::string file = dir_.path("a.db"), place = dir_.path("place");
  must(1, {"snapshot", "save", file});
  const std::vector<std::string> restore{"snapshot", "restore", file, "--data-dir", place + "/new"};
  ASSERT_TRUE(posix::make_dirs(place + "/new.part-0123456789abcdef/data"));  // a user's
  for (const char* point : {"build.before", "build.after"}) {
    std::vector<std::string> killed{"--fault-point", point};
    killed.insert(killed.end(), restore.begin(), restore.end());
    EXPECT_EQ(on(1, killed).exit_code, 85);
    EXPECT_EQ(posix::list_dir(place)->size(), 2U) << point;
  }
  const auto ran = on(1, restore);
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_NE(ran.err.find("removed what a restore that was killed had left"), std::string::npos);
  EXPECT_EQ(*posix::list_dir(place),
            (std::vector<std::string>{"new", "new.part-0123456789abcdef"}));
  EXPECT_EQ(posix::exists(place + "/new/member/snap/db"), base::Fact<bool>(true));
}

TEST_F(Kills, AJoinTakesTheVersionOfTheCluster) {
  extra_[1]["VERSION"] = "3.5.12";
  must(1, {"init"});
  copy_authority(2);
  const auto ahead = on(2, {"join", peer(1), "--version", "3.6.16"});
  EXPECT_EQ(ahead.exit_code, 4) << ahead.err;
  EXPECT_NE(ahead.err.find("cannot join members of 3.5.12"), std::string::npos) << ahead.err;
  EXPECT_EQ(on(2, {"join", "phase", "membership", peer(1), "--version", "3.6.16"}).exit_code, 4);
  EXPECT_EQ(versions(1).size(), 1U);
  for (const char* phase :
       {"stop", "certificates", "install", "membership", "configure", "start", "etcdctl", "health"})
    must(2, {"join", "phase", phase, peer(1)});
  const std::map<std::string, std::string> both{{"etcd-1", "3.5.12"}, {"etcd-2", "3.5.12"}};
  EXPECT_EQ(versions(1), both);
  EXPECT_NE(read(dir(2) + "/state/host.json").find("\"version\": \"3.5.12\""), std::string::npos);
  // As a reboot leaves it that no init system looks after.
  kill_member(2);
  const auto doctor = on(2, {"doctor"});
  EXPECT_NE(doctor.out.find("etcdadm init phase start"), std::string::npos) << doctor.out;
  must(2, {"init", "phase", "start"});
  EXPECT_TRUE(eventually([&] { return versions(1) == both; }));
  for (const int n : {2, 1}) must(n, {"reset", "--yes", "--delete-data"});
}

}  // namespace
}  // namespace e2e
