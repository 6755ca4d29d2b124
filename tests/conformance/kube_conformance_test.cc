// The driver for Kubernetes, over fakes, is held to the same suite as the others.
#include "conformance/driver_conformance.h"
#include "conformance/kube_bench.h"

namespace conformance {
namespace {

INSTANTIATE_TYPED_TEST_SUITE_P(Kube, DriverConformance, KubeBench);

}  // namespace
}  // namespace conformance
