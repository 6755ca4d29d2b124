#include "bin/etcdadm_line.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "posix/clock.h"
#include "posix/files.h"
#include "posix/process.h"
#include "posix/test_dir.h"

namespace bin {
namespace {

AdmLine parse(std::vector<std::string> args) {
  std::vector<const char*> argv{"etcdadm"};
  for (const auto& arg : args) argv.push_back(arg.c_str());
  return parse_etcdadm(static_cast<int>(argv.size()), argv.data());
}

TEST(EtcdadmLine, TheFiveCommandsOfTheArticle) {
  EXPECT_EQ(parse({"init"}).verb, "init");
  const auto join = parse({"join", "https://etcd-1:2380"});
  EXPECT_EQ(join.run, adm::join);
  EXPECT_EQ(join.flags.subject, "https://etcd-1:2380");
  const auto save = parse({"snapshot", "save", "/backup/etcd-snapshot.db"});
  EXPECT_EQ(save.run, adm::snapshot_save);
  EXPECT_EQ(save.flags.subject, "/backup/etcd-snapshot.db");
  const auto restore =
      parse({"snapshot", "restore", "/backup/etcd-snapshot.db", "--data-dir", "/var/lib/etcd"});
  EXPECT_EQ(restore.run, adm::snapshot_restore);
  EXPECT_EQ(restore.flags.data_dir, "/var/lib/etcd");
  EXPECT_TRUE(restore.flags.data_dir_given);
  EXPECT_EQ(parse({"status"}).run, adm::status);
}

TEST(EtcdadmLine, TheRetiredToolsNamesAndDefaults) {
  const auto f = parse({"init"}).flags;
  EXPECT_EQ(f.certs_dir, "/etc/etcd/pki");
  EXPECT_EQ(f.install_dir, "/opt/bin/");
  EXPECT_EQ(f.data_dir, "/var/lib/etcd");
  EXPECT_EQ(f.init_system, "systemd");
  EXPECT_EQ(f.image_repository, "quay.io/coreos/etcd");
  EXPECT_EQ(f.manifest_dir, "/etc/kubernetes/manifests");
  EXPECT_TRUE(f.retry);
  const auto given = parse({"join",
                            "https://a:2380",
                            "--name",
                            "b",
                            "--version",
                            "3.5.12",
                            "--release-url",
                            "https://x",
                            "--bind-address",
                            "10.0.0.1",
                            "--server-cert-extra-sans",
                            "a.example,10.1.1.1",
                            "--certs-dir",
                            "/c",
                            "--install-dir",
                            "/i",
                            "--data-dir",
                            "/d",
                            "--disk-priorities",
                            "Nice=-5",
                            "--init-system",
                            "none",
                            "--retry=false",
                            "--download-connect-timeout",
                            "3s"})
                         .flags;
  EXPECT_EQ(given.extra_sans, (std::vector<std::string>{"a.example", "10.1.1.1"}));
  EXPECT_EQ(given.disk_priorities, std::vector<std::string>{"Nice=-5"});
  EXPECT_FALSE(given.retry);
  EXPECT_EQ(given.init_system, "none");
}

TEST(EtcdadmLine, WhatWasGivenIsToldFromDefaults) {
  EXPECT_TRUE(parse({"init"}).flags.given.empty());
  ASSERT_EQ(::setenv("ETCDADM_DATA_DIR", "/d", 1), 0);
  const auto phase = parse({"join", "phase", "install", "https://a:2380", "--name", "b"}).flags;
  ::unsetenv("ETCDADM_DATA_DIR");
  EXPECT_TRUE(phase.given.contains("name"));
  EXPECT_TRUE(phase.given.contains("data-dir"));
  EXPECT_FALSE(phase.given.contains("certs-dir"));
}

TEST(EtcdadmLine, PhasesTakeTheFlagsOfTheirCommand) {
  const auto init = parse({"init", "phase", "install", "--version", "3.5.12"});
  EXPECT_EQ(init.run, adm::init);
  EXPECT_EQ(init.flags.phase, "install");
  EXPECT_EQ(init.flags.version, "3.5.12");
  const auto join = parse({"join", "phase", "membership", "https://a:2380", "--name", "b"});
  EXPECT_EQ(join.run, adm::join);
  EXPECT_EQ(join.flags.phase, "membership");
  EXPECT_EQ(join.flags.subject, "https://a:2380");
  EXPECT_EQ(join.flags.name, "b");
}

TEST(EtcdadmLine, EveryCommandIsInTheReference) {
  const auto page = etcdadm_reference();
  for (const char* verb : {"init", "join", "reset", "status", "member remove", "snapshot restore",
                           "certs renew", "doctor", "version"})
    EXPECT_NE(page.find(std::string("\n## ") + verb + "\n"), std::string::npos) << verb;
  EXPECT_NE(page.find("| `--data-dir` DIR |  | `/var/lib/etcd` |"), std::string::npos) << page;
}

TEST(EtcdadmLine, CompletionsAndPagesHaveEveryCommand) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const auto script = etcdadm_completion(shell);
    ASSERT_TRUE(script) << shell;
    for (const char* word : {"certs", "rotate", "token", "snapshot", "restore"})
      EXPECT_NE(script->find(word), std::string::npos) << shell << word;
    EXPECT_EQ(script->find("reference"), std::string::npos) << "it is hidden";
  }
  EXPECT_FALSE(etcdadm_completion("tcsh"));
  const auto pages = etcdadm_man_pages();
  const auto page = std::ranges::find(pages, "etcdadm-certs-rotate.1",
                                      &std::pair<std::string, std::string>::first);
  ASSERT_NE(page, pages.end());
  EXPECT_NE(page->second.find(".TH ETCDADM\\-CERTS\\-ROTATE 1"), std::string::npos) << page->second;
  EXPECT_NE(page->second.find(".SH EXIT STATUS"), std::string::npos);
}

