// Why. One value per kind of step or wait; it is the event's reason, the metric's label and the
// log's field. X(name, meaning) is the single declaration, from which the reference page is made.
#pragma once

#include <string_view>

#define PLAN_REASONS(X)                                                                    \
  X(Converged, "nothing to do")                                                            \
  X(Paused, "the user paused the cluster")                                                 \
  X(IntentUnreadable, "the manifest cannot be read; the last good one is kept")            \
  X(RecordTorn, "the record fails its check and the disk does not settle it")              \
  X(StrayData, "data of this name exists that no record explains")                         \
  X(RestoreNotPossible, "a restore is asked for and cannot be carried out yet")            \
  X(RestoreLookup, "a store is looked into for the backup that the cluster begins from")   \
  X(RestoreLookupFailed, "that failed, or misses the point asked for: nothing begins yet") \
  X(NoBackupFound, "the store was listed whole and holds no backup of this cluster")       \
  X(RestoredFromBackup, "the cluster began from a backup")                                 \
  X(RestoreInPlace, "a cluster that serves goes back to a point, as a person asked")       \
  X(RestoreRefused, "that is not done: the cluster goes on as it is")                      \
  X(BinaryMissing, "the etcd version is not on this machine")                              \
  X(Bootstrap, "a new cluster is being formed")                                            \
  X(BootstrapRestarted, "the formation was thrown away and begins under a new token")      \
  X(Formed, "every founding member was seen; the identity is latched")                     \
  X(FormedPartly, "a quorum formed by the deadline; the rest join as learners")            \
  X(OpenedToClients, "the users' client certificate was published")                        \
  X(MemberStart, "a member that shall run does not")                                       \
  X(MemberRestarting, "its guard restarts it; we wait")                                    \
  X(MemberUnreachable, "it runs or should, and cannot be reached")                         \
  X(MemberDataLost, "its guard proved its data gone, damaged or less than acknowledged")   \
  X(MemberVolumeGone, "its volume is not there, or another one is in its place")           \
  X(MemberVolumeGoing, "its claim is being deleted, and its data ends with its pod")       \
  X(MemberDataForeign, "its volume holds data of another member or cluster")               \
  X(MemberRemovedElsewhere, "someone else removed it from the membership")                 \
  X(MemberTimedOut, "it stayed unreachable for repair.timeoutSeconds")                     \
  X(ReplaceMember, "a lost member is removed and a learner takes its place")               \
  X(OrphanAdopted, "an added member that never started is ours: its join goes on")         \
  X(OrphanRemoved, "an added member never started and nothing explains it")                \
  X(UnknownMember, "the membership holds a member that is not ours; it is left alone")     \
  X(ScaleUp, "fewer voters than wanted")                                                   \
  X(ScaleDown, "more voters than wanted")                                                  \
  X(LearnerAdded, "a learner was added and catches up")                                    \
  X(LearnerPromoted, "a learner is in sync and becomes a voter")                           \
  X(AddRefused, "etcd refuses additions for some seconds after a start; tried again")      \
  X(QuorumUnsafe, "the step would leave fewer healthy voters than a quorum; it waits")     \
  X(LeaderMoved, "leadership moves before a planned stop")                                 \
  X(QuorumLost, "fewer than a quorum of voters are up; what can start is started")         \
  X(QuorumLostForGood, "fewer than a quorum of voters still have data")                    \
  X(WaitWindow, "the window in which lost members may come back is open")                  \
  X(SurvivorChosen, "the survivor with the longest log was chosen and stored")             \
  X(SurvivorSaved, "a snapshot of the running survivor is taken before it is stopped")     \
  X(Recovering, "a new incarnation is built from the survivor")                            \
  X(Recovered, "the new incarnation serves; the loss is stated")                           \
  X(RecoveryForbidden, "the policy forbids recovery; a person must act")                   \
  X(ApprovalNeeded, "the next step needs a person's approval")                             \
  X(DataLossTotal, "no member has data")                                                   \
  X(NoSpace, "a member's database is over its quota")                                      \
  X(NoSpaceCompact, "old revisions are compacted")                                         \
  X(NoSpaceDefragment, "a member gives free pages back")                                   \
  X(NoSpaceDisarm, "every member is below 90 % of its quota")                              \
  X(NoSpaceStuck, "live data fills the quota; only the user can delete or raise it")       \
  X(Corrupt, "members disagree on their contents")                                         \
  X(CorruptReplace, "the strict minority by hash vote is replaced")                        \
  X(CorruptNoMajority, "no majority agrees; nothing is touched")                           \
  X(CorruptDisarm, "all members agree again")                                              \
  X(CertificateRenewal, "a leaf passed two thirds of its life")                            \
  X(CertificateExpired, "a leaf has expired")                                              \
  X(UserCertificates, "certificates of the user's own: they come in, or cannot be used")   \
  X(AuthorityRotation, "the cluster's own authorities are replaced, phase by phase")       \
  X(Rollout, "a field that needs a restart changed")                                       \
  X(TlsMigration, "how clients are taken changes: plain text, both, or TLS")               \
  X(Upgrade, "the wanted version is newer")                                                \
  X(UpgradeAborted, "the version was put back before the cluster version moved")           \
  X(UpgradeRefused, "the hazard table forbids this step")                                  \
  X(UpgradePreflight, "the cluster is not healthy enough to begin")                        \
  X(DowngradeRefused, "the cluster version has moved; etcd cannot go back by a restart")   \
  X(RolloutHalted, "one member did not come up with the change; the rest are untouched")   \
  X(NoBackupBeforeUpgrade, "the upgrade goes on without a backup before it")               \
  X(BackupBeforeUpgrade, "a backup is taken before the next minor version")                \
  X(BackupDue, "an interval has passed since the last backup, or there is none")           \
  X(BackupRequested, "a person asked for a backup")                                        \
  X(BackupTaken, "a backup succeeded")                                                     \
  X(BackupFailed, "a backup failed, or nothing is known of its end; it is tried again")    \
  X(BackupOverdue, "no backup succeeded for two intervals")                                \
  X(BackupSuspended, "no backups are taken now, as is wanted")                             \
  X(DrillDue, "the newest backup is to be restored for proof")                             \
  X(BackupProven, "a cluster was made of a backup, and holds what it should")              \
  X(BackupDamaged, "a backup is damaged; a new one is taken")                              \
  X(DrillFailed, "a backup could not be restored for proof; it is tried again")            \
  X(DrillOverdue, "no backup was proven for two intervals")                                \
  X(ContinuousStart, "what keeps all that happens is started, or told anew")               \
  X(ContinuousStop, "all that happens is not to be kept now")                              \
  X(ContinuousFailed, "what keeps all that happens has ended; it is started again")        \
  X(ContinuousBehind, "what happens is not in its store within maxLagSeconds")             \
  X(ContinuousUnknown, "how far the store is behind is not known now")                     \
  X(SameFailureDomain, "the backups lie on the same machine as the data")                  \
  X(DefragmentRule, "more than half of a large database is free pages")                    \
  X(HibernateStop, "the user hibernates the cluster; members stop")                        \
  X(HibernateWake, "the user wakes the cluster; members start")                            \
  X(StoppedByUser, "the user stopped the cluster")                                         \
  X(DeleteStop, "the cluster is deleted; members stop")                                    \
  X(DeleteDone, "the cluster is deleted; its data is kept or removed by policy")           \
  X(DeletionProtected, "deletion is refused by the protect annotation")                    \
  X(PutAside, "a retired member's volume is put away by policy")                           \
  X(TicketLatched, "a start ticket turns from first start to data")                        \
  X(OperationTimedOut, "an operation passed its deadline and is halted")

namespace plan {

enum class Reason {
#define PLAN_REASON_ENUM(name, meaning) k##name,
  PLAN_REASONS(PLAN_REASON_ENUM)
#undef PLAN_REASON_ENUM
};

std::string_view name_of(Reason reason);     // "ScaleUp"
std::string_view meaning_of(Reason reason);  // one line for people

}  // namespace plan
