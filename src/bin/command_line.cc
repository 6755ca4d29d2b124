#include "bin/command_line.h"

#include <fmt/format.h>

#include <cstdint>
#include <memory>
#include <utility>

#include "bin/cli_parts.h"

namespace bin {
namespace {

// Everything that the parser may fill; the chosen command is taken out of it.
struct Flags {
  RunFlags run;
  std::vector<std::unique_ptr<ClusterFlags>> clusters;
  ValidateFlags validate;
  FetchFlags fetch;
  VersionFlags version;
  InstallFlags crds, install;
  SnapshotFlags snapshot;
  std::vector<std::unique_ptr<ArchiveFlags>> archives;
  ExportFlags export_survivor;
  ReferenceFlags reference;
};

void add_kubernetes(CLI::App& app, RunFlags& f) {
  app.add_option(
         "--operator-image", f.operator_image,
         "kubernetes: image of this operator, which brings etcd-guard to members (required)")
      ->type_name("IMAGE");
  app.add_option("--kubeconfig", f.kubeconfig,
                 "kubernetes: file that says where the API server is (default: $KUBECONFIG, then "
                 "the pod's own account, then ~/.kube/config)")
      ->type_name("FILE");
  app.add_option("--context", f.context, "kubernetes: context of the kubeconfig")
      ->type_name("NAME");
  app.add_option("--watch-namespace", f.watch_namespace,
                 "kubernetes: look after clusters of this namespace only (default: all)")
      ->type_name("NAME");
  app.add_option("--cluster-domain", f.cluster_domain, "kubernetes: domain of its DNS")
      ->capture_default_str()
      ->type_name("DOMAIN");
}

void add_run(CLI::App& root, RunFlags& f) {
  auto& app = *root.add_subcommand("run", "run the operator in the foreground");
  app.add_option("--platform", f.platform, "where the clusters live: host or kubernetes")
      ->required()
      ->check(CLI::IsMember({"host", "kubernetes"}))
      ->type_name("NAME");
  app.add_option("--manifests", f.manifests,
                 "host: folder of *.yaml, *.yml and *.json manifests (required)")
      ->type_name("DIR");
  app.add_option("--state", f.state,
                 "host: folder of records, data, certificates and logs; made if absent (required)")
      ->type_name("DIR");
  app.add_option("--http-addr", f.http_addr,
                 "where /healthz, /readyz, /metrics and /debug are served; port 0 takes a free one")
      ->capture_default_str()
      ->type_name("HOST:PORT");
  app.add_option("--workers", f.workers,
                 "clusters that are worked on at the same time (default: host 4, kubernetes 16)")
      ->check(CLI::Range(1U, 64U))
      ->type_name("N");
  app.add_option("--etcd-dir", f.etcd_dir, "etcd programs, looked for before the cache and PATH")
      ->type_name("DIR");
  app.add_option("--release-url", f.release_url,
                 "where missing versions of etcd are downloaded from")
      ->type_name("URL");
  app.add_option("--port-range", f.port_range, "ports of members, three each, chosen once")
      ->capture_default_str()
      ->type_name("FIRST-LAST");
  app.add_option(
         "--max-store-jobs", f.store_jobs,
         "backups and drills at a time, of all clusters together; those that a person or an "
         "upgrade waits for come on top")
      ->capture_default_str()
      ->check(CLI::Range(1U, 1000U))
      ->type_name("N");
  app.add_option("--supervisor", f.supervisor,
                 "what starts the guards: process (detached) or systemd (transient units)")
      ->capture_default_str()
      ->check(CLI::IsMember({"process", "systemd"}))
      ->type_name("NAME");
  app.add_option("--log-format", f.log_format, "text or json, a line an event")
      ->capture_default_str()
      ->check(CLI::IsMember({"text", "json"}))
      ->type_name("FORMAT");
  app.add_option("--log-level", f.log_level, "debug, info, warning or error")
      ->capture_default_str()
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}))
      ->type_name("LEVEL");
  app.add_flag_function(
      "--live,!--no-live", [&f](std::int64_t times) { f.live = times > 0; },
      "show a live table and write the log to STATE/operator.log (default: on a terminal)");
  app.add_option("--fault-point", f.fault_points, "")->group("");
  add_kubernetes(app, f);
}

