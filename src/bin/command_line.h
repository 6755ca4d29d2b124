// The command line of etcd-operator as values. The parser (CLI11) stays in command_line.cc.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace bin {

enum class Output { kText, kJson, kYaml };

// What every command ends with; documented by `etcd-operator reference`.
enum ExitCode : int {
  kDone = 0,
  kFailed = 1,    // it was tried and did not work
  kBadInput = 2,  // flags or manifests are wrong
  kNotThere = 3,  // no such cluster, or no operator where one is needed
  kRefused = 4,   // the present state forbids it
  kNoAnswer = 5   // the operator or etcd did not answer in time
};

struct RunFlags {
  std::string platform, manifests, state;
  std::string http_addr = "127.0.0.1:8080";
  unsigned workers = 0;  // 0: as many as the platform takes
  std::string etcd_dir;
  std::string release_url;
  std::string port_range = "23000-32767";
  unsigned store_jobs = 4;
  std::string supervisor = "process";
  std::string log_format = "text";
  std::string log_level = "info";
  std::optional<bool> live;  // no value: live on a terminal
  // Kubernetes only.
  std::string kubeconfig, context;
  std::string operator_image;
  std::string watch_namespace;  // empty: all
  std::string cluster_domain = "cluster.local";
  std::vector<std::string> fault_points;  // each "NAME" or "NAME:COUNT"; for tests
};

// status, plan, events, connect, approve, backup-now, restore, pause, resume, stop, start.
struct ClusterFlags {
  std::string verb;
  std::string cluster;  // as written; may be empty
  std::string state;
  Output output = Output::kText;
  bool all = false, watch = false;
  std::string file;       // plan -f
  std::string operation;  // approve
  std::string valid_for = "1h";
  unsigned limit = 50;    // events
  bool in_place = false;  // restore
  std::string backup, to_revision, to_time;
  std::vector<std::string> rest;  // connect CLUSTER -- …
};

struct ValidateFlags {
  std::vector<std::string> files;
  std::string platform = "host";
  Output output = Output::kText;
};

struct FetchFlags {
  std::string version, etcd_dir, release_url;
  bool build = true;
};

struct VersionFlags {
  Output output = Output::kText;
};

// crds and install-manifest.
struct InstallFlags {
  bool crds = false;
  std::string folder;  // crds: a file each; empty: all to standard output
  std::string name_space = "etcd-operator-system";
  std::string image;
  bool one_namespace = false;
};

// snapshot status.
struct SnapshotFlags {
  std::string file;
  bool member_file = false;  // no check sum at its end
  Output output = Output::kText;
};

// archive run, fetch, drill, follow (with `job`), list, verify, cat, prune (with the rest).
struct ArchiveFlags {
  std::string verb;
  std::string job;
  std::vector<std::string> fault_points;  // for tests
  std::string store, secret, endpoint, region, ca, encryption_key;
  bool path_style = false;
  std::string storage_class, encryption, kms_key;  // of an S3 store
  std::string scratch;  // empty: the machine's directory for temporary files
  std::string name, incarnation;
  unsigned keep = 0;
  bool manifest = false, mark = false, dry_run = false, history = false;
  bool required = false;  // a failure that is reported is a failure of the command, too
  Output output = Output::kText;
};

// export-survivor: for the pod that restores one.
struct ExportFlags {
  std::string data, work, etcd, member;
};

struct ReferenceFlags {
  std::string folder;
};

using Command =
    std::variant<RunFlags, ClusterFlags, ValidateFlags, FetchFlags, VersionFlags, InstallFlags,
                 SnapshotFlags, ArchiveFlags, ExportFlags, ReferenceFlags>;

struct CommandLine {
  std::optional<Command> command;  // none: help was printed, or an error; `exit` says which
  int exit = kDone;
};

// Prints help to stdout and errors to stderr.
CommandLine parse_command_line(int argc, const char* const* argv);

// Every command and flag as Markdown, made from the parser itself.
std::string command_reference();

}  // namespace bin
