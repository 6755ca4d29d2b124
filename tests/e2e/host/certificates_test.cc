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
  const auto end_of_life = std::chrono::steady_clock::now() + 65s;
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
  ASSERT_TRUE(eventually(90s, [&] { return std::chrono::steady_clock::now() > end_of_life; }));
  const std::size_t count = writer_->count();
  ASSERT_TRUE(eventually(180s, [&] { return writer_->count() > count + 200; })) << say();
  for (const auto& [name, pid] : pids)
    EXPECT_EQ(sandbox_.etcd_pid("c", name), pid) << name << " was restarted for a leaf";
  const Written written = finish();
  EXPECT_TRUE(written.failed.empty()) << written.failed.size() << " writes failed";
}

// The operation that a message says can be approved; empty: it names none.
std::string operation_in(const std::string& message) {
  const std::string words = "etcd-operator approve c ";
  const size_t at = message.find(words);
  if (at == std::string::npos) return "";
  const size_t from = at + words.size();
  return message.substr(from, message.find_first_not_of("0123456789abcdef", from) - from);
}

bool answers(const std::string& endpoint, const etcd::Tls& tls) {
  return etcd::connect(endpoint, tls)->status(base::Duration(2'000)).has_value();
}

bool comes_to_answer(const std::string& endpoint, const etcd::Tls& tls) {
  return eventually(60s, [&] { return answers(endpoint, tls); });
}

TEST_F(CertificatesTest, AuthoritiesAreReplacedUnderLoad) {
  create(3, "3.5.12");
  ASSERT_FALSE(HasFatalFailure());
  const auto before = sandbox_.access("c");
  ASSERT_TRUE(before);
  std::string text = manifest("c", 3, "3.5.12", "");
  const std::string name = "  name: c\n";
  text.insert(text.find(name) + name.size(),
              "  annotations:\n    operator.etcd.io/rotate-authority: \"1\"\n");
  sandbox_.write("c.yaml", text);
  // Clients may take their time: new leaves, and then the end of the old authorities, wait.
  etcd::Tls old = before->tls;  // a client that reads its files when it is told to
  std::string approved;
  for (const std::string next : {"leaves of the new authorities", "the old authorities are"}) {
    ASSERT_TRUE(eventually(120s, [&] { return says("CertificatesValid", next); })) << say();
    ASSERT_TRUE(eventually(120s, [&] {
      const auto id = operation_in(sandbox_.message("c", "CertificatesValid"));
      return !id.empty() && id != approved;
    })) << say();
    approved = operation_in(sandbox_.message("c", "CertificatesValid"));
    EXPECT_TRUE(comes_to_answer(before->endpoints.front(), old)) << "cut off before " << next;
    if (const auto now = sandbox_.access("c")) old.ca = now->tls.ca;
    EXPECT_EQ(sandbox_.cli({"approve", "c", approved}).exit_code, 0);
  }
  ASSERT_TRUE(eventually(120s, [&] {
    return sandbox_.cli({"events", "c"}).out.find("the authorities were replaced") !=
           std::string::npos;
  })) << say();
  ASSERT_TRUE(eventually(60s, [&] { return settled(3); })) << say();
  const auto after = sandbox_.access("c");
  ASSERT_TRUE(after);
  EXPECT_NE(after->tls.ca, before->tls.ca);
  for (const auto& endpoint : after->endpoints) {
    EXPECT_TRUE(comes_to_answer(endpoint, after->tls)) << endpoint;
    EXPECT_FALSE(answers(endpoint, before->tls)) << endpoint << " takes what was replaced";
    EXPECT_FALSE(answers(endpoint, {after->tls.ca, before->tls.cert, before->tls.key, ""}))
        << endpoint << " takes a client of the old authority";
  }
  const Written written = finish();
  EXPECT_TRUE(written.failed.empty()) << written.failed.size() << " writes failed";
}

// A person removed it, or a state directory was restored in part.
TEST_F(CertificatesTest, AnAuthorityThatIsLostIsNotReplaced) {
  create(3, "3.5.12");
  ASSERT_FALSE(HasFatalFailure());
  const fs::path file = sandbox_.state() / "clusters/default/c/pki/client-ca.pem";
  const fs::path kept = sandbox_.root() / "kept.pem";
  fs::rename(file, kept);
  const std::string words = "Put " + file.string() + " back";
  ASSERT_TRUE(eventually(60s, [&] { return says("CertificatesValid", words); })) << say();
  // What is in force goes on, also where a member has to be started.
  const pid_t before = sandbox_.etcd_pid("c", "c-1");
  sandbox_.kill_guard("c", "c-1");
  ASSERT_TRUE(eventually(90s, [&] {
    const pid_t now = sandbox_.etcd_pid("c", "c-1");
    return now != 0 && now != before && settled(3);
  })) << say();
  EXPECT_FALSE(fs::exists(file));
  EXPECT_TRUE(says("CertificatesValid", words)) << say();
  fs::rename(kept, file);
  EXPECT_TRUE(eventually(60s, [&] {
    return sandbox_.condition("c", "CertificatesValid") == "True";
  })) << say();
  const Written written = finish();
  EXPECT_TRUE(written.failed.empty()) << written.failed.size() << " writes failed";
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
  ASSERT_TRUE(eventually(60s, [&] { return takes(false, true); })) << say();
  set_mode("Migrating");
  ASSERT_TRUE(eventually(120s, [&] { return takes(true, true); })) << say();
  EXPECT_TRUE(eventually(60s, [&] { return has_event("TlsMigration"); }));
  set_mode("Required");
  ASSERT_TRUE(eventually(120s, [&] { return takes(true, false); })) << say();
  expect_only_tls(sandbox_, "c");
  set_mode("Disabled");
  ASSERT_TRUE(eventually(60s, [&] { return says("SpecValid", "set Migrating first"); })) << say();
  set_mode("Migrating");
  ASSERT_TRUE(eventually(120s, [&] { return takes(true, true); })) << say();
  set_mode("Disabled");
  ASSERT_TRUE(eventually(120s, [&] { return takes(false, true); })) << say();
  const Written written = finish();
  EXPECT_TRUE(written.failed.empty()) << written.failed.size() << " writes failed";
}

}  // namespace
}  // namespace e2e
