#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "e2e/host/fixture.h"

namespace e2e {
namespace {

namespace fs = std::filesystem;

class CertificatesTest : public ClusterTest {};

// What the member's leaves and their keys are now.
std::string all_certificates(const fs::path& dir) {
  std::string out;
  std::error_code ec;
  for (const auto& entry : fs::recursive_directory_iterator(dir, ec)) {
    if (entry.path().extension() != ".pem") continue;
    std::ifstream in(entry.path(), std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    out += text.str();
  }
  return out;
}

TEST_F(CertificatesTest, LeavesOfAMinuteAreRenewedUnderLoad) {
  create(3, "3.5.12",
         "  tls:\n    provider: auto\n    providerCfg:\n      autoCfg:\n"
         "        validityDuration: 60s\n");
  ASSERT_FALSE(HasFatalFailure());
  std::map<std::string, std::string> before;
  std::map<std::string, pid_t> pids;
  for (const auto& m : sandbox_.members("c")) {
    before[m.name] = all_certificates(sandbox_.member_dir("c", m.name) / "tls");
    pids[m.name] = sandbox_.etcd_pid("c", m.name);
    ASSERT_FALSE(before[m.name].empty());
  }
  for (const auto& [name, old] : before)
    ASSERT_TRUE(eventually(90s,
                           [&, member = name, text = old] {
                             return all_certificates(sandbox_.member_dir("c", member) / "tls") !=
                                    text;
                           }))
        << name << " keeps its leaf: " << say();
  // Past the end of the first leaves' life, clients and peers still get on.
  const std::size_t count = writer_->count();
  ASSERT_TRUE(eventually(90s, [&] { return writer_->count() > count + 4000; })) << say();
  for (const auto& [name, pid] : pids)
    EXPECT_EQ(sandbox_.etcd_pid("c", name), pid) << name << " was restarted for a leaf";
  const Written written = finish();
  EXPECT_TRUE(written.failed.empty()) << written.failed.size() << " writes failed";
}

bool answers(const std::string& endpoint, const etcd::Tls& tls) {
  return etcd::connect(endpoint, tls)->status(base::Duration(2'000)).has_value();
}

class TlsModeTest : public CertificatesTest {
 protected:
  void set_mode(const std::string& mode) {
    more_ = "  tls:\n    mode: " + mode + "\n";
    declare(3);
  }
  // Every member takes clients that way, and the addresses that users get say so.
  bool takes(bool tls, bool plain) {
    const auto now = sandbox_.access("c");
    if (!now || now->endpoints.size() != 3 || !settled(3)) return false;
    if (tls && !now->tls.ca.empty()) tls_ = now->tls;
    return std::ranges::all_of(now->endpoints, [&](const std::string& endpoint) {
      const std::string at = endpoint.substr(endpoint.find("://"));
      return endpoint.starts_with(tls ? "https:" : "http:") && answers("http" + at, {}) == plain &&
             (!tls_.ca.empty() && answers("https" + at, tls_)) == tls;
    });
  }
  etcd::Tls tls_;  // as last published
};

TEST_F(TlsModeTest, IsTurnedOnAndOffUnderLoad) {
  create(3, "3.6.16", "  tls:\n    mode: Disabled\n");
  ASSERT_FALSE(HasFatalFailure());
  ASSERT_TRUE(takes(false, true)) << say();
  set_mode("Migrating");
  ASSERT_TRUE(eventually(120s, [&] { return takes(true, true); })) << say();
  EXPECT_TRUE(has_event("TlsMigration"));
  set_mode("Required");
  ASSERT_TRUE(eventually(120s, [&] { return takes(true, false); })) << say();
  expect_only_tls(sandbox_, "c");
  set_mode("Disabled");
  ASSERT_TRUE(eventually(20s, [&] { return says("SpecValid", "set Migrating first"); })) << say();
  set_mode("Migrating");
  ASSERT_TRUE(eventually(120s, [&] { return takes(true, true); })) << say();
  set_mode("Disabled");
  ASSERT_TRUE(eventually(120s, [&] { return takes(false, true); })) << say();
  const Written written = finish();
  EXPECT_TRUE(written.failed.empty()) << written.failed.size() << " writes failed";
}

}  // namespace
}  // namespace e2e