ClusterFlags& add_verb(CLI::App& root, Flags& flags, const std::string& verb,
                       const std::string& text, const std::string& footer, CLI::App*& app) {
  flags.clusters.push_back(std::make_unique<ClusterFlags>());
  auto& f = *flags.clusters.back();
  f.verb = verb;
  app = root.add_subcommand(verb, text);
  if (!footer.empty()) app->footer(footer);
  app->add_option("--state", f.state, "the folder that `run --state` has")->type_name("DIR");
  return f;
}

void need_cluster(CLI::App& app, ClusterFlags& f) {
  app.add_option("CLUSTER", f.cluster, "NAME (namespace default) or NAMESPACE/NAME")
      ->required()
      ->type_name("");
  app.get_option("--state")->required();
}

void may_have_cluster(CLI::App& app, ClusterFlags& f) {
  app.add_option("CLUSTER", f.cluster, "NAME (namespace default) or NAMESPACE/NAME; none: all")
      ->type_name("");
}

void add_reading_verbs(CLI::App& root, Flags& flags) {
  CLI::App* app = nullptr;
  auto& status = add_verb(root, flags, "status", "show clusters: members, conditions, operation",
                          "Without a running operator the last written status is shown.", app);
  may_have_cluster(*app, status);
  app->get_option("--state")->required();
  add_output(*app, status.output);
  app->add_flag("-w,--watch", status.watch, "refresh in place every second");

  auto& plan = add_verb(root, flags, "plan", "show what would be done now and why; changes nothing",
                        "With -f the manifests of FILE are planned in place of those in force; "
                        "without --state they are planned as new clusters.",
                        app);
  may_have_cluster(*app, plan);
  app->add_option("-f,--file", plan.file, "a manifest; - is standard input")->type_name("FILE");
  add_output(*app, plan.output);

  auto& events =
      add_verb(root, flags, "events", "show what was done and why, newest last", "", app);
  may_have_cluster(*app, events);
  app->get_option("--state")->required();
  app->add_option("--limit", events.limit, "newest events of each cluster")
      ->capture_default_str()
      ->check(CLI::Range(1U, 1000U))
      ->type_name("N");
  add_output(*app, events.output);

  auto& connect =
      add_verb(root, flags, "connect", "print endpoints and certificates, or run etcdctl",
               "connect NAME -- get foo  runs etcdctl with the endpoints and files.", app);
  need_cluster(*app, connect);
  add_output(*app, connect.output);
  app->add_option("ETCDCTL", connect.rest, "after --: arguments for etcdctl")->type_name("ARG...");
}

