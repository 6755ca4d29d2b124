// certs rotate over two hosts, killed where it had told nobody yet and where all but its journal is
// done.
#include <sstream>

#include "hosts.h"
#include "posix/files.h"

namespace e2e {
namespace {

class Rotate : public Hosts {
 protected:
  void SetUp() override {
    Hosts::SetUp();
    const auto port = posix::pick_free_ports({22000, 22999}, 1, {ports_.begin(), ports_.end()});
    ASSERT_TRUE(port);
    for (const int n : {1, 2}) {
      extra_[n]["TOKEN_PORT"] = std::to_string(port->front());
      extra_[n]["TOKEN_TTL"] = "3m";
    }
  }

  // The words behind "etcdadm" of the command for other hosts that was printed.
  static std::vector<std::string> command_in(const std::string& text) {
    std::vector<std::string> out;
    const auto at = text.find("etcdadm certs rotate https://");
    std::istringstream line(at == std::string::npos ? ""
                                                    : text.substr(at, text.find('\n', at) - at));
    for (std::string word; line >> word;) out.push_back(word);
    if (!out.empty()) out.erase(out.begin());
    return out;
  }

  [[nodiscard]] bool there(int n, const std::string& file) const {
    return posix::exists(dir(n) + file) != base::Fact<bool>(false);
  }
};

TEST_F(Rotate, WhatWasKilledTellsTheOthersAndBeginsNoOther) {
  extra_[1]["VERSION"] = extra_[2]["VERSION"] = "3.5.33";
  must(1, {"init", "--token-ttl", "0"});
  copy_authority(2);
  must(2, {"join", peer(1)});

  // Nothing is made while another command is unfinished.
  EXPECT_EQ(on(1, {"--fault-point", "preflight.before", "upgrade", "apply", "--yes"}).exit_code,
            85);
  EXPECT_EQ(on(1, {"certs", "rotate", "--yes"}).exit_code, 4);
  EXPECT_FALSE(there(1, "/pki/ca-next.crt"));
  ASSERT_TRUE(posix::remove_file(dir(1) + "/state/journal.json"));

  EXPECT_EQ(on(1, {"--fault-point", "restart.after", "certs", "rotate", "--yes"}).exit_code, 85);
  const auto waits = on(1, {"certs", "rotate"});
  EXPECT_EQ(waits.exit_code, 4);
  EXPECT_NE(waits.err.find("etcd-2 trusts the old authority only"), std::string::npos) << waits.err;
  const auto words = command_in(waits.err);
  ASSERT_GE(words.size(), 5U) << waits.err;
  must(2, words);
  for (const int n : {1, 2}) must(n, {"certs", "rotate"});

  // In the midst of the last step, and behind it.
  EXPECT_EQ(on(2, {"--fault-point", "forget.before", "certs", "rotate"}).exit_code, 85);
  ASSERT_TRUE(posix::remove_file(dir(2) + "/pki/ca-next.crt"));
  EXPECT_EQ(on(1, {"--fault-point", "forget.after", "certs", "rotate"}).exit_code, 85);
  const std::string authority = read(dir(1) + "/pki/ca.crt");
  for (const int n : {1, 2}) {
    const auto end = on(n, {"certs", "rotate", "--yes"});
    EXPECT_EQ(end.exit_code, 0) << end.err;
    EXPECT_EQ(end.out, "The rotation is done on this host.\n");
    for (const char* file : {"/pki/ca-next.crt", "/pki/ca-next.key", "/state/journal.json"})
      EXPECT_FALSE(there(n, file)) << n << file;
    EXPECT_EQ(read(dir(n) + "/pki/ca.crt"), authority);
  }
  EXPECT_EQ(on(2, {"certs", "list"}).exit_code, 0);
  // A rotation of a member ends with it; the settings that are kept hold no next authority.
  must(2, {"reset", "--yes", "--delete-data"});
  must(1, {"certs", "rotate", "--yes"});
  EXPECT_TRUE(there(1, "/pki/ca-next.crt"));
  must(1, {"reset", "--yes", "--delete-data", "--keep-config"});
  EXPECT_TRUE(there(1, "/pki/ca.crt"));
  for (const char* file : {"/pki/ca-next.crt", "/pki/ca-next.key"})
    EXPECT_FALSE(there(1, file)) << file;
}

}  // namespace
}  // namespace e2e
