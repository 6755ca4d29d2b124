// Three hosts by hand: the five commands of the manual word for word, then a restore of all of it.
// Each host is an address of the loopback interface with folders of its own, which the environment
// tells to etcdadm.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>
#include <map>
#include <sstream>

#include "../../conformance/object_server.h"
#include "etcd/api.h"
#include "json/json.h"
#include "looks.h"
#include "pki/issue.h"
#include "posix/clock.h"
#include "posix/env.h"
#include "posix/files.h"
#include "posix/net.h"
#include "posix/process.h"
#include "posix/test_dir.h"
#include "support/slot.h"
#include "writer.h"

namespace e2e {
namespace {

using namespace std::chrono_literals;

constexpr const char* kVersion = "3.5.12";

class AdmTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const posix::PortRange range{24300, 24999};
    const auto ports = posix::pick_free_ports(range, 4, {});
    ASSERT_TRUE(ports);
    ports_ = *ports;
    ASSERT_TRUE(slot_);
    net_ = 1 + slot_->number();
  }

  // Whatever a test left running; by the pids in the guards' own files, and listeners by the folder
  // that they are told.
  void TearDown() override {
    for (const auto pid : listeners()) {
      const auto process = posix::identify(pid);
      if (process && is_ours(pid)) (void)posix::send_signal(*process, SIGKILL);
    }
    for (int n = 1; n <= 3; ++n) {
      std::ifstream state(dir(n) + "/state/member/state");
      for (std::string key, value; state >> key && std::getline(state, value);)
        if (key == "guard_pid" || key == "etcd_pid")
          if (const auto process = posix::identify(std::strtoll(value.c_str(), nullptr, 10));
              process && is_ours(process->pid))
            (void)posix::send_signal(*process, SIGKILL);
    }
  }

  [[nodiscard]] bool is_ours(std::int64_t pid) const {
    return read(fmt::format("/proc/{}/cmdline", pid)).find(dir_.path("")) != std::string::npos;
  }
  [[nodiscard]] std::vector<std::int64_t> with_words(const std::string& some) const {
    std::vector<std::int64_t> out;
    for (const auto& name : posix::list_dir("/proc").value_or(std::vector<std::string>{})) {
      const auto words = read("/proc/" + name + "/cmdline");
      if (words.find(some) != std::string::npos && words.find(dir_.path("")) != std::string::npos)
        out.push_back(std::strtoll(name.c_str(), nullptr, 10));
    }
    return out;
  }
  [[nodiscard]] std::vector<std::int64_t> listeners() const {
    return with_words(std::string("token\0serve", 11));
  }
  [[nodiscard]] std::string dir(int n) const { return dir_.path("h" + std::to_string(n)); }
  [[nodiscard]] std::string address(int n) const { return fmt::format("127.73.{}.{}", net_, n); }
  [[nodiscard]] std::string client(int n) const {
    return fmt::format("https://{}:{}", address(n), ports_[0]);
  }
  [[nodiscard]] std::string peer(int n) const {
    return fmt::format("https://{}:{}", address(n), ports_[1]);
  }

