#include "render/etcd_args.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "api/etcd_options.h"

namespace render {
namespace {

api::Version v(std::string_view text) {
  return *api::parse_version(text);
}

MemberAddresses addresses() {
  return {"https://127.0.0.1:12379", "https://127.0.0.1:12379", "https://127.0.0.1:12380",
          "https://127.0.0.1:12380", "http://127.0.0.1:12381"};
}
MemberAddresses plain_addresses() {
  return {"http://127.0.0.1:12379", "http://127.0.0.1:12379", "http://127.0.0.1:12380",
          "http://127.0.0.1:12380", ""};
}
TlsPaths paths() {
  return {{"/tls/server.crt", "/tls/server.key", "/tls/ca.crt"},
          {"/tls/peer.crt", "/tls/peer.key", "/tls/peer-ca.crt"},
          {}};
}

api::ClusterSpec with_options() {
  api::ClusterSpec spec;
  // As a user of 3.5 would write them; later versions have other names for some.
  spec.etcd_options = {"--auto-compaction-mode=periodic", "--auto-compaction-retention=1h",
                       "--experimental-compaction-batch-limit=2000", "--enable-pprof",
                       "--experimental-initial-corrupt-check=false"};
  return spec;
}

std::string lines(const base::Result<std::vector<std::string>>& args) {
  if (!args) return args.error().text() + "\n";
  std::string out;
  for (const auto& arg : *args) out += arg + "\n";
  return out;
}

// EO_REWRITE=1 in the environment writes what comes out over what is expected.
void expect_golden(const std::string& name, const std::string& text) {
  const std::string path = "tests/golden/etcd_args/" + name;
  if (std::getenv("EO_REWRITE") != nullptr) std::ofstream(path) << text;
  std::ifstream in(path);
  std::ostringstream expected;
  expected << in.rdbuf();
  EXPECT_EQ(text, expected.str()) << path;
}

constexpr std::array kVersions{"3.4.23", "3.5.12", "3.5.33", "3.6.16", "3.7.3"};

TEST(EtcdArgs, Golden) {
  for (const std::string version : kVersions) {
    expect_golden(version + "-tls.txt", lines(etcd_args({}, v(version), addresses(), paths())));
    expect_golden(version + "-options.txt",
                  lines(etcd_args(with_options(), v(version), plain_addresses(), {})));
  }
}

TEST(EtcdArgs, GatesAreMergedAndTheUserWins) {
  api::ClusterSpec spec;
  spec.etcd_options = {"--feature-gates=CompactHashCheck=false,SetMemberLocalAddr=true"};
  const auto args = lines(etcd_args(spec, v("3.6.16"), addresses(), {}));
  EXPECT_NE(args.find("--feature-gates=CompactHashCheck=false,InitialCorruptCheck=true,"
                      "SetMemberLocalAddr=true\n"),
            std::string::npos)
      << args;
}

TEST(EtcdArgs, WhatAVersionLacksIsLeftOutAndNamed) {
  api::ClusterSpec spec;
  spec.etcd_options = {"--max-learners=2", "--snapshot-count=5000"};
  EXPECT_EQ(options_left_out(spec, v("3.5.33")), std::vector<std::string>{"--max-learners=2"});
  EXPECT_TRUE(options_left_out(spec, v("3.6.16")).empty());
  EXPECT_EQ(lines(etcd_args(spec, v("3.5.33"), addresses(), {})).find("max-learners"),
            std::string::npos);
}

TEST(EtcdArgs, RefusesUnknownVersionsAndOwnedFlags) {
  EXPECT_FALSE(etcd_args({}, v("3.8.0"), addresses(), {}).has_value());
  api::ClusterSpec spec;
  spec.etcd_options = {"--data-dir=/tmp"};
  EXPECT_FALSE(etcd_args(spec, v("3.5.33"), addresses(), {}).has_value());
}

TEST(TemplateHash, ChangesWithWhatNeedsARestartOnly) {
  api::ClusterSpec spec = with_options();
  const auto before = template_hash(spec, "ca1", api::Platform::kHost);
  EXPECT_EQ(before.size(), 16U);
  std::swap(spec.etcd_options[0], spec.etcd_options[1]);
  spec.etcd_options[3] = "--enable-pprof=true";
  spec.size = 5;
  spec.version = v("3.6.16");
  spec.pod.raw_json["resources"] = "{}";
  EXPECT_EQ(template_hash(spec, "ca1", api::Platform::kHost), before);
  EXPECT_NE(template_hash(spec, "ca2", api::Platform::kHost), before);
  EXPECT_NE(template_hash(spec, "ca1", api::Platform::kKubernetes), before);
  spec.etcd_options.pop_back();
  EXPECT_NE(template_hash(spec, "ca1", api::Platform::kHost), before);
  api::ClusterSpec plain = with_options();
  plain.tls.mode = api::TlsMode::kDisabled;
  // The planner leads from one mode to another, and says so in the template.
  EXPECT_EQ(template_hash(plain, "ca1", api::Platform::kHost), before);
}

}  // namespace
}  // namespace render
