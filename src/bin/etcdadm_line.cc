#include "bin/etcdadm_line.h"

#include <fmt/format.h>

#include <array>
#include <map>
#include <memory>
#include <utility>

#include "bin/cli_parts.h"

namespace bin {
namespace {

using adm::Flags;

// Which flags a command has.
enum Has : unsigned {
  kState = 1,       // --state-dir
  kNode = 2,        // what init and join make of a host
  kSnapshotIn = 4,  // init --snapshot
  kEndpoints = 8,
  kDryRun = 16,
  kYes = 32,
  kForce = 64,
  kReset = 128,
  kRestore = 256,
  kFile = 512,  // --member-file
  kWarn = 1024,
  kWithin = 2048,
  kDownload = 4096,
  kVersion = 8192,
  kPhase = 16384,
  kToken = 32768,      // join: --token and what belongs to it
  kTokenLife = 65536,  // --token-ttl
  kOut = 131072,
  kStore = 262144,    // of snapshots in object stores
  kStart = 524288,    // --start-timeout and --release-url, of who starts etcd again
  kBackup = 1048576,  // upgrade apply --backup-dir
  kPeer = 2097152,    // member replace --peer-url
  kAdopt = 4194304
};

struct Row {
  const char* verb;
  const char* text;
  const char* subject;  // name of the argument; empty: none; "[X]": it may be left out
  unsigned has;
  AdmRun run;
  const char* footer;
};

constexpr const char* kInitFooter =
    "`init phase NAME` does one step: preflight, install, certificates, snapshot, configure, "
    "start, etcdctl, health, token, post-init-instructions. A listener is left for hosts that "
    "join; "
    "the command that they run is printed.";
constexpr const char* kJoinFooter =
    "URL is the peer or the client URL of any member; the answer says which way was taken. The "
    "cluster's authority comes with --token and --ca-cert-hash, as `etcdadm token create` on a "
    "member prints them, or is in the certificates folder; a new one is never made. "
    "`join phase NAME URL` does one step: stop, certificates, install, membership, configure, "
    "start, etcdctl, health.";
constexpr const char* kRestoreFooter =
    "Into the configured data directory (the default) it makes a cluster of one member under a "
    "new token and starts it; into any other it only writes, and prints how to start an etcd "
    "there. A directory that is in use or not empty is refused, and nothing is changed.";

constexpr const char* kRotateFooter =
    "In three rounds over all hosts: trust the new authority as well (a restart), make new "
    "certificates, drop the old authority (a restart). Begun on one host; the others get the new "
    "authority from it by the command that it prints. A phase waits until every member's running "
    "etcd shows the one before; what each shows is told. The same command goes on after a kill.";
constexpr const char* kRecoverFooter =
    "Only without a quorum, and only if no other member is seen to run. What may be lost is said "
    "and asked first. The data is kept aside, a cluster of one member begins with all of this "
    "host's log under a new token, and the other hosts join it as learners.";
constexpr const char* kAdoptFooter =
    "What it was told is read from the process: its command line, its environment file or its "
    "unit. "
    "It runs on as it is, `Unguarded`, until its next start; --restart starts it anew now.";
constexpr const char* kUpgradeFooter =
    "Host by host, who leads last, and every member on one step before the next minor; an order or "
    "a version that is not safe is refused. A snapshot is saved before. If the member does not "
    "come back, the answer says how to go back; the same command goes on after a kill.";

adm::Reply no_command(const adm::Context& /*context*/) {
  return base::fail(base::Code::kInternal, "this command is run elsewhere");
}

constexpr std::array<Row, 33> kRows{{
    {"init", "make the first member of a new cluster on this host", "",
     kState | kNode | kVersion | kSnapshotIn | kTokenLife | kForce | kDryRun | kPhase, adm::init,
     kInitFooter},
    {"join", "make this host a member of a cluster that exists", "URL",
     kState | kNode | kVersion | kToken | kForce | kDryRun | kPhase, adm::join, kJoinFooter},
    {"reset", "take this host out of its cluster and put its files away", "",
     kState | kReset | kYes | kDryRun, adm::reset,
     "The data is moved aside, not deleted, unless --delete-data says so."},
    {"status", "show every member of the cluster, and this host", "", kState | kEndpoints,
     adm::status,
     "The exit code is 1 if a member is not healthy, an alarm is raised or there is "
     "no quorum."},
    {"info", "print what this host is, as JSON", "", kState, adm::info, ""},
    {"member list", "show the members of the cluster", "", kState | kEndpoints, adm::member_list,
     ""},
    {"member add", "put a member into the list, as a learner", "PEER-URL",
     kState | kEndpoints | kDryRun, adm::member_add, "`etcdadm join` does this by itself."},
    {"member remove", "remove a member, also a dead one, from any live host", "MEMBER",
     kState | kEndpoints | kDryRun | kYes, adm::member_remove, "MEMBER is a name or an id."},
    {"member replace", "put another host in the place of a member that is lost with its data",
     "MEMBER", kState | kEndpoints | kDryRun | kYes | kForce | kPeer, adm::member_replace,
     "From any live host; then `etcdadm join` on the new one. MEMBER is a name or an id."},
    {"member recover", "begin anew with what this host has, after a quorum was lost for good", "",
     kState | kStart | kYes | kDryRun, adm::member_recover, kRecoverFooter},
    {"member promote", "let a learner vote", "MEMBER", kState | kEndpoints | kDryRun,
     adm::member_promote, "MEMBER is a name or an id."},
    {"member move-leader", "let another member lead", "[MEMBER]", kState | kEndpoints | kDryRun,
     adm::move_leader, "Without MEMBER the healthy voter that is furthest ahead."},
    {"snapshot save", "save the cluster's data to a file, and check it", "FILE",
     kState | kEndpoints | kStore | kDryRun, adm::snapshot_save,
     "FILE may be s3://BUCKET/NAME, gs:// or azblob://; one that is there is not replaced. The "
     "file gets its name only once it was judged good; one that was there is kept as "
     "FILE.old."},
    {"snapshot status", "say whether a file is a good snapshot, and what is in it", "FILE",
     kFile | kStore, adm::snapshot_status, ""},
    {"snapshot verify", "say in one line whether a file is a good snapshot", "FILE", kFile | kStore,
     adm::snapshot_verify, "The exit code is 1 if it is not; the message says why."},
    {"snapshot list", "show the snapshots of a folder", "DIR", kStore, adm::snapshot_list,
     "DIR may be s3://BUCKET/FOLDER, gs:// or azblob://; files there are not looked into."},
    {"snapshot restore", "begin anew with what a snapshot holds", "FILE",
     kState | kRestore | kFile | kStore | kForce | kDryRun, adm::snapshot_restore, kRestoreFooter},
    {"certs list", "show the certificates that every member's etcd has in use", "",
     kState | kEndpoints, adm::certs_list,
     "By a handshake with each port. The exit code is 1 if one does not answer or has expired."},
    {"certs generate", "make the certificates that this host lacks, or those for another", "",
     kState | kNode | kOut | kDryRun, adm::certs_generate,
     "With --out it writes what a host needs that shall not have the authority's key."},
    {"certs rotate", "replace the cluster's authority, one phase of this host a time", "[URL]",
     kState | kToken | kTokenLife | kYes | kDryRun, adm::certs_rotate, kRotateFooter},
    {"certs check", "show the certificates of this host", "", kState | kWarn, adm::certs_check,
     "The exit code is 1 if one of them does not hold."},
    {"certs renew", "make new leaves for those that end soon", "", kState | kWithin | kDryRun,
     adm::certs_renew, "etcd reads them with its next handshakes; nothing is restarted."},
    {"token create", "make a token for a host that is to join, and print the command", "",
     kState | kTokenLife | kDryRun, adm::token_create,
     "The listener hands the authority to whoever shows the token, until no token is left. Five "
     "wrong ones close it; this command opens it again."},
    {"token serve", "be the listener: what `init` and `token create` start", "", kState,
     adm::token_serve, ""},
    {"upgrade plan", "show the way to another version of etcd, and whose turn it is", "[VERSION]",
     kState | kEndpoints, adm::upgrade_plan,
     "Without VERSION the newest patch of what runs, then the next minor. Nothing is changed."},
    {"upgrade apply", "take this host's step to another version of etcd", "[VERSION]",
     kState | kStart | kBackup | kYes | kDryRun, adm::upgrade_apply, kUpgradeFooter},
    {"adopt", "look after an etcd that runs here and was started by other means, without a restart",
     "", kState | kAdopt | kStart | kYes | kDryRun, adm::adopt, kAdoptFooter},
    {"doctor", "find what is wrong on this host and in its cluster, and say what mends it", "",
     kState | kEndpoints, adm::doctor, "The exit code is 1 if something is wrong."},
    {"defrag", "let members give free pages back to the disk, one after the other", "[MEMBER]",
     kState | kEndpoints | kDryRun, adm::defrag,
     "A member does not answer meanwhile. The leader comes last; a version that may lose data by "
     "it "
     "is refused."},
    {"download", "put a version of etcd into the cache", "", kVersion | kDownload | kDryRun,
     adm::download, ""},
    {"completion", "print the completion of commands and flags for a shell", "SHELL", 0, completion,
     "SHELL is bash, zsh or fish; the first lines of the output say where it belongs."},
    {"version", "print the version of this program", "", 0, no_command, ""},
    {"reference", "", "DIR", 0, no_command, ""},
}};

// Everything that the parser fills; one for each command, as their defaults differ.
struct Slot {
  const Row* row = nullptr;
  Flags flags;
  Output output = Output::kText;
  bool is_short = false;
  CLI::App* app = nullptr;
};

std::string environment_of(std::string name) {
  for (char& c : name) c = c == '-' ? '_' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  return "ETCDADM_" + name;
}

template <class T>
CLI::Option* option(CLI::App& app, const std::string& name, T& to, const char* type,
                    const std::string& text) {
  return app.add_option("--" + name, to, text)
      ->capture_default_str()
      ->envname(environment_of(name))
      ->type_name(type);
}

void flag(CLI::App& app, const std::string& name, bool& to, const std::string& text) {
  app.add_flag("--" + name, to, text)->envname(environment_of(name));
}

void add_node(CLI::App& app, Flags& f) {
  option(app, "name", f.name, "NAME", "of the member (default: the host's)");
  option(app, "bind-address", f.bind_address, "ADDRESS",
         "where the member listens (default: that of the default route)");
  option(app, "server-cert-extra-sans", f.extra_sans, "NAME,...",
         "more names and addresses for the certificates")
      ->delimiter(',');
  option(app, "certs-dir", f.certs_dir, "DIR", "the certificates folder");
  option(app, "install-dir", f.install_dir, "DIR", "where the programs are put");
  option(app, "data-dir", f.data_dir, "DIR", "the data: etcd's own is in DIR/data");
  option(app, "config-dir", f.config_dir, "DIR", "where etcdctl.env is written");
  option(app, "unit-dir", f.unit_dir, "DIR", "where etcd.service is written");
  option(app, "init-system", f.init_system, "NAME", "systemd, kubelet or none");
  option(app, "user", f.user, "NAME",
         "systemd: who etcd runs as (default: etcd, if this host has that user, else root)");
  option(app, "image-repository", f.image_repository, "IMAGE",
         "kubelet: etcd's image without its tag, which is v and the version");
  option(app, "kubelet-pod-manifest-path", f.manifest_dir, "DIR",
         "kubelet: where etcd.manifest is written, its staticPodPath");
  option(app, "disk-priorities", f.disk_priorities, "LINE,...", "for the unit")->delimiter(',');
  option(app, "client-port", f.client_port, "PORT", "for clients");
  option(app, "peer-port", f.peer_port, "PORT", "for members");
  option(app, "metrics-port", f.metrics_port, "PORT", "for metrics, on this host only");
  option(app, "start-timeout", f.start_timeout, "DURATION", "how long etcd may take to serve");
  option(app, "retry", f.retry, "BOOL", "join: ask again while the cluster takes no new member");
}

void add_adopt(CLI::App& app, Flags& f) {
  option(app, "pid", f.pid, "PID", "of that etcd (default: the only one that runs here)");
  option(app, "client-cert-file", f.client_cert, "FILE",
         "a client certificate to ask it with (default: of the certificates folder, else its own)");
  option(app, "client-key-file", f.client_key, "FILE", "the key of that");
  option(app, "certs-dir", f.certs_dir, "DIR", "where its certificates are copied to");
  option(app, "install-dir", f.install_dir, "DIR", "where the programs are put");
  option(app, "config-dir", f.config_dir, "DIR", "where etcdctl.env is written");
  option(app, "unit-dir", f.unit_dir, "DIR", "where etcd.service is written");
  option(app, "cache-dir", f.cache_dir, "DIR", "where versions of etcd are kept and looked for");
  option(app, "init-system", f.init_system, "NAME", "systemd or none");
  flag(app, "restart", f.restart, "start it anew, under its guard, if the others are a quorum");
}

void add_download(CLI::App& app, Flags& f) {
  option(app, "release-url", f.release_url, "URL",
         "where archives of etcd are got from (default: etcd's own releases)");
  option(app, "cache-dir", f.cache_dir, "DIR", "where versions of etcd are kept and looked for");
  option(app, "download-connect-timeout", f.download_connect_timeout, "DURATION",
         "accepted for the retired tool's sake");
}

void add_store(CLI::App& app, Flags& f) {
  option(app, "store-endpoint", f.store_endpoint, "URL", "of the object store, if not its usual");
  option(app, "store-region", f.store_region, "NAME", "of an S3 store");
  flag(app, "store-path-style", f.store_path_style, "S3: the bucket is a part of the path");
  option(app, "store-storage-class", f.store_class, "NAME", "S3: of what is written");
  option(app, "store-server-side-encryption", f.store_encryption, "MODE",
         "S3: of what is written: AES256, aws:kms or aws:kms:dsse");
  option(app, "store-sse-kms-key-id", f.store_kms_key, "KEY",
         "S3: the key of aws:kms and aws:kms:dsse");
  option(app, "store-ca", f.store_ca, "FILE", "roots of the store's certificate");
  option(app, "store-secret", f.store_secret, "DIR",
         "files with credentials (default: those of the environment)");
  option(app, "scratch", f.scratch, "DIR",
         "where a file is kept on its way (default: $TMPDIR or /var/tmp)");
}

void add_flags(CLI::App& app, Slot& slot) {
  const unsigned has = slot.row->has;
  Flags& f = slot.flags;
  if (has & kState) option(app, "state-dir", f.state_dir, "DIR", "what etcdadm keeps of this host");
  if (has & kNode) add_node(app, f);
  if (has & kVersion)
    option(app, "version", f.version, "VERSION",
           std::string("of etcd (default: ") + adm::kDefaultVersion +
               "; join: what the cluster runs)");
  if (has & (kNode | kDownload)) add_download(app, f);
  if (has & kOut)
    option(app, "out", f.out, "DIR", "write for the host of --name and --bind-address into it");
  if (has & kToken) {
    option(app, "token", f.token, "ID.SECRET", "fetch the cluster's authority with this");
    option(app, "token-file", f.token_file, "FILE", "the same, from a file");
    option(app, "ca-cert-hash", f.ca_hash, "sha256:HEX", "by which the cluster is known");
  }
  if (has & kTokenLife)
    option(app, "token-ttl", f.token_ttl, "DURATION",
           "how long hosts may use the token, at most 24h; init: 0 makes none");
  if (has & (kToken | kTokenLife))
    option(app, "token-port", f.token_port, "PORT", "where the listener for them is");
  if (has & kStart) {
    option(app, "start-timeout", f.start_timeout, "DURATION",
           "how long etcd may take to serve, and the cluster to be ready");
    option(app, "release-url", f.release_url, "URL",
           "where archives of etcd are got from (default: etcd's own releases)");
  }
  if (has & kPeer)
    option(app, "peer-url", f.peer_url, "URL",
           "of the new member: it is put into the list at once (default: join does that)");
  if (has & kAdopt) add_adopt(app, f);
  if (has & kBackup)
    option(app, "backup-dir", f.backup_dir, "DIR",
           "where the snapshot is saved (default: backups in the state directory)");
  if (has & kSnapshotIn) {
    option(app, "snapshot", f.snapshot, "FILE", "begin with what this snapshot holds");
    flag(app, "skip-hash-check", f.skip_hash_check,
         "the snapshot is a copy of a member's file and has no check sum");
  }
  if (has & kEndpoints)
    option(app, "endpoints", f.endpoints, "URL,...",
           "client URLs to ask in place of this host's cluster as last seen");
  if (has & kReset) {
    flag(app, "skip-remove-member", f.skip_remove_member, "leave the member in the cluster's list");
    flag(app, "keep-config", f.keep_config, "keep the settings, certificates and programs");
    flag(app, "delete-data", f.delete_data, "delete the data instead of moving it aside");
  }
  if (has & kRestore)
    option(app, "data-dir", f.data_dir, "DIR", "where to (default: the configured one)")
        ->default_str("")
        ->each([&f](const std::string&) { f.data_dir_given = true; });
  if (has & kFile)
    flag(app, "member-file", f.member_file,
         "the file is a member's own member/snap/db, which has no check sum at its end");
  if (has & kStore) add_store(app, f);
  if (has & kWarn)
    option(app, "warn", f.limit, "DURATION", "who ends within it is SOON (default: 30d)");
  if (has & kWithin)
    option(app, "within", f.limit, "DURATION", "who ends within it is renewed (default: 122d)");
  if (has & kForce)
    flag(app, "force", f.force,
         (has & kPeer) != 0 ? "replace it although it is alive"
                            : "move data that is in the way aside, and keep it");
  if (has & kYes) flag(app, "yes", f.yes, "do not ask");
  if (has & kDryRun) flag(app, "dry-run", f.dry_run, "say what would be done, and change nothing");
}

void add_subject(CLI::App& app, Slot& slot) {
  std::string name = slot.row->subject;
  if (name.empty()) return;
  const bool optional = name.front() == '[';
  if (optional) name = name.substr(1, name.size() - 2);
  auto* argument = app.add_option(name, slot.flags.subject, "")->type_name("");
  // Where a phase may stand in its place, its absence is told after the parse.
  if (!optional && (slot.row->has & kPhase) == 0) argument->required();
}

void add_phase(CLI::App& app, Slot& slot) {
  auto& phase = *app.add_subcommand("phase", "do one step of it alone");
  phase.fallthrough();
  phase.footer("");
  phase.add_option("NAME", slot.flags.phase, "")->required()->type_name("");
  if (*slot.row->subject != '\0')
    phase.add_option(slot.row->subject, slot.flags.subject, "")->type_name("");
}

const char* group_text(const std::string& group) {
  if (group == "member") return "the members of the cluster";
  if (group == "upgrade") return "other versions of etcd, host by host";
  if (group == "snapshot") return "files that hold a cluster's data";
  if (group == "token") return "how hosts that join get the cluster's authority";
  return "the certificates of this host";
}

struct Parser {
  CLI::App root{"Builds, grows, backs up and restores etcd clusters on hosts.", "etcdadm"};
  std::vector<std::unique_ptr<Slot>> slots;
  std::string log_level = "info", fault_point;