  posix::RunResult on(int n, std::vector<std::string> args, base::Duration deadline = 120s,
                      const std::string& token = {}) {
    args.insert(args.begin(), EO_BIN_DIR "/etcdadm");
    std::vector<std::string> env;
    for (const char* name : {"HOME", "PATH", "XDG_CACHE_HOME", "ASAN_OPTIONS"})
      if (const auto value = posix::get_env(name))
        env.push_back(fmt::format("{}={}", name, *value));
    const std::map<std::string, std::string> flags{{"NAME", fmt::format("etcd-{}", n)},
                                                   {"BIND_ADDRESS", address(n)},
                                                   {"STATE_DIR", dir(n) + "/state"},
                                                   {"CERTS_DIR", dir(n) + "/pki"},
                                                   {"INSTALL_DIR", dir_.path("bin")},
                                                   {"CONFIG_DIR", dir(n) + "/etc"},
                                                   {"UNIT_DIR", dir(n) + "/unit"},
                                                   {"CACHE_DIR", dir_.path("cache")},
                                                   {"DATA_DIR", data(n)},
                                                   {"INIT_SYSTEM", "none"},
                                                   {"VERSION", kVersion},
                                                   {"START_TIMEOUT", "60s"},
                                                   {"CLIENT_PORT", std::to_string(ports_[0])},
                                                   {"PEER_PORT", std::to_string(ports_[1])},
                                                   {"METRICS_PORT", std::to_string(ports_[2])},
                                                   {"TOKEN_PORT", std::to_string(ports_[3])}};
    for (const auto& [name, value] : flags)
      env.push_back(fmt::format("ETCDADM_{}={}", name, value));
    if (!token.empty()) env.push_back("ETCDADM_TOKEN=" + token);
    env.insert(env.end(), more_.begin(), more_.end());
    auto ran = posix::run({args, env, "/"}, {deadline}, {});
    return ran ? *ran : posix::RunResult{-1, 0, "", ran.error().message, false};
  }
  [[nodiscard]] std::string data(int n) const { return dir(n) + "/data"; }

  void must(int n, const std::vector<std::string>& args) {
    const auto ran = on(n, args);
    ASSERT_EQ(ran.exit_code, 0) << args.front() << " on host " << n << "\n" << ran.out << ran.err;
  }

  // As a person does it before a join.
  void copy_authority(int to) {
    ASSERT_TRUE(posix::make_dirs(dir(to) + "/pki"));
    for (const char* file : {"/pki/ca.crt", "/pki/ca.key"})
      ASSERT_TRUE(posix::write_atomic(dir(to) + file, read(dir(1) + file)));
  }

  std::unique_ptr<etcd::EtcdApi> etcd(int n) {
    const std::string pki = dir(n) + "/pki/";
    return etcd::connect(client(n), {read(pki + "ca.crt"), read(pki + "etcdctl-etcd-client.crt"),
                                     read(pki + "etcdctl-etcd-client.key"), ""});
  }
  std::string get(int n, const std::string& key) {
    return get_from([&] { return etcd(n); }, key).value_or("no answer");
  }
  bool put(int n, const std::string& key, const std::string& value) {
    return put_to([&] { return etcd(n); }, key, value);
  }
  posix::RunResult when_well(int n, const std::vector<std::string>& args) {
    return until_good([&] { return on(n, args); });
  }

  void expect_three_voters(int from) {
    const auto ran = when_well(from, {"status", "-o", "json"});
    ASSERT_EQ(ran.exit_code, 0) << ran.out << ran.err;
    const auto value = json::parse(ran.out);
    ASSERT_TRUE(value) << ran.out;
    EXPECT_EQ(json::get_bool(*value, "quorum"), true);
    ASSERT_EQ(value->at("members")->if_array()->size(), 3U) << ran.out;
    int leaders = 0;
    for (const auto& m : *value->at("members")->if_array()) {
      EXPECT_EQ(json::get_bool(m, "healthy"), true) << ran.out;
      EXPECT_EQ(json::get_string(m, "version"), kVersion);
      const auto role = json::get_string(m, "role");
      EXPECT_TRUE(role == "leader" || role == "follower") << ran.out;
      leaders += role == "leader" ? 1 : 0;
    }
    EXPECT_EQ(leaders, 1);
  }

  // The next one, everywhere.
  void expect_one_authority() {
    const auto list = when_well(2, {"certs", "list", "-o", "json"});
    ASSERT_EQ(list.exit_code, 0) << list.out;
    const auto value = json::parse(list.out);
    ASSERT_EQ(value->at("certificates")->if_array()->size(), 6U) << list.out;
    for (const auto& one : *value->at("certificates")->if_array()) {
      EXPECT_TRUE(json::get_string(one, "signedBy")->starts_with("etcd-ca-")) << list.out;
      EXPECT_EQ(one.at("trusts")->if_array()->size(), 1U) << list.out;
    }
    for (const int n : {1, 2, 3}) {
      EXPECT_EQ(posix::exists(dir(n) + "/pki/ca-next.crt"), base::Fact<bool>(false));
      EXPECT_EQ(read(dir(n) + "/pki/ca.key"), read(dir(1) + "/pki/ca.key"));
    }
  }