void add_acting_verbs(CLI::App& root, Flags& flags) {
  CLI::App* app = nullptr;
  auto& approve = add_verb(root, flags, "approve", "agree to the operation that needs approval",
                           "Read its message first: `status CLUSTER` says what may be lost.", app);
  need_cluster(*app, approve);
  app->add_option("OPERATION", approve.operation, "its id; none: the one that waits")
      ->type_name("");
  app->add_option("--for", approve.valid_for, "how long the approval holds")
      ->capture_default_str()
      ->type_name("DURATION");
  const std::pair<const char*, const char*> simple[] = {
      {"pause", "leave a cluster as it is: nothing is changed or repaired"},
      {"resume", "end a pause"},
      {"start", "start the members of a stopped cluster"},
      {"backup-now", "take a backup now, beside the schedule"}};
  for (const auto& [verb, text] : simple) {
    auto& f = add_verb(root, flags, verb, text, "", app);
    need_cluster(*app, f);
  }
  auto& restore = add_verb(
      root, flags, "restore", "bring a cluster back to a backup, a revision or a time",
      "It ends the life of what the cluster holds now: a safety copy goes into its backups first, "
      "and what its members hold is kept on the machine. Nothing is touched before the backup was "
      "found good. `events CLUSTER` says how it goes, and where the safety copy is.",
      app);
  need_cluster(*app, restore);
  app->add_flag("--in-place", restore.in_place, "yes, over the running cluster")->required();
  app->add_option("--backup", restore.backup,
                  "as `archive list` shows it (default: the newest that is good)")
      ->type_name("NAME");
  auto* revision =
      app->add_option("--to-revision", restore.to_revision,
                      "as it was at this revision of its newest life, or of that backup's")
          ->type_name("N");
  app->add_option("--to-time", restore.to_time, "as it was then, such as 2026-11-21T12:00:00Z")
      ->type_name("TIME")
      ->excludes(revision);
  auto& stop =
      add_verb(root, flags, "stop", "stop members; all data is kept",
               "A stopped cluster stays stopped until `start`. --all also ends the operator; "
               "the next `run` starts everything again.",
               app);
  may_have_cluster(*app, stop);
  app->get_option("--state")->required();
  app->add_flag("--all", stop.all, "every cluster, and the operator; works without one too");
}

void add_others(CLI::App& root, Flags& flags) {
  auto& validate = *root.add_subcommand("validate", "check manifests without running anything");
  validate
      .add_option("-f,--file", flags.validate.files, "a manifest or a folder; - is standard input")
      ->required()
      ->type_name("FILE");
  validate.add_option("--platform", flags.validate.platform, "check for this platform")
      ->capture_default_str()
      ->check(CLI::IsMember({"host", "kubernetes"}))
      ->type_name("NAME");
  add_output(validate, flags.validate.output);

  auto& fetch = *root.add_subcommand("fetch-etcd", "put a version of etcd where `run` finds it");
  fetch.add_option("VERSION", flags.fetch.version, "such as 3.5.12")->required()->type_name("");
  fetch.add_option("--etcd-dir", flags.fetch.etcd_dir, "where to (default: the user's cache)")
      ->type_name("DIR");
  fetch
      .add_option("--release-url", flags.fetch.release_url,
                  "base of the release archives (default: etcd's own releases)")
      ->type_name("URL");
  fetch.add_flag("--build,!--no-build", flags.fetch.build,
                 "build from the Go modules when no archive can be had (default: yes)");

  auto& version = *root.add_subcommand("version", "print the version of this program");
  add_output(version, flags.version.output);

  auto& reference = *root.add_subcommand("reference", "write the reference pages");
  reference.group("");
  reference.add_option("DIR", flags.reference.folder, "")->required();
}

void add_export(CLI::App& root, ExportFlags& f) {
  auto& app = *root.add_subcommand(
      "export-survivor", "make a snapshot of a stopped member's data (for pods that restore one)");
  app.add_option("--data", f.data, "the member's data directory; only read")
      ->required()
      ->type_name("DIR");
  app.add_option("--work", f.work, "where snapshot.db is made")->required()->type_name("DIR");
  app.add_option("--etcd", f.etcd, "program of the version that wrote the data")
      ->required()
      ->type_name("FILE");
  app.add_option("--member", f.member, "the member's name")->required()->type_name("NAME");
}

void add_install(CLI::App& root, Flags& flags) {
  auto& crds = *root.add_subcommand("crds", "print the CustomResourceDefinitions for Kubernetes");
  flags.crds.crds = true;
  crds.add_option("--dir", flags.crds.folder, "write a file each into this folder instead")
      ->type_name("DIR");

  auto& install = *root.add_subcommand("install-manifest",
                                       "print the objects that install the operator on Kubernetes");
  install.footer("etcd-operator install-manifest | kubectl apply --server-side -f -");
  install.add_option("--namespace", flags.install.name_space, "where the operator lives")
      ->capture_default_str()
      ->type_name("NAME");
  install
      .add_option("--image", flags.install.image,
                  "of the operator (default: etcd-operator and this version)")
      ->type_name("IMAGE");
  install.add_flag("--one-namespace", flags.install.one_namespace,
                   "rights and clusters in that namespace only");
}

