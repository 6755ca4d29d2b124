// The driver over a simulated world is held to the same suite as the host driver.
#include "conformance/driver_conformance.h"
#include "sim/world/driver.h"

namespace conformance {
namespace {

class SimBench {
 public:
  SimBench() {
    intent_.cluster.key = {"default", "c"};
    intent_.cluster.spec.size = 1;
    intent_.cluster.spec.version = *api::parse_version("3.5.12");
    world_.binaries.insert("3.5.12");
    reopen();
  }

  engine::Driver& driver() { return *driver_; }
  plan::Intent& intent() { return intent_; }
  void reopen() { driver_ = std::make_unique<sim::SimDriver>(world_, intent_.cluster.key); }
  void tear_record() { world_.tear_record(); }
  void forbid_writes(bool on) { world_.faults.record_disk_full = on; }
  std::vector<std::string> left() { return world_.retained; }
  void let_pass(base::Duration d) { world_.advance(d); }

 private:
  sim::World world_{sim::Settings{}};
  plan::Intent intent_;
  std::unique_ptr<sim::SimDriver> driver_;
};

INSTANTIATE_TYPED_TEST_SUITE_P(Sim, DriverConformance, SimBench);

}  // namespace
}  // namespace conformance
