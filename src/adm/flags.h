// What the commands of etcdadm are given, as values. Names and defaults of the flags are the
// retired tool's where it had them.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/time.h"

namespace adm {

struct Flags {
  // Of every command that acts on this host.
  std::string state_dir = "/var/lib/etcdadm";
  bool dry_run = false, yes = false, force = false;

  // init and join.
  std::string name;     // empty: the host's
  std::string version;  // empty: init: kDefaultVersion; join: what the cluster runs
  std::string release_url;
  std::string certs_dir = "/etc/etcd/pki";
  std::string bind_address;  // empty: of the default route
  std::vector<std::string> extra_sans;
  std::string install_dir = "/opt/bin/";
  std::string data_dir = "/var/lib/etcd";
  std::string config_dir = "/etc/etcd";
  std::string unit_dir = "/etc/systemd/system";
  std::string cache_dir = "/var/cache/etcdadm/etcd";
  std::string init_system = "systemd";
  std::string user;  // of the unit; empty: `etcd` if the host has it
  std::string snapshot;
  bool skip_hash_check = false;
  std::string download_connect_timeout = "10s";
  std::vector<std::string> disk_priorities = {"Nice=-10", "IOSchedulingClass=best-effort",
                                              "IOSchedulingPriority=2"};
  std::string image_repository = "quay.io/coreos/etcd";
  std::string manifest_dir = "/etc/kubernetes/manifests";
  bool retry = true;
  unsigned client_port = 2379, peer_port = 2380, metrics_port = 2381;
  std::string start_timeout = "5m";
  // How a host that joins gets the authority.
  std::string token, token_file, ca_hash;
  unsigned token_port = 2378;
  std::string token_ttl = "30m";
  std::string out;    // certs generate: the folder, for another host
  std::string phase;  // of `init phase NAME` and `join phase NAME`; empty: all

  // reset.
  bool skip_remove_member = false, keep_config = false, delete_data = false;

  std::string backup_dir;  // upgrade apply; empty: backups in the state directory

  std::string peer_url;  // member replace: of the new member; empty: join says it

  // adopt.
  unsigned pid = 0;                     // 0: the only etcd that runs here
  std::string client_cert, client_key;  // to ask the member with; empty: its own server pair
  bool restart = false;

  // What the command is about: a URL, a file, a folder, a member.
  std::string subject;
  std::string subject_url;  // where the file `subject` was fetched from; empty: it was not
  // Where the cluster is asked, when not on this host; commas between several.
  std::string endpoints;
  std::string limit;  // certs renew --within, certs check --warn
  // Snapshots in an object store.
  std::string store_endpoint, store_region, store_ca, store_secret, scratch;
  std::string store_class, store_encryption, store_kms_key;  // of what is written, on S3
  bool store_path_style = false;
  bool member_file = false;  // snapshot status: a file without a check sum at its end
  bool data_dir_given = false;
  // The names of those that a person gave, on the line or by the environment: "data-dir".
  std::set<std::string> given;
};

inline constexpr const char* kDefaultVersion = "3.5.33";

}  // namespace adm
