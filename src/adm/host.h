// What this host is in its cluster, and where its files are. Written to host.json in the state
// directory before the act that needs it, so that a command that was killed can go on.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adm/flags.h"
#include "base/ids.h"
#include "base/result.h"
#include "drivers/host/layout.h"
#include "guard/files.h"
#include "json/value.h"

namespace adm {

// How far the member has come.
enum class Stage {
  kNone,     // configured only: it is in no cluster (before init or join, and after reset)
  kChosen,   // its identity is fixed, nothing of it ever ran
  kStarted,  // it may have run
  kMember    // its data counts: blank data is a loss from now on
};
std::string_view name_of(Stage stage);

// How the token of an adopted member's host begins.
inline constexpr std::string_view kAdoptedToken = "adopted-";

struct Host {
  // From the flags.
  std::string name, version, bind_address, init_system;
  std::string certs_dir, install_dir, data_dir, config_dir, unit_dir, cache_dir;
  std::string manifest_dir, image_repository;  // of the kubelet's pod
  std::string user;                            // who the unit runs etcd as; empty: root
  std::vector<std::string> extra_sans, disk_priorities;
  std::vector<std::string> options;  // more flags of etcd, "--name=value": of an adopted one
  unsigned client_port = 0, peer_port = 0, metrics_port = 0;
  // The member.
  Stage stage = Stage::kNone;
  guard::Permit permit = guard::Permit::kData;
  std::string token, volume, origin;
  base::ClusterId cluster_id;
  base::MemberId member_id;
  std::string restore_operation, restore_snapshot;
  // What its cluster began with: the file or the URL, and the SHA-256 of the database. Empty: with
  // nothing.
  std::string restored_from, restored_sha256;
  // Names and peer URLs of the cluster when this host joined it.
  std::vector<std::pair<std::string, std::string>> joined;
  // Client URLs of the cluster's members, as last seen: where it is asked when this host is down.
  std::vector<std::string> endpoints;

  [[nodiscard]] std::string client_url() const;
  [[nodiscard]] std::string peer_url() const;
  [[nodiscard]] std::string metrics_url() const;
  bool operator==(const Host&) const = default;
};

// The parts that flags decide; what the member is stays.
void configure(Host& host, const Flags& flags);

json::Value to_json(const Host& host);
base::Result<Host> host_from_json(const json::Value& value);

// Where things are.
struct Places {
  std::string state_dir;
  [[nodiscard]] std::string host_file() const { return state_dir + "/host.json"; }
  [[nodiscard]] std::string journal() const { return state_dir + "/journal.json"; }
  [[nodiscard]] std::string upgrade() const { return state_dir + "/upgrade.json"; }
  [[nodiscard]] std::string recovery() const { return state_dir + "/recovery"; }
  [[nodiscard]] std::string lock() const { return state_dir + "/lock"; }
  [[nodiscard]] std::string tokens() const { return state_dir + "/tokens.json"; }
  [[nodiscard]] std::string token_lock() const { return state_dir + "/token.lock"; }
  [[nodiscard]] std::string token_log() const { return state_dir + "/token.log"; }
  [[nodiscard]] std::string endpoints() const { return state_dir + "/endpoints"; }
  [[nodiscard]] std::string snapshot() const { return state_dir + "/restore.db"; }
  // The guard's folder. Its `volume` is a link to the data directory, which holds the marker of
  // whose it is beside etcd's own files in `data`.
  [[nodiscard]] std::string member() const { return state_dir + "/member"; }
  [[nodiscard]] host::MemberFiles member_files() const;
};

// By `adopt`: others made it, and it may run without its guard.
bool is_adopted(const Host& host);

// The settings, without the member: as before init or join.
Host bare(const Host& host);

// NotFound: this host was never configured.
base::Result<Host> load_host(const Places& places);
base::Status save_host(const Places& places, const Host& host);

}  // namespace adm