void add_snapshot(CLI::App& root, SnapshotFlags& f) {
  auto& app = *root.add_subcommand("snapshot", "look into snapshots of etcd, without an etcd");
  app.require_subcommand(1);
  auto& status = *app.add_subcommand(
      "status", "say whether a file is a good snapshot, and what is in it; changes nothing");
  status.footer(
      "Checked are its SHA-256, every page and every record. The exit code is 1 if it is not good; "
      "the message says why.");
  status.add_option("FILE", f.file, "as `etcdctl snapshot save` makes it")
      ->required()
      ->type_name("");
  status.add_flag("--member-file", f.member_file,
                  "FILE is a member's own member/snap/db, which has no SHA-256 at its end");
  add_output(status, f.output);
}

ArchiveFlags& add_archive_verb(CLI::App& archive, Flags& flags, const std::string& verb,
                               const std::string& text, CLI::App*& app) {
  flags.archives.push_back(std::make_unique<ArchiveFlags>());
  auto& f = *flags.archives.back();
  f.verb = verb;
  app = archive.add_subcommand(verb, text);
  app->add_option("--fault-point", f.fault_points, "")->group("");
  return f;
}

void add_store(CLI::App& app, ArchiveFlags& f) {
  app.add_option("--store", f.store,
                 "the cluster's own place: s3://, oss://, gs://, azblob:// with bucket and prefix, "
                 "or a directory")
      ->required()
      ->type_name("URL");
  app.add_option("--secret", f.secret,
                 "directory with the files of a Secret (default: what the machine has)")
      ->type_name("DIR");
  app.add_option("--endpoint", f.endpoint, "server, where it is not the cloud's own")
      ->type_name("URL");
  app.add_option("--region", f.region, "region of the bucket")->type_name("NAME");
  app.add_flag("--path-style", f.path_style, "s3: the bucket is a part of the path");
  app.add_option("--storage-class", f.storage_class, "s3: of what is written")->type_name("NAME");
  app.add_option("--server-side-encryption", f.encryption,
                 "s3: of what is written: AES256, aws:kms or aws:kms:dsse")
      ->type_name("MODE");
  app.add_option("--sse-kms-key-id", f.kms_key, "s3: the key of aws:kms and aws:kms:dsse")
      ->type_name("KEY");
  app.add_option("--ca", f.ca, "PEM with the roots of the server (default: the system's)")
      ->type_name("FILE");
}

void add_reading(CLI::App& app, ArchiveFlags& f) {
  app.add_option("--encryption-key", f.encryption_key, "the key of encrypted backups")
      ->type_name("FILE");
  app.add_option("--scratch", f.scratch,
                 "where a whole snapshot has room (default: $TMPDIR, then /tmp)")
      ->type_name("DIR");
}

