// Digests and encryption as JSON: in manifests and in the heads of segments.
#pragma once

#include "archive/fields.h"
#include "archive/manifest.h"

namespace archive {

template <class A, Is<Digest> X>
void fields(A& a, X& x) {
  a("sizeBytes", x.size_bytes, Need::kYes);
  a("sha256", x.sha256, Need::kYes);
}
template <class A, Is<Encryption> X>
void fields(A& a, X& x) {
  a("method", x.method, Need::kYes);
  a("keyID", x.key_id, Need::kYes);
}
}  // namespace archive
