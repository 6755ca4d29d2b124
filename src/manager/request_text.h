// The text of an EtcdBackup or EtcdRestore object. Pure.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "api/objects.h"
#include "drivers/kube/requests.h"

namespace manager {

struct RequestText {
  k8s::RequestId id;
  base::Instant created{};
  bool deleted = false;
  base::Instant deleted_at{};
  std::vector<std::string> finalizers;
  // monostate: it is not valid, and `problem` says why.
  std::variant<std::monostate, api::BackupRequest, api::RestoreRequest> object;
  std::string problem;
};
RequestText read_request(const k8s::DeclaredRequest& declared);

}  // namespace manager
