#include "plan/record.h"

#include <utility>

namespace plan {

std::string_view name_of(OperationKind kind) {
  switch (kind) {
    case OperationKind::kBootstrap:
      return "Bootstrap";
    case OperationKind::kScaleUp:
      return "ScaleUp";
    case OperationKind::kScaleDown:
      return "ScaleDown";
    case OperationKind::kReplace:
      return "Replace";
    case OperationKind::kRollout:
      return "Rollout";
    case OperationKind::kRecovery:
      return "Recovery";
    case OperationKind::kNoSpace:
      return "NoSpace";
    case OperationKind::kCorrupt:
      return "Corrupt";
    case OperationKind::kDefragment:
      return "Defragment";
    case OperationKind::kHibernate:
      return "Hibernate";
    case OperationKind::kWake:
      return "Wake";
    case OperationKind::kDelete:
      return "Delete";
    case OperationKind::kRestore:
      return "Restore";
  }
  std::unreachable();
}

std::string_view name_of(Formation formation) {
  switch (formation) {
    case Formation::kNone:
      return "none";
    case Formation::kForming:
      return "forming";
    case Formation::kLatched:
      return "latched";
  }
  std::unreachable();
}

std::string_view name_of(Permit permit) {
  switch (permit) {
    case Permit::kBootstrap:
      return "bootstrap";
    case Permit::kJoin:
      return "join";
    case Permit::kData:
      return "data";
    case Permit::kRestore:
      return "restore";
  }
  std::unreachable();
}

std::string_view name_of(Phase phase) {
  switch (phase) {
    case Phase::kForming:
      return "forming";
    case Phase::kAdding:
      return "adding";
    case Phase::kLearner:
      return "learner";
    case Phase::kVoter:
      return "voter";
    case Phase::kRemoving:
      return "removing";
    case Phase::kRetired:
      return "retired";
    case Phase::kSurvivor:
      return "survivor";
  }
  std::unreachable();
}

std::string_view name_of(RotationPhase phase) {
  switch (phase) {
    case RotationPhase::kNone:
      return "none";
    case RotationPhase::kPrepare:
      return "prepare";
    case RotationPhase::kTrust:
      return "trust";
    case RotationPhase::kReissue:
      return "reissue";
    case RotationPhase::kReissued:
      return "reissued";
    case RotationPhase::kDrop:
      return "drop";
  }
  std::unreachable();
}

}  // namespace plan
