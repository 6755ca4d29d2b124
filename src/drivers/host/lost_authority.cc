// An authority whose file went while leaves of it are in force. A member reads whom it trusts when
// it starts, and its leaf at every handshake: leaves of an authority that replaces one which only
// got lost would cut every member that runs off from all others, and from us.
#include <fmt/format.h>

#include <algorithm>

#include "drivers/host/certificates.h"
#include "pki/cert.h"
#include "posix/files.h"

namespace host {
namespace {

constexpr size_t kLimit = size_t{1} << 20;

// Empty: there is no such file. What is there and cannot be read is an error: it may be in force.
base::Result<std::vector<pki::Certificate>> certificates_in(const std::string& file) {
  const auto text = posix::read_file(file, kLimit);
  if (!text && text.error().code == base::Code::kNotFound) return std::vector<pki::Certificate>();
  if (!text) return std::unexpected(text.error());
  return pki::parse_bundle(*text);
}

std::string way_out(const std::string& file) {
  return fmt::format(
      "Put {} back from a backup; if it is lost for good, see CertificateRenewal in "
      "the runbook",
      file);
}

}  // namespace

bool Certificates::Place::is_of(const std::string& common_name) const {
  return common_name == name || common_name.starts_with(next_stem);
}

Certificates::Place Certificates::client_place() const {
  return {files_.client_ca, "etcd-client-ca", "etcd-client-ca-", false};
}

Certificates::Place Certificates::peer_place(const std::string& incarnation) const {
  return {peer_ca_file(cluster_, incarnation), "etcd-peer-ca-" + incarnation.substr(0, 40),
          "etcd-peer-ca-" + incarnation.substr(0, 30) + "-", true};
}

void Certificates::set_record(const plan::Record& record) {
  phase_ = record.rotation.phase;
  latched_ = record.formation == plan::Formation::kLatched;
  in_force_.clear();
  for (const auto& [name, member] : record.members)
    if (member.phase != plan::Phase::kRetired && member.phase != plan::Phase::kSurvivor)
      in_force_.push_back(leaf_files(cluster_, name));
}

// The first file that holds a leaf of this authority, or names it among those that are trusted;
// empty: none does.
base::Result<std::string> Certificates::trace_of(const Place& place) const {
  std::vector<std::string> leaves, lists;
  if (!place.peers) leaves.push_back(files_.operator_leaf);
  for (const auto& member : in_force_) {
    leaves.push_back(place.peers ? member.peer : member.server);
    lists.push_back(place.peers ? member.peer_ca : member.client_ca);
  }
  for (const auto& file : leaves) {
    TRY_IN(file, const auto found, certificates_in(file));
    if (!found.empty() && place.is_of(found.front().issuer_common_name)) return file;
  }
  for (const auto& file : lists) {
    TRY_IN(file, const auto found, certificates_in(file));
    if (std::ranges::any_of(found, [&](const auto& c) { return place.is_of(c.common_name); }))
      return file;
  }
  return std::string();
}

base::Status Certificates::may_begin(const Place& place) const {
  if (!latched_) return {};
  const auto trace = trace_of(place);
  if (!trace)
    return base::fail(base::Code::kFailedPrecondition,
                      fmt::format("the authority in {} is gone, and what is in force may be of it "
                                  "({}). {}",
                                  place.file, trace.error().message, way_out(place.file)));
  if (trace->empty()) return {};
  return base::fail(base::Code::kFailedPrecondition,
                    fmt::format("the authority in {} is gone, and {} is of it: members that run "
                                "would trust no other. {}",
                                place.file, *trace, way_out(place.file)));
}

// In the first phase no member trusts the one that comes in.
base::Status Certificates::may_begin_next(const Place& place) const {
  if (!latched_ || phase_ == plan::RotationPhase::kPrepare) return {};
  const std::string next = next_file(place.file);
  TRY_IN(place.file, const auto present, certificates_in(place.file));
  if (present.empty()) return {};  // told by may_begin
  for (const auto& member : in_force_) {
    const std::string& list = place.peers ? member.peer_ca : member.client_ca;
    TRY_IN(list, const auto trusted, certificates_in(list));
    const bool lost = std::ranges::any_of(trusted, [&](const auto& one) {
      return place.is_of(one.common_name) && one.fingerprint != present.front().fingerprint;
    });
    if (lost)
      return base::fail(
          base::Code::kFailedPrecondition,
          fmt::format("the authority in {} is gone in the midst of a rotation, and {} "
                      "names it: members trust no other new one. {}",
                      next, list, way_out(next)));
  }
  return {};
}

std::string Certificates::authority_problem(const std::string& incarnation) const {
  if (!latched_ || in_force_.empty() || incarnation.empty()) return {};
  for (const auto& place : {client_place(), peer_place(incarnation)}) {
    if (posix::exists(place.file) == base::Fact<bool>(false))
      if (const auto may = may_begin(place); !may) return may.error().message;
    const bool rotates =
        phase_ != plan::RotationPhase::kNone && phase_ != plan::RotationPhase::kDrop;
    if (rotates && posix::exists(next_file(place.file)) == base::Fact<bool>(false))
      if (const auto may = may_begin_next(place); !may) return may.error().message;
  }
  return {};
}

// It has leaves that hold, of this incarnation, and whom to trust: it can start.
bool Certificates::is_in_order(const MemberFiles& member, const std::string& incarnation) const {
  const LeafFiles at = leaf_files(member);
  const auto holds = [&](const std::string& leaf, const std::string& list, const Place& by) {
    const auto text = posix::read_file(leaf, kLimit), trusted = posix::read_file(list, kLimit);
    if (!text || !trusted || !pki::verify(*text, *trusted, clock_.now())) return false;
    const auto cert = pki::parse_certificate(*text);
    return cert && by.is_of(cert->issuer_common_name);
  };
  return holds(at.server, at.client_ca, client_place()) &&
         holds(at.peer, at.peer_ca, peer_place(incarnation));
}

// Whom the first member that tells it believes as a client's or a server's authority; empty: none
// tells.
base::Result<std::string> Certificates::trusted_by_members() const {
  for (const auto& member : in_force_) {
    auto text = posix::read_file(member.client_ca, kLimit);
    if (text) return text;
    if (text.error().code != base::Code::kNotFound) return text;
  }
  return std::string();
}

}  // namespace host
