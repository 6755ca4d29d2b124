// Other versions of etcd, host by host, while a client writes.
#include <fmt/format.h>

#include <algorithm>

#include "hosts.h"
#include "posix/files.h"

namespace e2e {
namespace {

bool is_refused_for_leading(const posix::RunResult& ran) {
  return ran.exit_code == 4 && ran.err.find("who leads is last") != std::string::npos;
}

// Who leads can change at any time on a machine that stands still for a moment.
class Upgrade : public Hosts {
 protected:
  int who_leads() {
    int out = 0;
    EXPECT_TRUE(eventually([&] { return (out = leader(1)) != 0 || (out = leader(2)) != 0; }));
    return out;
  }
  // Takes the step on one of these hosts that does not lead, but the last of the cluster's; which.
  int step_on_one(std::vector<int> hosts, const std::vector<std::string>& command, int code = 0) {
    posix::RunResult ran;
    for (int round = 0; round < 10; ++round) {
      const int leads = who_leads();
      const int n = hosts.front() != leads ? hosts.front() : hosts.back();
      ran = on(n, command);
      if (is_refused_for_leading(ran)) continue;
      EXPECT_EQ(ran.exit_code, code) << "on host " << n << "\n" << ran.out << ran.err;
      return n;
    }
    ADD_FAILURE() << "every host leads in turn: " << ran.err;
    return hosts.front();
  }
  void step_on_all(std::vector<int> hosts, const std::string& version) {
    while (!hosts.empty() && !HasFailure())
      std::erase(hosts, step_on_one(hosts, {"upgrade", "apply", version}));
  }
  // Of every member, as any of them tells it.
  bool all_run(int from, const std::string& version) {
    return eventually([&] {
      const auto all = versions(from);
      return all.size() == 3 &&
             std::ranges::all_of(all, [&](const auto& m) { return m.second == version; });
    });
  }
  bool runs(const std::string& name, const std::string& version) {
    return eventually([&] { return versions(1)[name] == version; });
  }
};

std::vector<int> others(int but) {
  std::vector<int> out;
  for (const int n : {1, 2, 3})
    if (n != but) out.push_back(n);
  return out;
}

TEST_F(Upgrade, HostByHostUnderAWriterAndUnsafeOrdersAreRefused) {
  build(3, "3.5.12");
  Writer writer({etcd(1), etcd(2), etcd(3)});

  // The next minor has to wait for the patch, and who leads for the others.
  const auto plan = ask(1, {"upgrade", "plan", "3.6.16"});
  ASSERT_TRUE(plan);
  EXPECT_EQ(json::get_string(*plan, "step"), "3.5.33");
  EXPECT_EQ(on(1, {"upgrade", "apply", "3.5.1"}).exit_code, 2);
  EXPECT_EQ(on(1, {"upgrade", "apply", "3.7.99x"}).exit_code, 2);
  const int first = who_leads();
  const auto early = on(first, {"upgrade", "apply", "3.5.33"});
  std::vector<int> left{1, 2, 3};
  int done = first;
  if (early.exit_code == 0) {  // it was allowed only because it did not lead any more
    ASSERT_NE(who_leads(), first) << early.out;
    const auto late = on(who_leads(), {"upgrade", "apply", "3.5.33"});
    EXPECT_TRUE(is_refused_for_leading(late)) << late.err;
  } else {
    EXPECT_TRUE(is_refused_for_leading(early)) << early.err;
    EXPECT_TRUE(runs(fmt::format("etcd-{}", first), "3.5.12"));
    done = step_on_one(others(first), {"upgrade", "apply"});
  }
  std::erase(left, done);
  ASSERT_FALSE(HasFailure());
  EXPECT_TRUE(runs(fmt::format("etcd-{}", done), "3.5.33"));
  must(done, {"upgrade", "apply", "3.5.33"});  // again: nothing is left to do
  const auto ahead = on(done, {"upgrade", "apply", "3.6.16"});
  EXPECT_EQ(ahead.exit_code, 4) << ahead.err;  // before the others are at 3.5.33

  // A member that is down stops everybody else's step; a kill in the midst is gone on from.
  const int killed = step_on_one(left, {"--fault-point", "stop.after", "upgrade", "apply"}, 85);
  std::erase(left, killed);
  const auto halted = on(left.front(), {"upgrade", "apply"});
  EXPECT_EQ(halted.exit_code, 4) << halted.err;
  EXPECT_NE(halted.err.find("is not healthy"), std::string::npos) << halted.err;
  must(killed, {"upgrade", "apply"});
  must(left.front(), {"upgrade", "apply"});
  EXPECT_TRUE(all_run(2, "3.5.33"));

  const auto finished = on(1, {"upgrade", "plan", "3.5.33"});
  EXPECT_NE(finished.out.find("Every member runs 3.5.33"), std::string::npos) << finished.out;
  step_on_all({1, 2, 3}, "3.6.16");
  ASSERT_FALSE(HasFailure());
  EXPECT_TRUE(all_run(3, "3.6.16"));

  EXPECT_EQ(writer.stop(), 0);
  EXPECT_GT(writer.acknowledged(), 100);
  for (const int n : {1, 2, 3}) {
    EXPECT_EQ(writer.lost(*etcd(n)), 0) << n;
    const auto saved = posix::list_dir(dir(n) + "/state/backups");
    ASSERT_TRUE(saved);
    EXPECT_EQ(saved->size(), 2U);
    EXPECT_EQ(on(n, {"snapshot", "verify", dir(n) + "/state/backups/" + saved->front()}).exit_code,
              0);
  }
  // The cluster version has risen: no way back by a binary.
  ASSERT_TRUE(eventually([&] {
    const auto back = on(1, {"upgrade", "apply", "3.5.33"});
    return back.exit_code == 4 &&
           back.err.find("the cluster version is 3.6 already") != std::string::npos;
  })) << on(1, {"upgrade", "apply", "3.5.33"}).err;
  EXPECT_TRUE(all_run(1, "3.6.16"));
}

// A version that does not come up: the others serve, no other member follows, and there is a way
// back.
TEST_F(Upgrade, AVersionThatFailsIsGoneBackFrom) {
  build(1, "3.5.12");
  ASSERT_TRUE(put(1, "colour", "blue"));
  const std::string bad = dir_.path("cache/v3.5.99");
  ASSERT_TRUE(posix::make_dirs(bad));
  for (const char* name : {"etcd", "etcdctl", "etcdutl"})
    ASSERT_TRUE(posix::write_atomic(bad + "/" + name,
                                    "#!/bin/sh\n[ \"$1\" != --version ] || { echo 'etcd Version: "
                                    "3.5.99'; exit 0; }\necho 'it does not run here'; exit 1\n",
                                    0755));
  // The only member: it says that nobody answers meanwhile.
  EXPECT_EQ(on(1, {"upgrade", "apply", "3.5.99"}).exit_code, 4);
  const auto failed = on(1, {"upgrade", "apply", "3.5.99", "--yes", "--start-timeout", "4s"});
  EXPECT_NE(failed.exit_code, 0);
  EXPECT_NE(failed.err.find("To go back: `etcdadm upgrade apply 3.5.12`"), std::string::npos)
      << failed.err;
  EXPECT_EQ(on(1, {"upgrade", "apply", "3.5.33"}).exit_code, 4);
  must(1, {"upgrade", "apply", "3.5.12"});
  EXPECT_EQ(get(1, "colour"), "blue");
  EXPECT_TRUE(runs("etcd-1", "3.5.12"));

  // Killed before and after each step of its way.
  for (const auto& point : points_of({"preflight", "fetch", "backup", "members", "leadership",
                                      "stop", "switch", "start", "health"})) {
    const auto ran = on(1, {"--fault-point", point, "upgrade", "apply", "3.5.33", "--yes"});
    EXPECT_EQ(ran.exit_code, 85) << point << ran.out << ran.err;
  }
  // Killed behind its last step: without a VERSION it is that step's end, and not the next minor.
  must(1, {"upgrade", "apply", "--yes"});
  must(1, {"upgrade", "apply", "3.5.33", "--yes"});
  EXPECT_TRUE(runs("etcd-1", "3.5.33"));
  EXPECT_EQ(get(1, "colour"), "blue");
}

}  // namespace
}  // namespace e2e