  void end_guard(int n) const {
    for (const auto pid : with_words(std::string("run\0--member-dir\0", 17) + dir(n) + "/"))
      if (const auto guard = posix::identify(pid)) ASSERT_TRUE(posix::send_signal(*guard, SIGTERM));
  }

  // As if nobody had looked after them for a year.
  void expire_certificates(int n) {
    const pki::Pair ca{read(dir(n) + "/pki/ca.crt"), read(dir(n) + "/pki/ca.key")};
    const posix::SystemClock clock;
    for (const std::string name : {"server", "peer", "etcdctl-etcd-client"}) {
      const auto leaf = pki::issue(ca, {.common_name = "root",
                                        .ips = {"127.0.0.1", "::1", address(n)},
                                        .now = clock.now() - 24h * 400,
                                        .life = 24h * 365});
      ASSERT_TRUE(leaf);
      ASSERT_TRUE(posix::write_atomic(dir(n) + "/pki/" + name + ".key", leaf->key));
      ASSERT_TRUE(posix::write_atomic(dir(n) + "/pki/" + name + ".crt", leaf->cert));
    }
  }

  posix::TestDir dir_;
  std::vector<posix::Port> ports_;
  std::vector<std::string> more_;  // of the environment
  const std::optional<support::Slot> slot_ = support::Slot::take("eo-adm-life", 250);
  int net_ = 1;  // the addresses are of this program alone
};

// The longest part of it is etcd's own: it takes no new member for five seconds after a start.
TEST_F(AdmTest, TheFiveCommandsAndAllOfItRestored) {
  const std::string file = dir_.path("etcd-snapshot.db");
  must(1, {"init"});
  ASSERT_TRUE(put(1, "colour", "blue"));
  EXPECT_EQ(on(2, {"join", peer(1)}).exit_code, 3);
  EXPECT_EQ(posix::exists(dir(2) + "/pki/ca.crt"), base::Fact<bool>(false));
  copy_authority(2);
  copy_authority(3);
  must(2, {"join", peer(1)});    // by the peer URL, as the manual has it
  must(3, {"join", client(2)});  // by the client URL of another member
  must(1, {"snapshot", "save", file});
  expect_three_voters(2);
  ASSERT_TRUE(put(3, "colour", "green"));
  EXPECT_EQ(get(1, "colour"), "green");
  EXPECT_EQ(on(1, {"snapshot", "verify", file}).exit_code, 0);

  must(3, {"defrag"});

  // What lives is not restored over, and a member that is needed does not go.
  const auto live = on(1, {"snapshot", "restore", file, "--data-dir", data(1)});
  EXPECT_EQ(live.exit_code, 4) << live.err;
  EXPECT_NE(live.err.find("nothing was changed"), std::string::npos) << live.err;
  EXPECT_EQ(on(1, {"init"}).exit_code, 4);
  EXPECT_EQ(on(1, {"reset"}).exit_code, 4);  // nobody is there to be asked
  expect_three_voters(3);

  // An other folder is only written.
  must(1, {"snapshot", "restore", file, "--data-dir", dir_.path("elsewhere")});
  EXPECT_EQ(posix::exists(dir_.path("elsewhere/member/snap/db")), base::Fact<bool>(true));

  for (const int n : {1, 2, 3}) must(n, {"reset", "--keep-config", "--yes"});
  EXPECT_EQ(posix::exists(data(1)), base::Fact<bool>(false));
  ASSERT_TRUE(posix::make_dirs(data(1)));
  ASSERT_TRUE(posix::write_atomic(data(1) + "/mine", "not etcd's"));
  EXPECT_EQ(on(1, {"snapshot", "restore", file, "--data-dir", data(1)}).exit_code, 4);
  EXPECT_EQ(read(data(1) + "/mine"), "not etcd's");
  ASSERT_TRUE(posix::remove_tree(data(1)));

  must(1, {"snapshot", "restore", file, "--data-dir", data(1)});
  must(2, {"join", peer(1)});
  must(3, {"join", peer(1)});
  expect_three_voters(1);
  EXPECT_EQ(get(3, "colour"), "blue");
  ASSERT_TRUE(put(2, "colour", "red"));
  EXPECT_EQ(get(3, "colour"), "red");
  EXPECT_EQ(on(2, {"certs", "check"}).exit_code, 0);
  for (const int n : {3, 2, 1}) must(n, {"reset", "--yes", "--delete-data"});
}

