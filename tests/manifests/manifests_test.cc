// Each file of good/ and bad/ against NAME.expect. EO_REWRITE=1 in the environment writes what
// comes out over what is expected; read the difference before you keep it.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "api/decode.h"
#include "api/support.h"
#include "describe.h"

namespace testing_manifests {
namespace {

namespace fs = std::filesystem;

std::string slurp(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

std::set<fs::path> manifests_in(const std::string& folder) {
  std::set<fs::path> out;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().extension() != ".expect") out.insert(entry.path());
  return out;
}

api::Manifest parse(const fs::path& path) {
  return api::parse_manifest(slurp(path), path.filename().string(), api::Platform::kHost);
}

void expect_described(const fs::path& path, const api::Manifest& manifest) {
  const fs::path expected = path.string() + ".expect";
  const auto text = describe(manifest);
  if (std::getenv("EO_REWRITE") != nullptr) std::ofstream(expected, std::ios::binary) << text;
  EXPECT_EQ(text, slurp(expected)) << expected;
}

TEST(Manifests, BadOnesAreRefusedWithTheirMessages) {
  const auto all = manifests_in("tests/manifests/bad");
  EXPECT_GE(all.size(), 60U);
  for (const auto& path : all) {
    const auto manifest = parse(path);
    EXPECT_FALSE(manifest.ok()) << path;
    EXPECT_FALSE(manifest.lines(api::Severity::kError).empty()) << path;
    expect_described(path, manifest);
  }
}

TEST(Manifests, GoodOnesAreReadWhole) {
  for (const auto& path : manifests_in("tests/manifests/good")) {
    const auto manifest = parse(path);
    EXPECT_TRUE(manifest.ok()) << path;
    expect_described(path, manifest);
  }
}

TEST(Manifests, EveryFieldOfTheTableIsReadSomewhere) {
  // A field of the table that no decoder knows would be promised and then warned of as unknown.
  std::set<std::string> named;
  for (const auto& path : manifests_in("tests/manifests/good"))
    for (const auto platform : {api::Platform::kHost, api::Platform::kKubernetes})
      for (const auto& document :
           api::parse_manifest(slurp(path), path.filename().string(), platform).documents) {
        for (const auto& problem : document.problems)
          if (problem.message.starts_with("unknown field")) {
            const auto* info = api::find_field(problem.path, api::Has::kBoth);
            EXPECT_TRUE(info == nullptr || info->path != problem.path) << problem.path;
          }
        if (const auto* cluster = document.cluster())
          for (const auto& field : cluster->fields_not_acted_on)
            named.insert(field.substr(0, field.find(' ')));
      }
  EXPECT_TRUE(named.contains("spec.selfHosted"));
  EXPECT_TRUE(named.contains("spec.pod.busyboxImage"));
}

TEST(Manifests, SecretsAreNeverShown) {
  for (const char* name :
       {"bad/secret-not-base64.yaml", "bad/secret-data-text.yaml", "good/secret.yaml"}) {
    const auto text = describe(parse(fs::path("tests/manifests") / name));
    EXPECT_EQ(text.find("hunter2"), std::string::npos) << text;
    EXPECT_EQ(text.find("aHVud"), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace testing_manifests
