// The certificates of one cluster as files: two authorities, a server and a peer leaf for each
// member, our own client certificate and the users'. Keys are in files of mode 0600 only.
#pragma once

#include <map>
#include <string>

#include "api/cluster.h"
#include "base/fact.h"
#include "base/result.h"
#include "base/time.h"
#include "drivers/host/layout.h"
#include "etcd/api.h"

namespace host {

struct LeafDates {
  base::Instant renew_at{}, expires{};
  bool operator==(const LeafDates&) const = default;
};

// For one thread at a time.
class Certificates {
 public:
  Certificates(ClusterFiles cluster, const base::Clock& clock)
      : cluster_(std::move(cluster)), files_(pki_files(cluster_)), clock_(clock) {}

  // What is absent is made; what is there stays.
  base::Status prepare_member(const api::Tls& tls, const std::string& name,
                              const MemberFiles& member, const std::string& incarnation);
  // New leaves, whatever is there.
  base::Status renew_member(const api::Tls& tls, const std::string& name, const MemberFiles& member,
                            const std::string& incarnation);
  base::Status prepare_operator(const api::Tls& tls);
  base::Status renew_clients(const api::Tls& tls);  // ours, and the users' once published
  base::Status publish(const api::Tls& tls);
  base::Status prepare_peer_ca(const std::string& incarnation);

  // Of the leaf that ends first. Absent: the member has none.
  base::Fact<LeafDates> member_dates(const MemberFiles& member);
  base::Fact<LeafDates> client_dates(const api::Tls& tls);
  [[nodiscard]] bool published() const;
  // How we dial the members; empty when the cluster speaks plain text.
  base::Result<etcd::Tls> operator_tls(const api::Tls& tls);

 private:
  base::Status issue(const api::Tls& tls, const std::string& ca_file, const std::string& to,
                     const std::string& common_name);
  base::Fact<LeafDates> dates(const std::string& file);

  const ClusterFiles cluster_;
  const PkiFiles files_;
  const base::Clock& clock_;
  struct Read {
    std::uint64_t inode = 0;
    base::Instant modified{};
    LeafDates dates;
  };
  std::map<std::string, Read> read_;  // by file
};

}  // namespace host