// The command that init prints, word for word; and no secret is left in processes and files.
TEST_F(AdmTest, TheAuthorityComesWithAToken) {
  const auto init = on(1, {"init", "-o", "json"});
  ASSERT_EQ(init.exit_code, 0) << init.err;
  const auto told = json::parse(init.out);
  ASSERT_TRUE(told) << init.out;
  std::istringstream line(*json::get_string(*told, "join"));
  std::vector<std::string> words;
  for (std::string word; line >> word;) words.push_back(word);
  ASSERT_EQ(words.size(), 9U) << line.str();
  const std::string token = words[4], hash = words[6];
  const std::string secret = token.substr(token.find('.') + 1);
  ASSERT_EQ(listeners().size(), 1U);

  EXPECT_EQ(on(2, {"join", peer(1)}).exit_code, 3);
  const std::string zeros = "00000000." + std::string(32, '0');
  EXPECT_EQ(on(2, {"join", peer(1), "--token", zeros, "--ca-cert-hash", hash}).exit_code, 4);
  const auto other = on(
      2, {"join", peer(1), "--token", token, "--ca-cert-hash", "sha256:" + std::string(64, '0')});
  EXPECT_EQ(other.exit_code, 4) << other.err;
  EXPECT_EQ(on(2, {"join", peer(2), "--token", token, "--ca-cert-hash", hash}).exit_code, 5);
  EXPECT_EQ(posix::exists(dir(2) + "/pki/ca.crt"), base::Fact<bool>(false));

  // As it was printed.
  must(2, {words.begin() + 1, words.end()});
  EXPECT_EQ(read(dir(2) + "/pki/ca.key"), read(dir(1) + "/pki/ca.key"));
  must(2, {"certs", "renew", "--within", "400d"});

  // The listener was killed, and another member opens one. The secret comes by the environment.
  const auto killed = posix::identify(listeners().at(0));
  ASSERT_TRUE(killed);
  ASSERT_TRUE(posix::send_signal(*killed, SIGKILL));
  const auto again = on(2, {"token", "create", "-o", "json"});
  ASSERT_EQ(again.exit_code, 0) << again.err;
  const auto second = *json::get_string(*json::parse(again.out), "token");
  const auto joined = on(3, {"join", peer(2), "--ca-cert-hash", hash}, 120s, second);
  ASSERT_EQ(joined.exit_code, 0) << joined.err;
  expect_three_voters(3);

  for (const auto& what : {secret, second.substr(second.find('.') + 1)}) {
    for (const auto& pid : posix::list_dir("/proc").value_or(std::vector<std::string>{}))
      if (is_ours(std::strtoll(pid.c_str(), nullptr, 10)))
        for (const char* file : {"/cmdline", "/environ"})
          EXPECT_EQ(read("/proc/" + pid + file).find(what), std::string::npos) << pid << file;
    for (const int n : {1, 2, 3})
      for (const char* file : {"/state/tokens.json", "/state/token.log", "/state/host.json",
                               "/state/journal.json", "/state/member/log/guard.log"})
        EXPECT_EQ(read(dir(n) + file).find(what), std::string::npos) << n << file;
  }
  for (const int n : {3, 2, 1}) must(n, {"reset", "--yes", "--delete-data"});
  EXPECT_TRUE(listeners().empty());
}

