// What the drivers of all clusters share.
#pragma once

#include "drivers/kube/platform.h"
#include "drivers/kube/stores.h"

namespace k8s {

struct Shared {
  PlatformOptions options;
  Parts parts;
  Stores stores = {};
};

}  // namespace k8s
