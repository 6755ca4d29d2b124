#include "plan/action.h"

#include <type_traits>

#include "base/text.h"

namespace plan {
namespace {

template <class A>
std::string_view name() {
  if constexpr (std::is_same_v<A, PrepareMember>) return "PrepareMember";
  if constexpr (std::is_same_v<A, StartMember>) return "StartMember";
  if constexpr (std::is_same_v<A, WriteTicket>) return "WriteTicket";
  if constexpr (std::is_same_v<A, IssueCertificates>) return "IssueCertificates";
  if constexpr (std::is_same_v<A, OpenToClients>) return "OpenToClients";
  if constexpr (std::is_same_v<A, FetchBinary>) return "FetchBinary";
  if constexpr (std::is_same_v<A, PutAside>) return "PutAside";
  if constexpr (std::is_same_v<A, DeleteCluster>) return "DeleteCluster";
  if constexpr (std::is_same_v<A, DiscardFormation>) return "DiscardFormation";
  if constexpr (std::is_same_v<A, StopMember>) return "StopMember";
  if constexpr (std::is_same_v<A, AddLearner>) return "AddLearner";
  if constexpr (std::is_same_v<A, PromoteMember>) return "PromoteMember";
  if constexpr (std::is_same_v<A, RemoveMember>) return "RemoveMember";
  if constexpr (std::is_same_v<A, MoveLeader>) return "MoveLeader";
  if constexpr (std::is_same_v<A, Compact>) return "Compact";
  if constexpr (std::is_same_v<A, Defragment>) return "Defragment";
  if constexpr (std::is_same_v<A, DisarmAlarm>) return "DisarmAlarm";
  if constexpr (std::is_same_v<A, AdvanceLog>) return "AdvanceLog";
  if constexpr (std::is_same_v<A, RewriteMembers>) return "RewriteMembers";
  if constexpr (std::is_same_v<A, SnapshotSurvivor>) return "SnapshotSurvivor";
  if constexpr (std::is_same_v<A, ExportSurvivor>) return "ExportSurvivor";
  if constexpr (std::is_same_v<A, NewPeerAuthority>) return "NewPeerAuthority";
  if constexpr (std::is_same_v<A, StartBackup>) return "StartBackup";
  if constexpr (std::is_same_v<A, StartDrill>) return "StartDrill";
  if constexpr (std::is_same_v<A, FetchBackup>) return "FetchBackup";
  if constexpr (std::is_same_v<A, StartFollower>) return "StartFollower";
  if constexpr (std::is_same_v<A, EndFollower>) return "EndFollower";
}

// What follows the name in a transcript, each with a blank before it.
struct Arguments {
  std::string operator()(const IssueCertificates& a) const {
    std::string out;
    for (const auto& member : a.members) out += " " + member;
    return a.client ? out + " client" : out;
  }
  std::string operator()(const OpenToClients&) const { return {}; }
  std::string operator()(const FetchBinary& a) const { return " " + a.version; }
  std::string operator()(const PutAside& a) const {
    return " " + a.member + (a.delete_data ? " delete" : " keep");
  }
  std::string operator()(const DeleteCluster& a) const {
    return a.delete_data ? " delete" : " keep";
  }
  std::string operator()(const DiscardFormation&) const { return {}; }
  std::string operator()(const AddLearner& a) const { return " " + a.member + " " + a.peer_url; }
  std::string operator()(const PromoteMember& a) const { return member_and_id(a.member, a.id); }
  std::string operator()(const RemoveMember& a) const { return member_and_id(a.member, a.id); }
  std::string operator()(const MoveLeader& a) const {
    return " from " + base::to_text(a.from) + " to " + base::to_text(a.to);
  }
  std::string operator()(const Compact& a) const { return " " + std::to_string(a.revision); }
  std::string operator()(const Defragment& a) const { return member_and_id(a.member, a.id); }
  std::string operator()(const RewriteMembers&) const { return {}; }
  std::string operator()(const AdvanceLog& a) const {
    return a.index == 0 ? " by one" : " to " + std::to_string(a.index);
  }
  std::string operator()(const DisarmAlarm& a) const {
    return std::string(a.kind == AlarmKind::kNoSpace ? " NOSPACE " : " CORRUPT ") +
           base::to_text(a.id);
  }
  std::string operator()(const NewPeerAuthority&) const { return {}; }
  std::string operator()(const StartBackup& a) const { return " " + std::to_string(a.epoch); }
  std::string operator()(const StartDrill& a) const { return " " + std::to_string(a.epoch); }
  std::string operator()(const FetchBackup& a) const { return " " + std::to_string(a.epoch); }
  std::string operator()(const StartFollower& a) const { return " " + std::to_string(a.epoch); }
  std::string operator()(const EndFollower&) const { return {}; }
  template <class A>
  std::string operator()(const A& a) const {
    return " " + a.member;
  }

  static std::string member_and_id(const std::string& member, base::MemberId id) {
    return (member.empty() ? " -" : " " + member) + " " + base::to_text(id);
  }
};

}  // namespace

std::string_view name_of(const Action& action) {
  return std::visit([](const auto& a) { return name<std::decay_t<decltype(a)>>(); }, action);
}

std::string to_text(const Action& action) {
  return std::string(name_of(action)) + std::visit(Arguments{}, action);
}

bool is_disruptive(const Action& action) {
  return std::visit(
      [](const auto& a) {
        using A = std::decay_t<decltype(a)>;
        return std::is_same_v<A, DiscardFormation> || std::is_same_v<A, DeleteCluster> ||
               std::is_same_v<A, StopMember> || std::is_same_v<A, AddLearner> ||
               std::is_same_v<A, PromoteMember> || std::is_same_v<A, RemoveMember> ||
               std::is_same_v<A, MoveLeader> || std::is_same_v<A, Compact> ||
               std::is_same_v<A, Defragment> || std::is_same_v<A, DisarmAlarm> ||
               std::is_same_v<A, ExportSurvivor> || std::is_same_v<A, NewPeerAuthority>;
      },
      action);
}

}  // namespace plan