// As a shell asks it.
TEST(EtcdadmLine, BashCompletes) {
  const posix::TestDir dir;
  ASSERT_TRUE(posix::write_atomic(dir.path("c"), *etcdadm_completion("bash")));
  const auto ask = [&](const std::string& words, int at) {
    const std::string script = "source " + dir.path("c") + "; COMP_WORDS=(" + words +
                               "); COMP_CWORD=" + std::to_string(at) +
                               "; _etcdadm; echo \"${COMPREPLY[*]}\"";
    auto ran = posix::run({{"/bin/bash", "-c", script}, {}, "/"}, {}, {});
    return ran ? ran->out + ran->err : ran.error().message;
  };
  EXPECT_EQ(ask("etcdadm ce", 1), "certs\n");
  EXPECT_EQ(ask("etcdadm certs r", 2), "rotate renew\n");
  EXPECT_EQ(ask("etcdadm join --ca", 2), "--ca-cert-hash --cache-dir\n");
  EXPECT_EQ(ask("etcdadm -l error snapshot sa", 4), "save\n");
}

// What is wrong is told with its exit code before anything is touched. "@" is a folder that is
// there, with notes.txt in it.
#define TOKEN "00c0ffee.00112233445566778899aabbccddeeff"
#define HASH "sha256:abababababababababababababababababababababababababababababababab"
struct BadInput {
  const char* line;
  int exit;
  const char* words;
};