void add_archive(CLI::App& root, Flags& flags) {
  auto& archive = *root.add_subcommand("archive", "a cluster's backups");
  archive.require_subcommand(1);
  CLI::App* app = nullptr;
  for (const auto& [verb, text] :
       {std::pair("run", "make one backup (started by the operator)"),
        std::pair("fetch", "bring a backup back as a file (started by the operator)"),
        std::pair("drill",
                  "make an etcd of the newest backup, to see that it can be done (started "
                  "by the operator)"),
        std::pair("follow", "keep all that happens in a cluster (started by the operator)")}) {
    auto& f = add_archive_verb(archive, flags, verb, text, app);
    app->add_option("--job", f.job, "what is to be done, as JSON; docs/backup.md has its fields")
        ->required()
        ->type_name("FILE");
    app->add_flag("--required", f.required, "the exit code is 1 unless it was done");
    app->footer("The exit code is 0 whenever the report was written, also of a failure.");
  }
  auto& list = add_archive_verb(archive, flags, "list", "show which backups there are", app);
  add_store(*app, list);
  app->add_flag("--history", list.history, "only which revisions and times can be brought back");
  add_output(*app, list.output);
  auto& verify = add_archive_verb(archive, flags, "verify",
                                  "read backups from end to end and judge what is in them", app);
  app->add_option("NAME", verify.name, "as `archive list` shows it; none: all")->type_name("");
  add_store(*app, verify);
  add_reading(*app, verify);
  app->add_flag("--mark", verify.mark,
                "note in the store which are damaged, so that they are not counted as good");
  add_output(*app, verify.output);
  app->footer("The exit code is 1 if one is damaged.");
  auto& cat = add_archive_verb(archive, flags, "cat",
                               "write the snapshot of a backup to standard output", app);
  app->add_option("NAME", cat.name, "as `archive list` shows it")->required()->type_name("");
  add_store(*app, cat);
  add_reading(*app, cat);
  app->add_flag("--manifest", cat.manifest, "its manifest instead");
  app->footer("It is verified before the first byte is written.");
  auto& prune = add_archive_verb(archive, flags, "prune", "remove old backups", app);
  add_store(*app, prune);
  app->add_option("--keep", prune.keep, "how many verified ones stay")->type_name("N");
  app->add_option("--incarnation", prune.incarnation,
                  "of this life of the cluster (default: the newest); without --keep all of it")
      ->type_name("NAME");
  app->add_flag("--dry-run", prune.dry_run, "only say what would be removed");
  add_output(*app, prune.output);
  app->footer("The newest verified and the newest proven one of an incarnation stay.");
}

std::unique_ptr<CLI::App> make_app(Flags& flags) {
  auto root = std::make_unique<CLI::App>(
      "Runs etcd clusters that look after themselves, from a folder of manifests.",
      "etcd-operator");
  root->require_subcommand(1);
  root->set_version_flag("--version", "etcd-operator " EO_VERSION);
  add_run(*root, flags.run);
  add_reading_verbs(*root, flags);
  add_acting_verbs(*root, flags);
  add_others(*root, flags);
  add_install(*root, flags);
  add_snapshot(*root, flags.snapshot);
  add_archive(*root, flags);
  add_export(*root, flags.export_survivor);
  root->footer("etcd-operator COMMAND --help says more about each.");
  return root;
}

Command chosen(const CLI::App& root, Flags& flags) {
  const auto name = root.get_subcommands().front()->get_name();
  for (const auto& cluster : flags.clusters)
    if (cluster->verb == name) return *cluster;
  if (name == "run") return flags.run;
  if (name == "validate") return flags.validate;
  if (name == "fetch-etcd") return flags.fetch;
  if (name == "version") return flags.version;
  if (name == "crds") return flags.crds;
  if (name == "install-manifest") return flags.install;
  if (name == "snapshot") return flags.snapshot;
  for (const auto& archive : flags.archives)
    if (name == "archive" &&
        archive->verb == root.get_subcommands().front()->get_subcommands().front()->get_name())
      return *archive;
  if (name == "export-survivor") return flags.export_survivor;
  return flags.reference;
}

}  // namespace

CommandLine parse_command_line(int argc, const char* const* argv) {
  Flags flags;
  const auto root = make_app(flags);
  try {
    root->parse(argc, argv);
  } catch (const CLI::Success& done) {
    return {std::nullopt, root->exit(done)};
  } catch (const CLI::ParseError& error) {
    root->exit(error);
    return {std::nullopt, kBadInput};
  }
  return {chosen(*root, flags), kDone};
}

std::string command_reference() {
  Flags flags;
  const auto root = make_app(flags);
  std::string out = "# Commands\n\nGenerated by `etcd-operator reference`; do not edit.\n";
  for (const auto* app : root->get_subcommands({}))
    if (!app->get_group().empty()) put_command(*app, "etcd-operator", app->get_name(), out);
  return out;
}

}  // namespace bin
