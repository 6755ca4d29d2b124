// Only of the build that looks for them.
#include "base/mutants.h"

#include <algorithm>
#include <array>
#include <atomic>

namespace base {
namespace {

// Sources: C coreos/etcd-operator, E etcd-io/etcd-operator, A etcdadm; others by name.
constexpr std::array kAll{
    MutantInfo{Mutant::kListErrorMeansNoMembers, "list-error-means-no-members", "E#193, E#421",
               "a member list that could not be read is an empty one"},
    MutantInfo{Mutant::kForeignListIsTrusted, "foreign-list-is-trusted", "druid#847",
               "the list of a cluster with another id is believed"},
    MutantInfo{Mutant::kQuorumOfTheLiving, "quorum-of-the-living", "cozystack#351, hypershift#8549",
               "quorum is counted over who is up, not over the membership"},
    MutantInfo{Mutant::kLearnerCountsAsVoter, "learner-counts-as-voter", "CAPI#10125",
               "a learner counts in the quorum arithmetic"},
    MutantInfo{Mutant::kHealthyByItsProcess, "healthy-by-its-process", "C#1973, cozystack#343",
               "a member is healthy when its process runs"},
    MutantInfo{Mutant::kStaleList, "stale-list", "C#1614",
               "members are listed as one of them has them, without a quorum"},
    MutantInfo{Mutant::kUnknownIsLost, "unknown-is-lost", "CNPG#7407, k3s#11992",
               "what cannot be seen is proof of loss"},
    MutantInfo{Mutant::kTokenAgain, "token-again", "druid#1022",
               "a cluster that is begun again has its old token"},
    MutantInfo{Mutant::kBeginAnewOnEmptyDisk, "begin-anew-on-empty-disk",
               "druid#847, druid#419, cozystack#343",
               "a member without data is bootstrapped again"},
    MutantInfo{Mutant::kOrdinalAgain, "ordinal-again", "improbable-eng#101",
               "a new member takes the place of an old one"},
    MutantInfo{Mutant::kOpenBeforeTheLatch, "open-before-the-latch", "cozystack#343",
               "clients are let in while an empty disk may still begin anew"},
    MutantInfo{Mutant::kPromoteBeforeTheTicket, "promote-before-the-ticket", "druid#419",
               "a member votes while an empty disk of it would still be accepted"},
    MutantInfo{Mutant::kRemovedStartsAgain, "removed-starts-again", "etcd#20967",
               "a removed member is started with its old data"},
    MutantInfo{Mutant::kStrayDataIsNothing, "stray-data-is-nothing", "druid#1022, C#1825",
               "a cluster is begun over data that nothing explains"},
    MutantInfo{Mutant::kUnreadableMeansDeleted, "unreadable-means-deleted", "E#421",
               "a wish that cannot be read is one that was taken back"},
    MutantInfo{Mutant::kRetainMeansDelete, "retain-means-delete", "cozystack#347",
               "data goes with its cluster although it is to be kept"},
    MutantInfo{Mutant::kAddAsVoter, "add-as-voter", "C#2148, C#1614",
               "members are added as voters"},
    MutantInfo{Mutant::kAddWhileOneIsDown, "add-while-one-is-down", "C#1614",
               "the next member is added while one is down"},
    MutantInfo{Mutant::kPromoteWhileOneIsDown, "promote-while-one-is-down", "C#1614",
               "a learner becomes a voter while too few are healthy"},
    MutantInfo{Mutant::kRemoveBelowQuorum, "remove-below-quorum", "E#463, CAPI#10125",
               "a member is removed whoever else is down"},
    MutantInfo{Mutant::kReplacementFirst, "replacement-first", "etcd op-guide, C#1614",
               "the replacement is added before the lost member is removed"},
    MutantInfo{Mutant::kTimeoutMeansNotAdded, "timeout-means-not-added", "C#2148, CAPI#13221",
               "an add without an answer was not done: another member is added"},
    MutantInfo{Mutant::kOrphanByName, "orphan-by-name", "etcd#21610, CAPI#13685",
               "an added member is looked up by a name that it does not have yet"},
    MutantInfo{Mutant::kOrphanStays, "orphan-stays", "etcd#21610, CAPI#13685",
               "an added member that nobody wants stays in the list"},
    MutantInfo{Mutant::kSecondChangeAtOnce, "second-change-at-once", "C#1614, C#564",
               "a change of the membership does not wait for the last one"},
    MutantInfo{Mutant::kWrongMemberRemoved, "wrong-member-removed", "A#396",
               "another member than the one that was meant is removed"},
    MutantInfo{Mutant::kStrangerRemoved, "stranger-removed", "A#16",
               "a running member of somebody else is removed"},
    MutantInfo{Mutant::kOldMemberList, "old-member-list", "C#1969",
               "a member that has not joined keeps a list that is out of date"},
    MutantInfo{Mutant::kExitedStaysDown, "exited-stays-down", "C#1130, cozystack#368",
               "a member that ended is not started again"},
    MutantInfo{Mutant::kUnreachableForEver, "unreachable-for-ever", "C#1279, kopeio#339",
               "a member out of reach is never replaced"},
    MutantInfo{Mutant::kQuorumLossInSilence, "quorum-loss-in-silence", "C#1972, druid#1230",
               "a lost quorum is waited for, for ever and without a word"},
    MutantInfo{Mutant::kAnyApproval, "any-approval", "C#1316",
               "an approval that was given for something else counts"},
    MutantInfo{Mutant::kOldestSurvivor, "oldest-survivor", "etcdbr#91",
               "a recovery takes the oldest data"},
    MutantInfo{Mutant::kRecoveryKeepsToken, "recovery-keeps-token", "k3s#11992, k3s#8359",
               "what is recovered has the identity of what was lost"},
    MutantInfo{Mutant::kOldRunsOn, "old-runs-on", "CNPG#7407, CNPG#7465",
               "a recovery does not wait for the end of the old members"},
    MutantInfo{Mutant::kNoSpaceIgnored, "nospace-ignored", "etcdbr#531, E#401",
               "NOSPACE is never cleared"},
    MutantInfo{Mutant::kDisarmAtOnce, "disarm-at-once", "cozystack#361",
               "the alarm is disarmed although members are full"},
    MutantInfo{Mutant::kCorruptIgnored, "corrupt-ignored", "etcd#14849",
               "CORRUPT is nobody's business"},
    MutantInfo{Mutant::kCorruptByTheAlarm, "corrupt-by-the-alarm", "etcd#14849, etcd#15548",
               "the member that the alarm names is the corrupt one"},
    MutantInfo{Mutant::kVersionIgnored, "version-ignored", "E#327",
               "a change of the version changes nothing"},
    MutantInfo{Mutant::kAllAtOnce, "all-at-once", "C#1211",
               "a rollout does not wait for the last member to come back"},
    MutantInfo{Mutant::kLeaderFirst, "leader-first", "druid#588",
               "a rollout begins with the leader"},
    MutantInfo{Mutant::kMinorSkipped, "minor-skipped", "A#82, etcd#19557",
               "any version may follow any other"},
    MutantInfo{Mutant::kDowngradeAfterTheFlip, "downgrade-after-the-flip", "etcd op-guide",
               "members go back after the cluster version has moved"},
    MutantInfo{Mutant::kNoWayBack, "no-way-back", "cozystack#349, C#2129",
               "what has halted cannot be left by an edit"},
    MutantInfo{Mutant::kCertificatesForgotten, "certificates-forgotten", "kops#8959, A#56",
               "certificates are not renewed"},
    MutantInfo{Mutant::kAvailableByProcesses, "available-by-processes", "cozystack#343, C#2067",
               "the cluster is available when enough processes run"},
    MutantInfo{Mutant::kStatusFreezes, "status-freezes", "cozystack#367, E#358",
               "the status keeps its last good word"},
    MutantInfo{Mutant::kPruneByText, "prune-by-text", "C#2113",
               "backups are counted by the text of their revision: 9 comes after 10"},
    MutantInfo{Mutant::kProvenIsPruned, "proven-is-pruned", "C#2113",
               "the last proven backup goes when the count is reached"},
    MutantInfo{Mutant::kStoredUnseen, "stored-unseen", "etcdbr#749, etcdbr#778",
               "what a store says to have counts as a backup, and is not read back"},
    MutantInfo{Mutant::kFailedIsDone, "failed-is-done", "C#1993",
               "a backup that failed counts as taken"},
    MutantInfo{Mutant::kUnreadableIsEmpty, "unreadable-is-empty", "E#421, C#1417",
               "a store that could not be looked into is an empty one"},
    MutantInfo{Mutant::kOldestBackup, "oldest-backup", "etcdbr#91",
               "a cluster begins from the oldest backup"},
    MutantInfo{Mutant::kTwoJobsAtOnce, "two-jobs-at-once", "etcdbr#1043",
               "a drill does not wait for the end of a backup"},
    MutantInfo{Mutant::kRecordAfterTheAct, "record-after-the-act", "C#2148, CAPI#13685",
               "what was done is remembered after it was done"},
    MutantInfo{Mutant::kGoesOnAfterRefusal, "goes-on-after-refusal", "C#1993",
               "the next step follows although the last was refused"},
    MutantInfo{Mutant::kStaleWriterGoesOn, "stale-writer-goes-on", "etcdbr#1043, CNPG#7407",
               "an operator whose record was overtaken acts all the same"},
};

Mutant chosen = Mutant::kNone;
std::atomic<unsigned long> asked = 0;

}  // namespace

std::span<const MutantInfo> mutants() {
  return kAll;
}

bool choose_mutant(std::string_view name) {
  const auto at = std::ranges::find(kAll, name, &MutantInfo::name);
  if (at != kAll.end()) chosen = at->mutant;
  return at != kAll.end();
}

unsigned long mutant_asked() {
  return asked;
}

bool mutant(Mutant which) {
  if (which != chosen) return false;
  ++asked;
  return true;
}

}  // namespace base