TEST_F(AdmTest, TheAuthorityIsReplacedUnderLoad) {
  must(1, {"init", "--token-ttl", "0"});
  EXPECT_TRUE(listeners().empty());
  for (const int n : {2, 3}) {
    copy_authority(n);
    must(n, {"join", peer(1)});
  }
  etcd::Tls old{read(dir(1) + "/pki/ca.crt"), read(dir(1) + "/pki/etcdctl-etcd-client.crt"),
                read(dir(1) + "/pki/etcdctl-etcd-client.key"), ""};
  Writer writer([this](int host, const std::string& value) {
    return etcd(host)->put("counter", value, 3s).has_value();
  });

  EXPECT_EQ(on(1, {"certs", "rotate"}).exit_code, 4);  // nobody is there to be asked
  const auto begun = on(1, {"certs", "rotate", "--yes", "-o", "json"});
  ASSERT_EQ(begun.exit_code, 0) << begun.err;
  std::istringstream line(json::get_string(*json::parse(begun.out), "command").value_or(""));
  std::vector<std::string> words;
  for (std::string word; line >> word;) words.push_back(word);
  ASSERT_GE(words.size(), 6U) << begun.out;
  words.erase(words.begin());
  old.ca = read(dir(1) + "/pki/ca.crt");
  // A host that is behind holds up the others, and no second rotation begins.
  const auto early = on(1, {"certs", "rotate"});
  EXPECT_EQ(early.exit_code, 4);
  EXPECT_NE(early.err.find("etcd-2 trusts the old authority only"), std::string::npos) << early.err;
  const auto second = on(2, {"certs", "rotate", "--yes"});
  EXPECT_EQ(second.exit_code, 4);
  EXPECT_NE(second.err.find("etcd-1 trusts more than one"), std::string::npos) << second.err;
  EXPECT_EQ(on(2, {"join", peer(1), "--name", "x"}).exit_code, 4);

  for (const auto limit : {150ms, 400ms, 900ms}) (void)on(2, words, limit);
  // As one leaves it that is killed in the midst of the restart: etcd is about to end.
  end_guard(2);
  if (const auto rest = on(2, words); rest.exit_code != 0)
    EXPECT_NE(rest.err.find("waits for other hosts"), std::string::npos) << rest.err;
  must(3, words);
  for (const int n : {1, 2, 3}) {
    const auto leaves = on(n, {"certs", "rotate"});
    ASSERT_EQ(leaves.exit_code, 0) << leaves.err;
    if (n != 3) EXPECT_EQ(on(n, {"certs", "rotate"}).exit_code, 4);
  }
  // A client that was given both authorities in the first round.
  EXPECT_TRUE(eventually(
      [&] { return etcd::connect(client(2), old)->put("old", "client", 10s).has_value(); }));
  for (const int n : {3, 1, 2}) must(n, {"certs", "rotate"});
  writer.end();
  EXPECT_EQ(writer.failed(), 0);
  EXPECT_GT(writer.written(), 20);
  EXPECT_EQ(get(2, "counter"), std::to_string(writer.written()));

  expect_three_voters(1);
  EXPECT_FALSE(etcd::connect(client(1), old)->put("old", "client", 3s));
  expect_one_authority();
  // Certificates that have expired are replaced, and are in use at once.
  expire_certificates(2);
  EXPECT_EQ(on(2, {"certs", "check"}).exit_code, 1);
  EXPECT_EQ(on(1, {"certs", "list"}).exit_code, 1);
  must(2, {"certs", "renew"});
  EXPECT_EQ(when_well(1, {"certs", "list"}).exit_code, 0);
  expect_three_voters(2);
  for (const int n : {3, 2, 1}) must(n, {"reset", "--yes", "--delete-data"});
}

