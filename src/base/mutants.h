// Faults that other operators had, put into ours on purpose, to see that our checks find them. They
// exist only in the build for that (preset `mutants`); everywhere else mutant() is false when it is
// compiled, and no program holds a trace of it. What each one is: mutants.cc.
#pragma once

#ifdef EO_MUTANTS
#include <span>
#include <string_view>
#endif

namespace base {

enum class Mutant {
  kNone,
  // --- what is believed
  kListErrorMeansNoMembers,
  kForeignListIsTrusted,
  kQuorumOfTheLiving,
  kLearnerCountsAsVoter,
  kHealthyByItsProcess,
  kStaleList,
  kUnknownIsLost,
  // --- bootstrap and identity
  kTokenAgain,
  kBeginAnewOnEmptyDisk,
  kOrdinalAgain,
  kOpenBeforeTheLatch,
  kPromoteBeforeTheTicket,
  kRemovedStartsAgain,
  kStrayDataIsNothing,
  kUnreadableMeansDeleted,
  kRetainMeansDelete,
  // --- membership
  kAddAsVoter,
  kAddWhileOneIsDown,
  kPromoteWhileOneIsDown,
  kRemoveBelowQuorum,
  kReplacementFirst,
  kTimeoutMeansNotAdded,
  kOrphanByName,
  kOrphanStays,
  kSecondChangeAtOnce,
  kWrongMemberRemoved,
  kStrangerRemoved,
  kOldMemberList,
  // --- repair and recovery
  kExitedStaysDown,
  kUnreachableForEver,
  kQuorumLossInSilence,
  kAnyApproval,
  kOldestSurvivor,
  kRecoveryKeepsToken,
  kOldRunsOn,
  // --- alarms, rollouts, versions
  kNoSpaceIgnored,
  kDisarmAtOnce,
  kCorruptIgnored,
  kCorruptByTheAlarm,
  kVersionIgnored,
  kAllAtOnce,
  kLeaderFirst,
  kMinorSkipped,
  kDowngradeAfterTheFlip,
  kNoWayBack,
  kCertificatesForgotten,
  // --- status
  kAvailableByProcesses,
  kStatusFreezes,
  // --- backups
  kPruneByText,
  kProvenIsPruned,
  kStoredUnseen,
  kFailedIsDone,
  kUnreadableIsEmpty,
  kOldestBackup,
  kTwoJobsAtOnce,
  // --- the engine
  kRecordAfterTheAct,
  kGoesOnAfterRefusal,
  kStaleWriterGoesOn
};

#ifdef EO_MUTANTS

struct MutantInfo {
  Mutant mutant;
  std::string_view name, source, what;
};
std::span<const MutantInfo> mutants();

// By the composition root of a checking program, before anything else runs. False: no such name.
bool choose_mutant(std::string_view name);
// How often the chosen one was asked for, and so could make a difference.
unsigned long mutant_asked();

bool mutant(Mutant which);

#else

constexpr bool mutant(Mutant /*which*/) {
  return false;
}

#endif

}  // namespace base
