#include "e2e/host/fixture.h"

namespace e2e {
namespace {

class ScaleTest : public VersionedTest {};

TEST_P(ScaleTest, OneThreeFiveThreeOne) {
  create(1, GetParam());
  for (const int size : {3, 5, 3, 1}) {
    if (HasFatalFailure()) return;
    resize(size);
  }
  if (!HasFatalFailure()) finish();
}

TEST_P(ScaleTest, FiveThreeFive) {
  create(5, GetParam());
  for (const int size : {3, 5}) {
    if (HasFatalFailure()) return;
    resize(size);
  }
  if (!HasFatalFailure()) finish();
}

INSTANTIATE_TEST_SUITE_P(Versions, ScaleTest, testing::ValuesIn(versions()), version_name);

}  // namespace
}  // namespace e2e
