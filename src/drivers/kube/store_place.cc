#include "drivers/kube/store_place.h"

#include <fmt/format.h>

#include <utility>

#include "api/names.h"
#include "archive/names.h"
#include "drivers/jobs/jobs.h"
#include "render/store_jobs.h"

namespace k8s {

base::Result<StorePlace> place_of(const api::ObjectLocation* at, const base::ClusterKey& of) {
  StorePlace out;
  out.wish = at;
  out.common.cluster = of;
  const bool own_volume = at == nullptr || (at->kind == "pvc" && at->path.empty());
  if (own_volume || at->kind == "pvc") {
    out.access.claim = own_volume ? api::ObjectNames{of.name}.backups() : at->path;
    out.access.shared = !own_volume;
    out.common.direct = own_volume;
    out.common.store.url = fmt::format("file://{}", render::kBackupsDir);
    return out;
  }
  if (at->kind == "local")
    return base::fail(
        base::Code::kFailedPrecondition,
        "a directory of a node is no place for backups on Kubernetes: use pvc, or a bucket");
  out.common.store = jobs::store_of(*at);
  out.access.secret = at->secret;
  if (!at->secret.empty()) out.common.store.secret = render::kStoreSecretDir;
  return out;
}

base::Result<StorePlace> place_to_read(const api::ObjectLocation* at, const base::ClusterKey& of) {
  if (at == nullptr || at->kind != "pvc" || at->path != api::ObjectNames{of.name}.backups())
    return place_of(at, of);
  auto out = place_of(nullptr, of);
  if (out) out->wish = at;
  return out;
}

std::optional<NamedBackup> named_backup(const api::ObjectLocation& at) {
  if (at.kind == "pvc" || at.kind == "local") return std::nullopt;
  const auto file = at.path.rfind('/');
  if (file == std::string::npos || file == 0) return std::nullopt;
  const auto life = at.path.rfind('/', file - 1);
  if (life == std::string::npos || life == 0) return std::nullopt;
  auto name = at.path.substr(life + 1);
  if (const auto part = archive::parse_part(name)) name = part->name.text();
  if (!archive::Name::parse(name)) return std::nullopt;
  NamedBackup out{at, std::move(name)};
  out.at.path = at.path.substr(0, life);
  return out;
}

void add_encryption_key(const api::ClusterSpec& spec, StorePlace& place) {
  if (!spec.backup || spec.backup->encryption_secret.empty()) return;
  place.access.encryption_secret = spec.backup->encryption_secret;
  place.access.encryption_key = spec.backup->encryption_key;
  place.common.encryption_key = render::kStoreKeyFile;
}

void place_files(const StorePlace& place, archive::Common& to) {
  const auto deadline = to.deadline;
  to = place.common;
  to.deadline = deadline;
  to.scratch = render::kJobScratch;
  to.report = render::kReportFile;
}

}  // namespace k8s
