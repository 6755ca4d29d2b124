// What a kubelet may ask etcd.
#pragma once

#include "api/version.h"

namespace render {

// etcd tells since 3.5.12 what of its health a restart could cure.
bool has_livez(const api::Version& version);

}  // namespace render
