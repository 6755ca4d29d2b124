// Where everything is under the state directory; platform.h says what it is.
#pragma once

#include <string>

#include "base/ids.h"
#include "drivers/host/platform.h"

namespace host {

struct MemberFiles {
  std::string dir, ticket, state, verdict, lock, volume, marker, data, tls, log;
};

class Layout {
 public:
  explicit Layout(std::string state_dir) : root_(std::move(state_dir)) {}

  [[nodiscard]] const std::string& root() const { return root_; }
  [[nodiscard]] std::string lock() const { return root_ + "/lock"; }
  [[nodiscard]] std::string clusters() const { return root_ + "/clusters"; }
  // What a deletion leaves of a cluster until it is removed; no name of a cluster begins with a
  // dot.
  [[nodiscard]] std::string tomb(const base::ClusterKey& key, int number) const;
  // What the same name may never use again (tombs.h). Not in its folder, which is gone by then.
  [[nodiscard]] std::string ended(const base::ClusterKey& key) const;
  // Of a cluster that names no other place. Not below the cluster's folder: backups stay when that
  // is deleted.
  [[nodiscard]] std::string backups(const base::ClusterKey& key) const;
  // That this folder was made once. Not in it, nor in the cluster's: it outlives both.
  [[nodiscard]] std::string backups_made(const base::ClusterKey& key) const;
  [[nodiscard]] ClusterFiles cluster(const base::ClusterKey& key) const;
  [[nodiscard]] MemberFiles member(const base::ClusterKey& key, const std::string& name) const;

 private:
  std::string root_;
};

// Certificates of one cluster. A leaf file holds its certificate and its key, so that one rename
// replaces both and no reader ever sees a pair that does not match.
struct PkiFiles {
  std::string client_ca;                     // CA of clients and servers, with its key
  std::string operator_leaf;                 // our own client certificate
  std::string user_dir;                      // what users get: the next three
  std::string user_ca, user_cert, user_key;  // published together
  std::string server_ca;                     // whom our client believes; the user's, else absent
  std::string published;                     // exists once the cluster is open to clients
};
PkiFiles pki_files(const ClusterFiles& cluster);
// Each incarnation has its own, so that members of an older one are not trusted.
std::string peer_ca_file(const ClusterFiles& cluster, const std::string& incarnation);
// Of the authority in this file: the one that comes in, until it is the only one.
std::string next_file(const std::string& ca_file);

struct LeafFiles {
  std::string server, peer, client_ca, peer_ca;
};
LeafFiles leaf_files(const MemberFiles& member);
LeafFiles leaf_files(const ClusterFiles& cluster, const std::string& member);

struct RecoveryFiles {
  std::string dir, snapshot, bound, copy;
  // Exist: the snapshot is of the whole log; nothing of the old incarnation runs after it. Both say
  // of what it is.
  std::string exported, fenced;
  // Of a snapshot that was taken while the survivor ran: of what it is; what a person was told that
  // it lacks; exists: it may be used without the volume.
  std::string running, told, usable;
};
RecoveryFiles recovery_files(const ClusterFiles& cluster, const std::string& operation);

}  // namespace host