  Parser() {
    root.require_subcommand(1);
    root.set_version_flag("--version", "etcdadm " EO_VERSION);
    root.add_option("-l,--log-level", log_level, "info, or error: without the words on progress")
        ->check(CLI::IsMember({"debug", "info", "warn", "error"}))
        ->type_name("LEVEL");
    root.add_option("--fault-point", fault_point, "")->group("");
    root.footer(
        "etcdadm COMMAND --help says more about each. Every flag can be given by the environment: "
        "--data-dir is ETCDADM_DATA_DIR.");
    for (const Row& row : kRows) add(row);
  }

 private:
  std::map<std::string, CLI::App*> groups_;

  void add(const Row& row) {
    const std::string verb = row.verb;
    const auto blank = verb.find(' ');
    CLI::App* parent = &root;
    if (blank != std::string::npos) {
      const std::string group = verb.substr(0, blank);
      parent = groups_[group];
      if (parent == nullptr) {
        parent = groups_[group] = root.add_subcommand(group, group_text(group));
        parent->require_subcommand(1);
        parent->fallthrough();
      }
    }
    slots.push_back(std::make_unique<Slot>());
    Slot& slot = *slots.back();
    slot.row = &row;
    slot.app =
        parent->add_subcommand(verb.substr(blank == std::string::npos ? 0 : blank + 1), row.text);
    slot.app->fallthrough();
    slot.app->footer(row.footer);
    if (verb == "reference") slot.app->group("");
    if (verb == "version") slot.app->add_flag("--short", slot.is_short, "the number alone");
    add_subject(*slot.app, slot);
    add_flags(*slot.app, slot);
    if (row.run != no_command || verb == "version") add_output(*slot.app, slot.output);
    if (row.has & kPhase) add_phase(*slot.app, slot);
  }
};

}  // namespace

AdmLine parse_etcdadm(int argc, const char* const* argv) {
  Parser parser;
  AdmLine out;
  try {
    parser.root.parse(argc, argv);
  } catch (const CLI::Success& done) {
    out.exit = parser.root.exit(done);
    return out;
  } catch (const CLI::ParseError& error) {
    parser.root.exit(error);
    out.exit = kBadInput;
    return out;
  }
  for (const auto& slot : parser.slots) {
    if (!slot->app->parsed()) continue;
    out.verb = slot->row->verb;
    out.flags = slot->flags;
    for (const auto* option : slot->app->get_options())
      if (option->count() > 0) out.flags.given.insert(option->get_name(false, false).substr(2));
    out.output = slot->output;
    out.log_level = parser.log_level;
    out.fault_point = parser.fault_point;
    if (out.verb == "reference") out.reference_folder = slot->flags.subject;
    if (slot->row->run != no_command) out.run = slot->row->run;
    if (out.verb == "version")
      fmt::print("{}\n", slot->output == Output::kJson   ? "{\"version\": \"" EO_VERSION "\"}"
                         : slot->output == Output::kYaml ? "version: \"" EO_VERSION "\""
                         : slot->is_short                ? EO_VERSION
                                                         : "etcdadm " EO_VERSION);
  }
  if (out.run == adm::join && out.flags.subject.empty()) {
    fmt::print(stderr, "URL is required\nRun with --help for more information.\n");
    out.run = nullptr;
    out.exit = kBadInput;
  }
  return out;
}

void with_etcdadm(const std::function<void(const CLI::App&)>& use) {
  const Parser parser;
  use(parser.root);
}

std::string etcdadm_reference() {
  const Parser parser;
  std::string out =
      "# Commands of etcdadm\n\nGenerated by `etcdadm reference`; do not edit.\n\nEvery flag can "
      "also be given by the environment: `--data-dir` is `ETCDADM_DATA_DIR`. "
      "`-l error` before or after a command leaves out the words on progress.\n";
  for (const auto* app : parser.root.get_subcommands([](const CLI::App*) { return true; }))
    if (!app->get_group().empty()) put_command(*app, "etcdadm", app->get_name(), out);
  return out;
}

}  // namespace bin
