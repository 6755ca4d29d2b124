// The stores that need no server, by the suite of all stores.
#include "objstore/local_store.h"
#include "objstore/memory_store.h"
#include "posix/clock.h"
#include "posix/test_dir.h"
#include "store_bench.h"

namespace conformance {
namespace {

class MemoryBench final : public StoreBench {
 public:
  objstore::Store& store() override { return store_; }

 private:
  posix::SystemClock clock_;
  objstore::MemoryStore store_{clock_};
};

class LocalBench final : public StoreBench {
 public:
  objstore::Store& store() override { return *store_; }

 private:
  posix::TestDir dir_;
  std::unique_ptr<objstore::Store> store_ = *objstore::open_local({.root = dir_.path("root")});
};

template <class Bench>
std::unique_ptr<StoreBench> make() {
  return std::make_unique<Bench>();
}

INSTANTIATE_TEST_SUITE_P(Memory, StoreConformance, ::testing::Values(make<MemoryBench>));
INSTANTIATE_TEST_SUITE_P(Local, StoreConformance, ::testing::Values(make<LocalBench>));

}  // namespace
}  // namespace conformance
