// What an EtcdBackup needs next, from what is wanted, told and seen. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/objects.h"
#include "api/request_status.h"
#include "drivers/kube/requests.h"

namespace manager {

struct BackupStep {
  api::BackupRequestStatus status;  // what is known, before anything is started
  std::optional<k8s::BackupTry> start;
  std::optional<std::int64_t> last_revision;
  std::optional<base::Instant> at;  // nothing is due before; none: never again, for this text
};

// `newest`: its newest Job, or null. Once for each text of a one-shot there is a success: failures
// are tried again, later and later, as what is missing may come. A periodic one counts from its
// last success.
BackupStep next_step(const api::BackupRequest& wish, std::int64_t generation,
                     const api::BackupRequestStatus& told, const k8s::BackupTry* newest,
                     base::Instant now);

// It needs no more, whatever its Jobs say.
bool is_finished(const api::BackupRequest& wish, std::int64_t generation,
                 const api::BackupRequestStatus& told);

// No value: no try has ended, and it is not late. False: the last one failed, or there should have
// been a success long ago.
std::optional<bool> is_healthy(const api::BackupRequest& wish,
                               const api::BackupRequestStatus& status, base::Instant created,
                               base::Instant now);

// The clusters of which this may be an address, by the names that their Services and pods have:
// "https://c-client.shop.svc:2379", "http://c-0-0.c:2379". `ns`: where a name without one is.
std::vector<base::ClusterKey> clusters_at(std::string_view url, const std::string& ns);

}  // namespace manager
