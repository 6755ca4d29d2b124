#include "drivers/host/layout.h"

namespace host {

std::string Layout::tomb(const base::ClusterKey& key, int number) const {
  return clusters() + "/" + key.ns + "/.deleted-" + key.name + "-" + std::to_string(number);
}

std::string Layout::ended(const base::ClusterKey& key) const {
  return clusters() + "/" + key.ns + "/.ended-" + key.name;
}

std::string Layout::backups(const base::ClusterKey& key) const {
  // Names that are taken in the state directory; no namespace ends so.
  const std::string own = key.ns == "clusters" || key.ns == "lock" ? "_" : "";
  return root_ + "/" + key.ns + own + "/" + key.name + "/backups";
}

std::string Layout::backups_made(const base::ClusterKey& key) const {
  return clusters() + "/" + key.ns + "/.backups-" + key.name;
}

ClusterFiles Layout::cluster(const base::ClusterKey& key) const {
  const std::string dir = clusters() + "/" + key.ns + "/" + key.name;
  return {dir,
          dir + "/record",
          dir + "/status.json",
          dir + "/events.jsonl",
          dir + "/intent.json",
          dir + "/members",
          dir + "/pki",
          dir + "/recovery",
          dir + "/retained"};
}

MemberFiles Layout::member(const base::ClusterKey& key, const std::string& name) const {
  const std::string dir = cluster(key).members + "/" + name;
  const std::string volume = dir + "/volume";
  return {dir,    dir + "/ticket",    dir + "/state",   dir + "/verdict", dir + "/member.lock",
          volume, volume + "/marker", volume + "/data", dir + "/tls",     dir + "/log"};
}

PkiFiles pki_files(const ClusterFiles& cluster) {
  const std::string user = cluster.pki + "/client";
  return {cluster.pki + "/client-ca.pem",
          cluster.pki + "/operator.pem",
          user,
          user + "/ca.crt",
          user + "/client.crt",
          user + "/client.key",
          cluster.pki + "/server-ca.crt",
          cluster.pki + "/published"};
}

std::string peer_ca_file(const ClusterFiles& cluster, const std::string& incarnation) {
  return cluster.pki + "/peer-ca-" + incarnation + ".pem";
}

std::string next_file(const std::string& ca_file) {
  return ca_file + ".next";
}

namespace {

LeafFiles leaf_files_in(const std::string& tls) {
  return {tls + "/server.pem", tls + "/peer.pem", tls + "/client-ca.crt", tls + "/peer-ca.crt"};
}

}  // namespace

LeafFiles leaf_files(const MemberFiles& member) {
  return leaf_files_in(member.tls);
}

LeafFiles leaf_files(const ClusterFiles& cluster, const std::string& member) {
  return leaf_files_in(cluster.members + "/" + member + "/tls");
}

RecoveryFiles recovery_files(const ClusterFiles& cluster, const std::string& operation) {
  const std::string dir = cluster.recovery + "/" + operation;
  return {dir,
          dir + "/snapshot.db",
          dir + "/bound",
          dir + "/copy",
          dir + "/exported",
          dir + "/fenced",
          dir + "/running",
          dir + "/told",
          dir + "/usable"};
}

}  // namespace host
