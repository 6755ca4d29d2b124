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
#include "api/yaml.h"
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

// What the decoder of one group asked for and found, over all good manifests.
std::set<std::string> seen_fields(api::Group group) {
  const bool coreos = group == api::Group::kCoreOs;
  const std::string wanted =
      coreos ? "etcd.database.coreos.com/v1beta2" : "operator.etcd.io/v1alpha1";
  std::set<std::string> out;
  for (const auto& path : manifests_in("tests/manifests/good")) {
    const auto documents = api::read_yaml(slurp(path));
    for (const auto& document : *documents) {
      const auto* kind = document.value->find("kind");
      const auto* version = document.value->find("apiVersion");
      if (kind == nullptr || *kind != json::Value("EtcdCluster")) continue;
      if (*version != json::Value(wanted)) continue;
      api::Report report;
      {
        api::Fields root(&*document.value, "", report);
        coreos ? api::decode_coreos_cluster(root) : api::decode_operator_cluster(root);
      }
      out.insert(report.seen().begin(), report.seen().end());
    }
  }
  return out;
}

// The table promises what the decoders read, and the decoders read nothing that the table does not
// name: otherwise a field could be ignored in silence.
TEST(Manifests, TableOfFieldsAndDecodersAgree) {
  for (const auto group : {api::Group::kOperatorEtcdIo, api::Group::kCoreOs}) {
    const auto has = group == api::Group::kCoreOs ? api::Has::kCoreOs : api::Has::kOperatorEtcdIo;
    const auto seen = seen_fields(group);
    for (const auto& path : seen) {
      if (!path.starts_with("spec.")) continue;
      EXPECT_NE(api::find_field(path, has), nullptr) << path << " is not in the table";
    }
    for (const auto& info : api::field_table()) {
      if (info.has == api::Has::kBoth || info.has == has) {
        EXPECT_TRUE(seen.contains(std::string(info.path)))
            << info.path << " is in no good manifest of its group";
      }
    }
  }
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