constexpr BadInput kBad[] = {
    {"", kBadInput, "A subcommand is required"},
    {"destroy", kBadInput, "A subcommand is required"},
    {"init --colour", kBadInput, "--colour"},
    {"init extra", kBadInput, "extra"},
    {"init --name", kBadInput, "--name"},
    {"init --client-port x", kBadInput, "--client-port"},
    {"init --name a=b", kBadInput, "is no name of a member"},
    {"init --name a,b", kBadInput, "is no name of a member"},
    {"init --name -a", kBadInput, "--name"},
    {"init --bind-address etcd-1", kBadInput, "neither an IPv4 nor an IPv6 address"},
    {"init --bind-address 127.0.0.300", kBadInput, "neither an IPv4 nor an IPv6 address"},
    {"init --bind-address 0.0.0.0", kBadInput, "no address that others can reach"},
    {"init --bind-address ::", kBadInput, "no address that others can reach"},
    {"init --bind-address 192.0.2.7", kBadInput, "on no interface of this host"},
    {"init --server-cert-extra-sans a_b!", kBadInput, "neither an address nor a DNS name"},
    {"init --data-dir data", kBadInput, "is not an absolute path"},
    {"init --data-dir /var/../etc", kBadInput, "has a part '..'"},
    {"init --data-dir /", kBadInput, "is the root of all files"},
    {"init --data-dir /etc", kBadInput, "holds --certs-dir"},
    {"init --state-dir state", kBadInput, "is not an absolute path"},
    {"init --certs-dir @/data/pki --data-dir @/data", kBadInput, "holds --certs-dir"},
    {"init --state-dir @/s --data-dir @/s/data", kBadInput, "is inside --state-dir"},
    {"init --client-port 0", kBadInput, "is not a number from 1 to 65535"},
    {"init --peer-port 2379", kBadInput, "is the port of --client-port as well"},
    {"init --metrics-port 70000", kBadInput, "is not a number from 1 to 65535"},
    {"init --version three", kBadInput, "--version"},
    {"init --version 3.5.0", kBadInput, "--version: '3.5.0'"},
    {"init --version 2.3.8", kBadInput, "--version"},
    {"init --start-timeout soon", kBadInput, "--start-timeout"},
    {"init --disk-priorities ExecStart=/bin/sh", kBadInput, "is none of Nice="},
    {"init --user eo-no-such-user", kBadInput, "--user: 'eo-no-such-user' is no user of this host"},
    {"init --init-system none --user etcd", kBadInput, "is for a unit of systemd"},
    {"init --init-system upstart", kBadInput, "is none of systemd, kubelet, none"},
    {"init --init-system kubelet --kubelet-pod-manifest-path m", kBadInput,
     "--kubelet-pod-manifest-path: 'm' is not an absolute path"},
    {"init --image-repository quay.io/coreos/etcd:v3.5.12", kBadInput, "without its tag"},
    {"join", kBadInput, "URL is required"},
    {"join etcd-1:2380", kBadInput, "not a URL that begins with https://"},
    {"join http://etcd-1:2380", kBadInput, "without TLS"},
    {"join https://etcd-1:99999", kBadInput, "not a number from 1 to 65535"},
    {"join https://etcd-1:2380/v3", kBadInput, "has a path"},
    {"join https://a:2380 https://b:2380", kBadInput, "https://b:2380"},
    {"join https://a:2380 --snapshot x.db", kBadInput, "--snapshot"},
    {"reset", kNotThere, "begin with `etcdadm init`"},
    {"status", kNotThere, "begin with `etcdadm init`"},
    {"status -o xml", kBadInput, "xml"},
    {"info", kNotThere, "begin with `etcdadm init`"},
    {"doctor", kNotThere, "begin with `etcdadm init`"},
    {"member", kBadInput, "A subcommand is required"},
    {"member eject a", kBadInput, "A subcommand is required"},
    {"member remove", kBadInput, "MEMBER is required"},
    {"member remove a", kNotThere, "begin with `etcdadm init`"},
    {"member add etcd-4:2380", kBadInput, "not a URL that begins with https://"},
    {"snapshot save", kBadInput, "FILE is required"},
    {"snapshot save @/a.db", kNotThere, "begin with `etcdadm init`"},
    {"snapshot status @/none.db", kNotThere, "none.db"},
    {"snapshot status @/notes.txt", kFailed, "not a good snapshot"},
    {"snapshot status @", kRefused, "@"},
    {"snapshot verify @/notes.txt", kFailed, "not a good snapshot"},
    {"snapshot list @/none", kNotThere, "none"},
    {"snapshot restore", kBadInput, "FILE is required"},
    {"snapshot restore @/none.db --data-dir @/new", kNotThere, "none.db"},
    {"snapshot restore @/notes.txt --data-dir @/new", kFailed, "not a good snapshot"},
    {"snapshot restore @/notes.txt --data-dir new", kBadInput, "is not an absolute path"},
    {"certs check", kNotThere, "begin with `etcdadm init`"},
    {"certs renew --within never", kBadInput, "--within"},
    {"download --version x", kBadInput, "--version"},
    {"-l loud status", kBadInput, "loud"},
    {"init --token-ttl soon", kBadInput, "--token-ttl"},
    {"init --token-ttl 25h", kBadInput, "is not from 0 to 24h"},
    {"init --token-port 0", kBadInput, "is not a number from 1 to 65535"},
    {"init --token-port 2379", kBadInput, "is the port of --client-port as well"},
    {"init --token " TOKEN, kBadInput, "--token"},
    {"join https://a:2380 --token " TOKEN, kBadInput, "--token needs --ca-cert-hash"},
    {"join https://a:2380 --ca-cert-hash " HASH, kBadInput, "--ca-cert-hash needs --token"},
    {"join https://a:2380 --token secret --ca-cert-hash " HASH, kBadInput, "is no token ID.SECRET"},
    {"join https://a:2380 --token " TOKEN " --ca-cert-hash sha256:ab", kBadInput,
     "is not sha256: and 64 hex digits"},
    {"join https://a:2380 --token " TOKEN " --ca-cert-hash md5:" TOKEN, kBadInput,
     "is not sha256: and 64 hex digits"},
    {"join https://a:2380 --token " TOKEN " --token-file @/notes.txt --ca-cert-hash " HASH,
     kBadInput, "exclude each other"},
    {"join https://a:2380 --token-file @/none --ca-cert-hash " HASH, kNotThere, "--token-file"},
    {"join https://a:2380 --token-file @/notes.txt --ca-cert-hash " HASH, kBadInput,
     "is no token ID.SECRET"},
    {"token", kBadInput, "A subcommand is required"},
    {"token create", kNotThere, "begin with `etcdadm init`"},
    {"token create --token-ttl 0", kBadInput, "a life above 0"},
    {"token create --token-port 65536", kBadInput, "is not a number from 1 to 65535"},
    {"token serve", kNotThere, "begin with `etcdadm init`"},
    {"certs list", kNotThere, "begin with `etcdadm init`"},
    {"certs rotate", kNotThere, "begin with `etcdadm init`"},
    {"certs generate --out @/new", kBadInput, "--out needs --name"},
    {"certs generate --out new --name a --bind-address 10.0.0.1", kBadInput,
     "is not an absolute path"},
    {"certs generate --out @/new --name a --bind-address 10.0.0.1 --certs-dir @/none", kNotThere,
     "the authority that is to sign"},
    {"snapshot status s4://a/b.db", kBadInput, "neither a file nor s3://"},
    {"snapshot verify s3://bucket", kBadInput, "names a bucket and no file"},
    {"snapshot list s3://b", kBadInput, "no name of a bucket"},
    {"snapshot restore s3://bucket/../a.db --data-dir @/new", kBadInput, "s3://bucket"},
    {"snapshot status s3://bucket/a.db --store-ca @/none", kNotThere, "--store-ca"},
    {"completion", kBadInput, "SHELL is required"},
    {"completion tcsh", kBadInput, "is none of bash, zsh, fish"},
};