// Killed with SIGKILL earlier and later in its way, it goes on each time; the guard and etcd that
// it started live on.
TEST_F(AdmTest, WhatIsKilledGoesOn) {
  const std::vector<std::string> join{"join", client(1)};
  EXPECT_EQ(on(1, {"init", "--dry-run"}).exit_code, 0);
  EXPECT_EQ(posix::exists(dir(1)), base::Fact<bool>(false));
  for (const auto limit : {20ms, 60ms, 150ms, 300ms, 600ms}) (void)on(1, {"init"}, limit);
  if (const auto rest = on(1, {"init"}); rest.exit_code != 0)
    EXPECT_NE(rest.err.find("is member etcd-1 of a cluster already"), std::string::npos)
        << rest.err;
  EXPECT_EQ(when_well(1, {"status"}).exit_code, 0);
  ASSERT_TRUE(put(1, "colour", "blue"));
  copy_authority(2);
  for (const auto limit : {20ms, 60ms, 150ms, 300ms, 600ms, 1200ms}) (void)on(2, join, limit);
  if (const auto rest = on(2, join); rest.exit_code != 0)
    EXPECT_NE(rest.err.find("is member etcd-2 of a cluster already"), std::string::npos)
        << rest.err;
  const auto status = when_well(2, {"status", "-o", "json"});
  ASSERT_EQ(status.exit_code, 0) << status.out << status.err;
  const auto value = json::parse(status.out);
  ASSERT_TRUE(value);
  ASSERT_EQ(value->at("members")->if_array()->size(), 2U) << status.out;
  for (const auto& m : *value->at("members")->if_array())
    EXPECT_NE(json::get_string(m, "role"), "learner") << status.out;
  EXPECT_EQ(get(2, "colour"), "blue");

  EXPECT_TRUE(is_sound([&] { return on(2, {"doctor", "-o", "json"}); })) << on(2, {"doctor"}).out;
  must(2, {"member", "remove", "etcd-1", "--yes"});
  posix::RunResult doctor;
  EXPECT_TRUE(eventually([&] {
    doctor = on(1, {"doctor"});
    return doctor.out.find("etcd does not run here: Removed") != std::string::npos;
  })) << doctor.out;
  EXPECT_EQ(doctor.exit_code, 1);
  // The last voter does not go this way.
  EXPECT_EQ(get(2, "colour"), "blue");
  EXPECT_EQ(on(2, {"member", "remove", "etcd-2", "--yes"}).exit_code, 4);
  for (const int n : {1, 2}) must(n, {"reset", "--yes", "--delete-data"});
}

