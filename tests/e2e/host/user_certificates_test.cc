// Certificates of the user's own, out of Secrets beside the manifest.
#include <algorithm>

#include "e2e/host/fixture.h"
#include "pki/issue.h"
#include "posix/clock.h"

namespace e2e {
namespace {

pki::Pair must(base::Result<pki::Pair> made) {
  EXPECT_TRUE(made) << made.error().text();
  return made.value_or(pki::Pair{});
}

base::Instant now() {
  return posix::SystemClock().now();
}

pki::Pair authority(const std::string& name) {
  return must(pki::make_ca({name, now(), std::chrono::hours(1000)}));
}

std::string block(const std::string& key, const std::string& text) {
  std::string out = "  " + key + ": |\n    ";
  for (const char c : text) out += c == '\n' ? std::string("\n    ") : std::string(1, c);
  return out + "\n";
}

class UserCertificatesTest : public ClusterTest {
 protected:
  // All three Secrets, with leaves of `by` and lists that hold `trust`.
  void give(const pki::Pair& by, const std::string& trust) {
    std::string text;
    text += secret("peer", "peer", "peer", by, trust);
    text += secret("server", "server", "server", by, trust);
    text += secret("operator", "etcd-client", "root", by, trust);
    sandbox_.write("secrets.yaml", text);
  }
  static std::string secret(const std::string& name, const std::string& key,
                            const std::string& common_name, const pki::Pair& by,
                            const std::string& trust) {
    pki::LeafRequest request;
    request.common_name = common_name;
    request.ips = {"127.0.0.1"};
    request.now = now();
    request.life = std::chrono::hours(500);
    const auto leaf = must(pki::issue(by, request));
    return "apiVersion: v1\nkind: Secret\nmetadata:\n  name: " + name + "\nstringData:\n" +
           block(key + ".crt", leaf.cert) + block(key + ".key", leaf.key) +
           block(key + "-ca.crt", trust) + "---\n";
  }
  std::map<std::string, pid_t> pids() {
    std::map<std::string, pid_t> out;
    for (const std::string member : {"c-0", "c-1", "c-2"})
      out[member] = sandbox_.etcd_pid("c", member);
    return out;
  }
  // Each of the three runs as another process than before, and all is well.
  bool all_restarted(const std::map<std::string, pid_t>& before) {
    const auto after = pids();
    return settled(3) && std::ranges::all_of(after, [&](const auto& each) {
             return each.second > 0 && each.second != before.at(each.first);
           });
  }
  bool published(const std::string& cert_is_not) {
    const auto access = sandbox_.access("c");
    return access && access->tls.cert != cert_is_not;
  }
};

TEST_F(UserCertificatesTest, AreWaitedForUsedRenewedAndReplacedWithTheirAuthority) {
  const auto first = authority("first"), second = authority("second");
  version_ = "3.5.12";
  more_ =
      "  tls:\n    provider: secrets\n    static:\n      member:\n        peerSecret: peer\n"
      "        serverSecret: server\n      operatorSecret: operator\n";
  sandbox_.start_operator();
  declare(3);
  ASSERT_TRUE(eventually(60s, [&] { return says("CertificatesValid", "no Secret default/peer"); }))
      << say();
  EXPECT_TRUE(sandbox_.all_members().empty());
  give(first, first.cert);
  ASSERT_TRUE(eventually(90s, [&] { return settled(3); })) << say();
  expect_only_tls(sandbox_, "c");
  start_writer();
  const auto access = sandbox_.access("c");
  ASSERT_TRUE(access);
  EXPECT_EQ(access->tls.ca, first.cert);

  // New leaves come in without a restart.
  auto running = pids();
  give(first, first.cert);
  ASSERT_TRUE(eventually(60s, [&] { return published(access->tls.cert); })) << say();
  EXPECT_EQ(pids(), running);

  // Another authority at once would cut members off from each other: it does not come in.
  give(second, second.cert);
  ASSERT_TRUE(eventually(60s, [&] { return says("CertificatesValid", "must go on vouching"); }))
      << say();
  EXPECT_TRUE(always(3000ms, [&] { return pids() == running; }));

  // By a list of both, by restarts; then the leaves at once; then the new authority alone.
  give(first, first.cert + second.cert);
  ASSERT_TRUE(eventually(150s, [&] { return all_restarted(running); })) << say();
  running = pids();
  const auto between = sandbox_.access("c");
  ASSERT_TRUE(between);
  give(second, first.cert + second.cert);
  ASSERT_TRUE(eventually(60s, [&] { return published(between->tls.cert); })) << say();
  give(second, second.cert);
  ASSERT_TRUE(eventually(150s, [&] { return all_restarted(running); })) << say();
  const auto after = sandbox_.access("c");
  ASSERT_TRUE(after);
  for (const auto& endpoint : after->endpoints) {
    EXPECT_TRUE(eventually(60s, [&] {
      return etcd::connect(endpoint, after->tls)->status(base::Duration(2'000)).has_value();
    }));
    EXPECT_FALSE(etcd::connect(endpoint, access->tls)->status(base::Duration(2'000)));
  }
  const Written written = finish();
  EXPECT_TRUE(written.failed.empty()) << written.failed.size() << " writes failed";
}

}  // namespace
}  // namespace e2e