class BadInputs : public ::testing::TestWithParam<BadInput> {};

TEST_P(BadInputs, AreToldWithTheirExitCode) {
  const posix::TestDir dir;
  ASSERT_TRUE(posix::write_atomic(dir.path("notes.txt"), "no database\n"));
  std::vector<std::string> args;
  std::istringstream line(GetParam().line);
  for (std::string word; line >> word;) {
    for (size_t at = word.find('@'); at != std::string::npos; at = word.find('@', at + 1))
      word.replace(at, 1, dir.path(""));
    args.push_back(word);
  }
  std::string words = GetParam().words;
  if (words == "@") words = dir.path("");
  ::testing::internal::CaptureStderr();
  auto parsed = parse(args);
  int exit = parsed.exit;
  if (parsed.run != nullptr) {
    // Whatever the checks let through stays in this folder, and begins nothing.
    const adm::Flags usual;
    auto& f = parsed.flags;
    const std::pair<std::string*, const std::string*> folders[] = {
        {&f.state_dir, &usual.state_dir},
        {&f.install_dir, &usual.install_dir},
        {&f.config_dir, &usual.config_dir},
        {&f.unit_dir, &usual.unit_dir},
        {&f.cache_dir, &usual.cache_dir}};
    for (const auto& [folder, fallback] : folders)
      if (*folder == *fallback) *folder = dir.path(folder == &f.state_dir ? "state" : "other");
    f.dry_run = f.dry_run || parsed.run == adm::init || parsed.run == adm::join;
    if (parsed.flags.bind_address.empty()) parsed.flags.bind_address = "127.0.0.1";
    const posix::SystemClock clock;
    exit = run_line(
        parsed,
        {parsed.flags, clock, {}, "guard", [](const auto&) {}, [](const auto&) { return false; }});
  }
  const std::string err = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(exit, GetParam().exit) << err;
  EXPECT_NE(err.find(words), std::string::npos) << err;
  EXPECT_EQ(posix::exists(dir.path("state/host.json")), base::Fact<bool>(false));
  EXPECT_EQ(posix::exists(dir.path("new")), base::Fact<bool>(false));
}

INSTANTIATE_TEST_SUITE_P(Etcdadm, BadInputs, ::testing::ValuesIn(kBad));

}  // namespace
}  // namespace bin
