#include "bin/command_line.h"

#include <gtest/gtest.h>

namespace bin {
namespace {

CommandLine parse(std::vector<const char*> args) {
  args.insert(args.begin(), "etcd-operator");
  return parse_command_line(static_cast<int>(args.size()), args.data());
}

template <class T>
T flags_of(const std::vector<const char*>& args) {
  const auto line = parse(args);
  EXPECT_TRUE(line.command.has_value());
  return line.command ? std::get<T>(*line.command) : T{};
}

TEST(CommandLine, RunAsTheManualHasIt) {
  const auto f = flags_of<RunFlags>({"run", "--platform", "host", "--manifests", "m", "--state",
                                     "s", "--http-addr", "127.0.0.1:0", "--workers", "2",
                                     "--etcd-dir", "e", "--port-range", "100-200", "--supervisor",
                                     "process", "--log-format", "json"});
  EXPECT_EQ(f.manifests, "m");
  EXPECT_EQ(f.http_addr, "127.0.0.1:0");
  EXPECT_EQ(f.workers, 2U);
  EXPECT_EQ(f.port_range, "100-200");
  EXPECT_FALSE(f.live.has_value());
}

TEST(CommandLine, LiveIsOnOffOrUpToTheTerminal) {
  const std::vector<const char*> base{"run", "--platform", "host", "--manifests",
                                      "m",   "--state",    "s"};
  auto on = base, off = base;
  on.push_back("--live");
  off.push_back("--no-live");
  EXPECT_EQ(flags_of<RunFlags>(on).live, true);
  EXPECT_EQ(flags_of<RunFlags>(off).live, false);
}

TEST(CommandLine, ConnectTakesTheRestForEtcdctl) {
  const auto f =
      flags_of<ClusterFlags>({"connect", "a", "--state", "s", "--", "get", "foo", "--prefix"});
  EXPECT_EQ(f.verb, "connect");
  EXPECT_EQ(f.cluster, "a");
  EXPECT_EQ(f.rest, (std::vector<std::string>{"get", "foo", "--prefix"}));
}

TEST(CommandLine, StatusNeedsNoCluster) {
  const auto f = flags_of<ClusterFlags>({"status", "--state", "s", "-o", "json", "--watch"});
  EXPECT_EQ(f.verb, "status");
  EXPECT_TRUE(f.cluster.empty());
  EXPECT_EQ(f.output, Output::kJson);
  EXPECT_TRUE(f.watch);
}

TEST(CommandLine, PlanOfAFileNeedsNoState) {
  EXPECT_EQ(flags_of<ClusterFlags>({"plan", "-f", "x.yaml"}).file, "x.yaml");
}

TEST(CommandLine, SnapshotStatusTakesAFile) {
  const auto f =
      flags_of<SnapshotFlags>({"snapshot", "status", "x.db", "--member-file", "-o", "yaml"});
  EXPECT_EQ(f.file, "x.db");
  EXPECT_TRUE(f.member_file);
  EXPECT_EQ(f.output, Output::kYaml);
}

TEST(CommandLine, WrongUsageHasItsOwnExitCode) {
  for (const auto& args : std::vector<std::vector<const char*>>{
           {},
           {"frobnicate"},
           {"run"},
           {"run", "--platform", "moon", "--manifests", "m", "--state", "s"},
           {"approve", "--state", "s"},
           {"status", "--state", "s", "-o", "xml"},
           {"validate"},
           {"snapshot"},
           {"snapshot", "status"}}) {
    const auto line = parse(args);
    EXPECT_FALSE(line.command.has_value());
    EXPECT_EQ(line.exit, kBadInput);
  }
}

TEST(CommandLine, TheReferenceNamesEveryCommandAndNoHiddenOne) {
  const auto text = command_reference();
  for (const auto* word :
       {"## run", "## status", "## connect", "## fetch-etcd", "## snapshot status",
        "`--port-range`", "`--supervisor`", "`--release-url`"})
    EXPECT_NE(text.find(word), std::string::npos) << word;
  EXPECT_EQ(text.find("fault-point"), std::string::npos);
}

TEST(CommandLine, ArchiveHasSixVerbs) {
  const auto list = flags_of<ArchiveFlags>(
      {"archive", "list", "--store", "s3://b/p", "--endpoint", "e", "--path-style", "-o", "json"});
  EXPECT_EQ(list.verb, "list");
  EXPECT_EQ(list.store, "s3://b/p");
  EXPECT_EQ(list.endpoint, "e");
  EXPECT_TRUE(list.path_style);
  const auto writes = flags_of<ArchiveFlags>(
      {"archive", "verify", "--store", "s3://b/p", "--mark", "--storage-class", "STANDARD_IA",
       "--server-side-encryption", "aws:kms", "--sse-kms-key-id", "k"});
  EXPECT_EQ(writes.storage_class, "STANDARD_IA");
  EXPECT_EQ(writes.encryption, "aws:kms");
  EXPECT_EQ(writes.kms_key, "k");
  EXPECT_EQ(list.output, Output::kJson);
  EXPECT_EQ(flags_of<ArchiveFlags>({"archive", "run", "--job", "j"}).job, "j");
  EXPECT_EQ(flags_of<ArchiveFlags>({"archive", "fetch", "--job", "j"}).verb, "fetch");
  EXPECT_TRUE(flags_of<ArchiveFlags>({"archive", "verify", "--store", "d", "--mark"}).mark);
  EXPECT_EQ(flags_of<ArchiveFlags>({"archive", "cat", "x", "--store", "d"}).name, "x");
  const auto prune = flags_of<ArchiveFlags>(
      {"archive", "prune", "--store", "d", "--keep", "3", "--incarnation", "i", "--dry-run"});
  EXPECT_EQ(prune.keep, 3U);
  EXPECT_EQ(prune.incarnation, "i");
  EXPECT_TRUE(prune.dry_run);
  EXPECT_EQ(parse({"archive", "cat", "--store", "d"}).exit, kBadInput);
  EXPECT_EQ(parse({"archive", "list"}).exit, kBadInput);
}

}  // namespace
}  // namespace bin
