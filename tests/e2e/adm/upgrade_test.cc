// Other versions of etcd, host by host, while a client writes.
#include <fmt/format.h>

#include <algorithm>

#include "hosts.h"
#include "posix/files.h"

namespace e2e {
namespace {

using Upgrade = Hosts;

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
  int first = leader(1);
  ASSERT_NE(first, 0);
  const auto early = on(first, {"upgrade", "apply", "3.5.33"});
  EXPECT_EQ(early.exit_code, 4) << early.err;
  EXPECT_NE(early.err.find("who leads is last"), std::string::npos) << early.err;
  EXPECT_EQ(versions(1)[fmt::format("etcd-{}", first)], "3.5.12");

  const auto two = others(first);
  must(two[0], {"upgrade", "apply"});
  EXPECT_EQ(versions(1)[fmt::format("etcd-{}", two[0])], "3.5.33");
  must(two[0], {"upgrade", "apply", "3.5.33"});  // again: nothing is left to do
  const auto ahead = on(two[0], {"upgrade", "apply", "3.6.16"});
  EXPECT_EQ(ahead.exit_code, 4) << ahead.err;  // before the others are at 3.5.33

  // A member that is down stops everybody else's step; a kill in the midst is gone on from.
  EXPECT_EQ(on(two[1], {"--fault-point", "stop.after", "upgrade", "apply"}).exit_code, 85);
  const auto halted = on(first, {"upgrade", "apply"});
  EXPECT_EQ(halted.exit_code, 4) << halted.err;
  EXPECT_NE(halted.err.find("is not healthy"), std::string::npos) << halted.err;
  must(two[1], {"upgrade", "apply"});
  must(first, {"upgrade", "apply"});
  for (const auto& [name, version] : versions(2)) EXPECT_EQ(version, "3.5.33") << name;

  const auto done = on(1, {"upgrade", "plan", "3.5.33"});
  EXPECT_NE(done.out.find("Every member runs 3.5.33"), std::string::npos) << done.out;
  first = leader(1);
  for (const int n : others(first)) must(n, {"upgrade", "apply", "3.6.16"});
  must(first, {"upgrade", "apply", "3.6.16"});
  for (const auto& [name, version] : versions(3)) EXPECT_EQ(version, "3.6.16") << name;

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
  for (const auto& [name, version] : versions(1)) EXPECT_EQ(version, "3.6.16") << name;
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
  EXPECT_EQ(versions(1)["etcd-1"], "3.5.12");

  // Killed before and after each step of its way.
  for (const auto& point : points_of({"preflight", "fetch", "backup", "members", "leadership",
                                      "stop", "switch", "start", "health"})) {
    const auto ran = on(1, {"--fault-point", point, "upgrade", "apply", "3.5.33", "--yes"});
    EXPECT_EQ(ran.exit_code, 85) << point << ran.out << ran.err;
  }
  // Killed behind its last step: without a VERSION it is that step's end, and not the next minor.
  must(1, {"upgrade", "apply", "--yes"});
  must(1, {"upgrade", "apply", "3.5.33", "--yes"});
  EXPECT_EQ(versions(1)["etcd-1"], "3.5.33");
  EXPECT_EQ(get(1, "colour"), "blue");
}

}  // namespace
}  // namespace e2e
