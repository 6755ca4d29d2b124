// The certificates of one cluster as files: two authorities, a server and a peer leaf for each
// member, our own client certificate and the users'. Keys are in files of mode 0600 only.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "api/cluster.h"
#include "base/fact.h"
#include "base/result.h"
#include "base/time.h"
#include "drivers/host/layout.h"
#include "drivers/host/user_certificates.h"
#include "etcd/api.h"
#include "pki/issue.h"
#include "plan/record.h"

namespace host {

struct LeafDates {
  base::Instant renew_at{}, expires{};
  bool operator==(const LeafDates&) const = default;
};

// Who signs and who is trusted: the present authority, and while a new one comes in, both.
struct Authority {
  std::string trusted;  // one certificate or two
  pki::Pair signer;
};

// For one thread at a time.
class Certificates {
 public:
  Certificates(ClusterFiles cluster, const base::Clock& clock)
      : cluster_(std::move(cluster)), files_(pki_files(cluster_)), clock_(clock) {}

  // Of the calls that follow: whose certificates these are, and how far new authorities have come
  // in.
  void set_record(const plan::Record& record);
  // Which file of an authority is missing while something in force is of it, and what to do; empty:
  // none. Nothing is made in its place.
  [[nodiscard]] std::string authority_problem(const std::string& incarnation) const;

  // Also of the calls that follow. With the user's own, `members` are those that exist: what comes
  // in must get on with what each of them has. An error: what is there stays, nothing is made.
  void set_own();
  void set_users(base::Result<UserCertificates> users, const std::vector<MemberFiles>& members);
  // Why what the Secrets hold does not come in; empty: nothing is in the way.
  [[nodiscard]] const std::string& user_problem() const { return user_problem_; }
  struct Change {
    bool leaf = false, trust = false;
  };
  // What would take the place of what this member has.
  Change user_change(const MemberFiles& member);
  bool client_change(const api::Tls& tls);

  // What is absent is made; what is there stays.
  base::Status prepare_member(const api::Tls& tls, const std::string& name,
                              const MemberFiles& member, const std::string& incarnation);
  // New leaves, whatever is there.
  base::Status renew_member(const api::Tls& tls, const std::string& name, const MemberFiles& member,
                            const std::string& incarnation);
  base::Status prepare_operator(const api::Tls& tls);
  base::Status renew_clients(
      const api::Tls& tls, const std::string& incarnation);  // ours, and the users' once published
  base::Status publish(const api::Tls& tls);
  base::Status prepare_peer_ca(const std::string& incarnation);

  // Of the leaf that ends first. Absent: the member has none.
  base::Fact<LeafDates> member_dates(const MemberFiles& member);
  // When the authority that ends first is due; absent: there is none.
  base::Fact<base::Instant> authority_renew_at(const std::string& incarnation);
  base::Fact<LeafDates> client_dates(const api::Tls& tls);
  [[nodiscard]] bool published() const;
  // How we dial the members; empty when the cluster speaks plain text.
  base::Result<etcd::Tls> operator_tls(const api::Tls& tls);

 private:
  // user_places.cc
  struct Allowed {
    bool server = false, server_trust = false, client = false, client_trust = false, peer = false,
         peer_trust = false;
  };
  void judge_users(const std::vector<MemberFiles>& members);
  base::Status place_operator();
  base::Status place_client();
  base::Status place_member(const api::Tls& tls, const std::string& name, const MemberFiles& member,
                            const std::string& incarnation, bool anew);
  base::Status place_own_server(const api::Tls& tls, const std::string& name, const LeafFiles& to,
                                bool anew);
  base::Status place_own_peer(const api::Tls& tls, const std::string& name, const LeafFiles& to,
                              const std::string& incarnation, bool anew);
  [[nodiscard]] bool is_users() const { return users_ || users_missing_; }
  // lost_authority.cc. One of our authorities: where it is, and how it is called.
  struct Place {
    std::string file, name;
    std::string next_stem;  // its successors' names begin so
    bool peers = false;
    [[nodiscard]] bool is_of(const std::string& common_name) const;
  };
  [[nodiscard]] Place client_place() const;
  [[nodiscard]] Place peer_place(const std::string& incarnation) const;
  [[nodiscard]] base::Status may_begin(const Place& place) const;
  [[nodiscard]] base::Status may_begin_next(const Place& place) const;
  [[nodiscard]] base::Result<std::string> trace_of(const Place& place) const;
  [[nodiscard]] base::Result<std::string> trusted_by_members() const;
  [[nodiscard]] bool is_in_order(const MemberFiles& member, const std::string& incarnation) const;

  base::Status begin(const Place& place) const;
  base::Status begin_next(const Place& place) const;
  base::Result<Authority> authority(const Place& place);
  base::Result<Authority> client_authority();
  base::Result<Authority> peer_authority(const std::string& incarnation);
  base::Status complete_member(const api::Tls& tls, const std::string& name,
                               const MemberFiles& member, const std::string& incarnation);
  base::Status issue(const api::Tls& tls, const Authority& by, const std::string& to,
                     const std::string& common_name);
  base::Fact<LeafDates> dates(const std::string& file);

  const ClusterFiles cluster_;
  const PkiFiles files_;
  const base::Clock& clock_;
  plan::RotationPhase phase_ = plan::RotationPhase::kNone;
  bool latched_ = false;             // the cluster was formed: its members may run and hold data
  std::vector<LeafFiles> in_force_;  // of each member that counts
  std::optional<UserCertificates> users_;
  bool users_missing_ = false;  // they are wanted and cannot be had: user_problem_ says why
  std::string user_problem_;
  Allowed allowed_;
  struct Read {
    std::uint64_t inode = 0;
    base::Instant modified{};
    LeafDates dates;
  };
  std::map<std::string, Read> read_;  // by file
};

}  // namespace host
