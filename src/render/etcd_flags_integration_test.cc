// The table of etcd's flags against real programs of each minor version. `--version` at the end
// makes etcd parse all flags, print its version and end, without touching anything.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "api/etcd_options.h"
#include "render/etcd_args.h"

namespace render {
namespace {

// As tools/etcd-versions: the oldest line only where every test runs at full depth.
std::vector<const char*> versions() {
  std::vector<const char*> out{"3.5.12", "3.5.33", "3.6.16", "3.7.3"};
  const char* depth = std::getenv("EO_DEPTH");
  if (depth != nullptr && std::string_view(depth) == "full") out.push_back("3.4.23");
  return out;
}

std::string etcd_of(const std::string& version) {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  const auto root = cache != nullptr && *cache != 0
                        ? std::string(cache)
                        : fmt::format("{}/.cache", home == nullptr ? "" : home);
  return fmt::format("{}/etcd-operator/etcd/v{}/etcd", root, version);
}

// What it prints; the arguments hold no character that a shell would read.
std::string output_of(const std::string& command) {
  std::string out;
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return "cannot start " + command;
  std::array<char, 4096> buffer{};
  while (const size_t n = std::fread(buffer.data(), 1, buffer.size(), pipe))
    out.append(buffer.data(), n);
  ::pclose(pipe);
  return out;
}

class EtcdFlags : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    ASSERT_TRUE(std::filesystem::exists(etcd_of(GetParam())))
        << "fetch it first: etcd-operator fetch-etcd " << GetParam();
  }
  // etcd stops at the first flag that it does not take: one whose value is wrong is known, and the
  // rest is tried again without it.
  void expect_all_known(std::vector<std::string> names) const {
    for (;;) {
      std::string line;
      for (const auto& name : names) line += fmt::format(" --{}=1", name);
      const auto out = run(line);
      if (out.starts_with("etcd Version: ")) return;
      const auto refused = std::ranges::find_if(names, [&](const std::string& name) {
        return out.find(fmt::format("flag -{}:", name)) < out.find('\n');
      });
      ASSERT_NE(refused, names.end()) << out.substr(0, 200);
      names.erase(refused);
    }
  }
  [[nodiscard]] std::string run(const std::string& args) const {
    return output_of(etcd_of(GetParam()) + " " + args + " --version");
  }
};

TEST_P(EtcdFlags, WhatIsRenderedIsAccepted) {
  api::ClusterSpec spec;
  spec.etcd_options = {"--experimental-compaction-batch-limit=2000", "--enable-pprof",
                       "--auto-compaction-retention=1h", "--quota-backend-bytes=4294967296"};
  const TlsPaths tls{{"/a", "/b", "/c"}, {"/d", "/e", "/f"}, {}};
  const auto args = etcd_args(spec, *api::parse_version(GetParam()),
                              {"https://127.0.0.1:1", "https://127.0.0.1:1", "https://127.0.0.1:2",
                               "https://127.0.0.1:2", "http://127.0.0.1:3"},
                              tls);
  ASSERT_TRUE(args.has_value());
  std::string line;
  for (const auto& arg : *args) line += " " + arg;
  const auto out = run(line);
  EXPECT_TRUE(out.starts_with(std::string("etcd Version: ") + GetParam())) << line << "\n" << out;
}

TEST_P(EtcdFlags, TableSaysWhatEtcdKnows) {
  // Known to etcd under this version, but left out of the table on purpose.
  const std::set<std::string> kLeftOut{
      "enable-lease-checkpoint in 3.4.23",          // panics there
      "enable-lease-checkpoint-persist in 3.4.23",  // panics there
      "max-concurrent-streams in 3.4.23"};          // 3.5.0 to 3.5.6 lack it again
  const auto version = *api::parse_version(GetParam());
  const auto known = [&](const std::string& name) {
    return !run(fmt::format("--{}=1", name)).starts_with("flag provided but not defined");
  };
  std::vector<std::string> forms;
  for (const auto& flag : api::etcd_flags()) {
    const auto form = api::flag_name_in(flag, version);
    const std::string name(flag.name);
    if (form) {
      if (name != "help") forms.push_back(*form);  // it ends etcd at once
    } else if (!kLeftOut.contains(name + " in " + GetParam())) {
      EXPECT_FALSE(known(name)) << name;
      if (!flag.experimental_since.empty() && (flag.gate.empty() || version.minor < 6)) {
        EXPECT_FALSE(known("experimental-" + name)) << "experimental-" << name;
      }
    }
  }
  expect_all_known(forms);
}

TEST_P(EtcdFlags, EveryFlagOfTheHelpIsInTheTable) {
  const auto help = output_of(etcd_of(GetParam()) + " --help");
  size_t found = 0;
  for (size_t at = help.find("\n  --"); at != std::string::npos; at = help.find("\n  --", at + 1)) {
    const size_t begin = at + 5;
    const auto name = help.substr(begin, help.find_first_of(" =\n", begin) - begin);
    EXPECT_NE(api::find_etcd_flag(name), nullptr) << name;
    ++found;
  }
  EXPECT_GT(found, 70U);
}

INSTANTIATE_TEST_SUITE_P(Versions, EtcdFlags, testing::ValuesIn(versions()), [](const auto& info) {
  std::string name = info.param;
  for (char& c : name)
    if (c == '.') c = '_';
  return "v" + name;
});

}  // namespace
}  // namespace render