TEST_F(AdmTest, SnapshotsInAnObjectStore) {
  for (const char* folder : {"s3/backups", "iam"}) ASSERT_TRUE(posix::make_dirs(dir_.path(folder)));
  const conformance::ObjectServer server(
      {.argv = {conformance::object_server_path("versitygw-1.8.0"), "--port", "127.0.0.1:PORT",
                "--iam-dir", dir_.path("iam"), "--quiet", "posix", dir_.path("s3")},
       .env = {"ROOT_ACCESS_KEY=testkey", "ROOT_SECRET_KEY=testsecret12345"},
       .folder = dir_.path("")});
  if (!server.missing().empty()) GTEST_SKIP() << server.missing();
  more_ = {"AWS_ACCESS_KEY_ID=testkey",
           "AWS_SECRET_ACCESS_KEY=testsecret12345",
           fmt::format("ETCDADM_STORE_ENDPOINT=http://127.0.0.1:{}", server.port()),
           "ETCDADM_STORE_PATH_STYLE=true",
           "ETCDADM_STORE_REGION=us-east-1",
           "ETCDADM_SCRATCH=" + dir_.path("")};
  const std::string url = "s3://backups/shop/a.db";
  must(1, {"init", "--token-ttl", "0"});
  ASSERT_TRUE(put(1, "colour", "blue"));
  must(1, {"snapshot", "save", url});
  const auto again = on(1, {"snapshot", "save", url});
  EXPECT_EQ(again.exit_code, 4) << again.err;
  EXPECT_NE(again.err.find("nothing was changed"), std::string::npos);
  EXPECT_NE(on(1, {"snapshot", "list", "s3://backups/shop"}).out.find(url), std::string::npos);
  must(1, {"snapshot", "verify", url});
  EXPECT_EQ(on(1, {"snapshot", "status", "s3://backups/none.db"}).exit_code, 3);
  EXPECT_NE(on(1, {"snapshot", "list", "s3://nobucket"}).exit_code, 0);
  // Damaged there, and mended: in place, as the server keeps more than the bytes.
  const auto flip = [&] {
    std::fstream stored(dir_.path("s3/backups/shop/a.db"),
                        std::ios::in | std::ios::out | std::ios::binary);
    stored.seekg(10'000);
    const char byte = static_cast<char>(stored.get() ^ 1);
    stored.seekp(10'000);
    stored.put(byte);
  };
  flip();
  const auto bad = on(1, {"snapshot", "verify", url});
  EXPECT_EQ(bad.exit_code, 1) << bad.err;
  EXPECT_NE(bad.err.find("shop/a.db"), std::string::npos) << bad.err;
  EXPECT_EQ(on(1, {"snapshot", "restore", url, "--data-dir", dir_.path("new")}).exit_code, 1);
  EXPECT_EQ(posix::exists(dir_.path("new")), base::Fact<bool>(false));
  flip();

  ASSERT_TRUE(put(1, "colour", "red"));
  must(1, {"reset", "--keep-config", "--yes"});
  must(1, {"snapshot", "restore", url, "--data-dir", data(1)});
  EXPECT_EQ(get(1, "colour"), "blue");
  // Nothing of it is left in the folder for it.
  for (const auto& name : posix::list_dir(dir_.path("")).value())
    EXPECT_FALSE(name.starts_with("etcdadm-")) << name;
  must(1, {"reset", "--yes", "--delete-data"});
}

TEST_F(AdmTest, PhasesOneByOneAndABeginningFromASnapshot) {
  EXPECT_EQ(on(1, {"init", "phase", "start"}).exit_code, 4);
  for (const char* phase : {"preflight", "install", "certificates", "configure", "start", "etcdctl",
                            "health", "post-init-instructions"})
    must(1, {"init", "phase", phase});
  ASSERT_TRUE(put(1, "colour", "blue"));
  const std::string file = dir_.path("a.db");
  must(1, {"snapshot", "save", file});
  must(1, {"snapshot", "save", file});  // the older one is kept
  EXPECT_EQ(posix::exists(file + ".old"), base::Fact<bool>(true));
  EXPECT_EQ(on(1, {"snapshot", "save", dir_.path("")}).exit_code, 4);
  EXPECT_NE(on(1, {"snapshot", "list", dir_.path("")}).out.find("a.db"), std::string::npos);
  must(1, {"reset", "--yes", "--keep-config"});

  // A snapshot that was damaged begins nothing; the copy of a member's file has no check sum.
  std::string bytes = posix::read_file(file, size_t{1} << 26).value_or("");
  ASSERT_GT(bytes.size(), 20'000U);
  ASSERT_TRUE(posix::write_atomic(dir_.path("plain.db"), bytes.substr(0, bytes.size() - 32)));
  bytes.at(bytes.size() / 2) ^= 1;
  ASSERT_TRUE(posix::write_atomic(dir_.path("bad.db"), bytes));
  const auto bad = on(1, {"init", "--snapshot", dir_.path("bad.db")});
  EXPECT_EQ(bad.exit_code, 1) << bad.err;
  EXPECT_NE(bad.err.find("not a good snapshot"), std::string::npos) << bad.err;
  EXPECT_EQ(on(1, {"init", "--snapshot", dir_.path("plain.db")}).exit_code, 1);
  must(1, {"init", "--snapshot", dir_.path("plain.db"), "--skip-hash-check"});
  EXPECT_EQ(get(1, "colour"), "blue");
  must(1, {"reset", "--yes", "--delete-data"});
}

}  // namespace
}  // namespace e2e
