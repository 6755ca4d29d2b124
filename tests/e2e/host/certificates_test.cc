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

}  // namespace
}  // namespace e2e
