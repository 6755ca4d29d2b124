// The fake API server against a real one: every case runs on both, and what they answer must be
// equal. Run by testbed/with --control-plane-only; without a real server it fails.
#include <gtest/gtest.h>

#include <algorithm>

#include "conformance/kube_api_bench.h"

namespace conformance {

void PrintTo(const KubeCase& c, std::ostream* out) {
  *out << c.name;
}

namespace {

std::vector<KubeCase> all_cases() {
  std::vector<KubeCase> all;
  for (const auto& some :
       {kube_write_cases(), kube_apply_cases(), kube_read_cases(), kube_life_cases()})
    all.insert(all.end(), some.begin(), some.end());
  return all;
}

std::vector<std::string> run(const KubeCase& c, KubeBench& bench) {
  KubeScript script(bench);
  try {
    c.run(bench, script);
  } catch (const std::exception& error) {
    std::string what = error.what();
    const auto at = what.find(bench.ns());
    if (at != std::string::npos) what.replace(at, bench.ns().size(), "NAMESPACE");
    script.note("the case gave up", what);
  }
  return script.lines();
}

class KubeConformance : public testing::TestWithParam<KubeCase> {};

TEST_P(KubeConformance, TheFakeAnswersAsTheServerDoes) {
  const auto& c = GetParam();
  const auto real = run(c, *real_kube(c.name));
  const auto fake = run(c, *fake_kube());
  ASSERT_FALSE(real.empty());
  RecordProperty("answers", static_cast<int>(real.size()));
  EXPECT_EQ(fake.size(), real.size());
  for (size_t i = 0; i < std::min(fake.size(), real.size()); ++i)
    EXPECT_EQ(fake[i], real[i]) << "answer " << i << "; the fake's first";
}

INSTANTIATE_TEST_SUITE_P(Cases, KubeConformance, testing::ValuesIn(all_cases()),
                         [](const auto& info) {
                           std::string name = info.param.name;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace conformance
