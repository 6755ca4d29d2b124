// What the drivers of all clusters share.
#pragma once

#include "drivers/kube/platform.h"
#include "drivers/kube/stores.h"
#include "kube/events.h"

namespace k8s {

struct Shared {
  PlatformOptions options;
  Parts parts;
  Stores stores = {};
};

inline kube::EventWriter::Options event_options(const PlatformOptions& options) {
  kube::EventWriter::Options out;
  out.instance = options.instance;
  return out;
}

}  // namespace k8s
