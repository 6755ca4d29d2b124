#include "metrics/catalog.h"

namespace metrics {
namespace {

constexpr const Declaration* kAll[] = {
    &kBuildInfo,           &kProcessMemory,    &kProcessCpu,        &kClusters,
    &kSeriesDropped,       &kPassSeconds,      &kPassErrors,        &kActions,
    &kQueueLength,         &kKubeRequests,     &kClusterHasLeader,  &kClusterMembers,
    &kClusterCondition,    &kClusterOperation, &kClusterObserved,   &kClusterBackup,
    &kClusterBackupProven, &kClusterBackupLag, &kCertificateExpiry, &kBackupRequestHealthy,
    &kMemberDbSize,        &kMemberDbInUse,    &kMemberDbQuota};

}  // namespace

std::span<const Declaration* const> catalog() {
  return kAll;
}

std::string_view name_of(Kind kind) {
  switch (kind) {
    case Kind::kCounter:
      return "counter";
    case Kind::kGauge:
      return "gauge";
    case Kind::kHistogram:
      return "histogram";
  }
  return "gauge";
}

std::string_view name_of(Stability stability) {
  switch (stability) {
    case Stability::kStable:
      return "stable";
    case Stability::kAlpha:
      return "alpha";
  }
  return "alpha";
}

}  // namespace metrics
