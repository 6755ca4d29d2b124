// What can happen in the model, as numbers that can be kept and played again.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "sim/model/cluster.h"
#include "sim/model/pass.h"

namespace sim::model {

// X(name, price, what happens). The order is the order in which followers are made.
#define MODEL_STEPS(X)                                                                         \
  X(Pass, kFree, "the operator looks, plans and acts")                                         \
  X(Time, kFree, "ten seconds go by; a client writes if it can")                               \
  X(Patience, kFree, "minutes go by in which the operator looks and only waits")               \
  X(Heal, kFree, "the network is whole again, disks take bytes, machines boot")                \
  X(VolumeBack, kFault, "a volume that was away is there again, as it was")                    \
  X(Approve, kGift, "a person approves what is asked")                                         \
  X(PassRefused, kFault, "a pass in which a call is refused")                                  \
  X(PassAnswerLost, kFault, "a pass in which a call is carried out and its answer is lost")    \
  X(PassRequestLost, kFault, "a pass in which a call is lost on its way, and nobody can tell") \
  X(PassDiesBefore, kFault, "the operator dies before a call of its pass")                     \
  X(PassDiesAfter, kFault, "the operator dies after a call of its pass")                       \
  X(OperatorAway, kFault, "the operator dies and is away for ten minutes")                     \
  X(KillEtcd, kFault, "an etcd is killed; its guard lives")                                    \
  X(KillGuard, kFault, "a guard is killed, and its etcd with it")                              \
  X(CrashMachine, kFault, "a machine is down")                                                 \
  X(LoseData, kFault, "a data directory is lost; the volume's marker is there")                \
  X(LoseVolume, kFault, "a volume is away: an empty one is in its place")                      \
  X(OlderData, kFault, "a data directory is as it was some entries before")                    \
  X(ForeignVolume, kFault, "the volume of another member is mounted")                          \
  X(TornTail, kFault, "the last entry of a log is cut")                                        \
  X(BadLog, kFault, "bytes of a log are flipped")                                              \
  X(Corrupt, kFault, "values in a running database change silently")                           \
  X(DiskFull, kFault, "a volume takes no more bytes")                                          \
  X(CutOperator, kFault, "the operator and a machine do not reach each other")                 \
  X(CutMembers, kFault, "two machines do not reach each other")                                \
  X(CutOneWay, kFault, "what one machine sends does not reach another")                        \
  X(LeafDue, kFault, "every leaf certificate is past two thirds of its life")                  \
  X(LeafExpired, kFault, "the leaf certificates of a member have expired")                     \
  X(TearRecord, kFault, "the record on disk is cut in half while nobody runs")                 \
  X(LoseRecord, kFault, "the record is gone while nobody runs")                                \
  X(FillQuota, kEdit, "a client fills the database up to its quota")                           \
  X(FreePages, kEdit, "clients delete most of what a large database held")                     \
  X(SetSize, kEdit, "the user wants another size")                                             \
  X(SetVersion, kEdit, "the user wants another version")                                       \
  X(RaiseQuota, kEdit, "the user gives a larger quota")                                        \
  X(SetTemplate, kEdit, "the user changes a field that needs a restart")                       \
  X(SetBadTemplate, kEdit, "the user gives a flag that etcd refuses")                          \
  X(Pause, kEdit, "the user pauses the cluster, or lets it go on")                             \
  X(Hibernate, kEdit, "the user lets the cluster rest, or wakes it")                           \
  X(Stop, kEdit, "the user stops the cluster by command")                                      \
  X(Delete, kEdit, "the user deletes the cluster; its data is kept")                           \
  X(DeleteData, kEdit, "the user deletes the cluster with its data")                           \
  X(Protect, kEdit, "the user protects the cluster and deletes it")                            \
  X(AskFirst, kEdit, "the user wants to be asked before a recovery")                           \
  X(NeverRecover, kEdit, "the user forbids recoveries")                                        \
  X(Restore, kEdit, "the user adds a restore block")                                           \
  X(PutBack, kEdit, "the user puts the first specification back")                              \
  X(Unreadable, kEdit, "the manifest cannot be read")                                          \
  X(AddForeign, kEdit, "a person adds a member by hand, which never starts")                   \
  X(RemoveByHand, kEdit, "a person removes a member by hand")

enum class Kind : std::uint8_t {
#define MODEL_STEP_ENUM(name, price, text) k##name,
  MODEL_STEPS(MODEL_STEP_ENUM)
#undef MODEL_STEP_ENUM
};
inline constexpr std::size_t kKinds = static_cast<std::size_t>(Kind::kRemoveByHand) + 1;

std::string_view name_of(Kind kind);
std::string_view meaning_of(Kind kind);
Price price_of(Kind kind);

struct Event {
  Kind kind = Kind::kPass;
  int member = 0, other = 0;  // ordinals, or what the kind says
  int call = 0;               // of a pass with a mishap: an index into calls()
  bool operator==(const Event&) const = default;
};
Step pack(const Event& event);
Event unpack(Step step);
std::string text_of(const Event& event);

// Every call of a pass that may go wrong, by a fixed number.
const std::vector<std::string>& calls();
int number_of_call(std::string_view call);  // -1: it does not go wrong

}  // namespace sim::model
