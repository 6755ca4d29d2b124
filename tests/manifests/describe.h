// What was read of a manifest, as text: every field of the model, so that a golden file shows it.
#pragma once

#include <string>

#include "api/manifest.h"

namespace testing_manifests {

std::string describe(const api::Manifest& manifest);

}  // namespace testing_manifests
