// Input made to hurt: too long, too deep, binary, bombs, torn anywhere. It is refused with a
// message and costs little.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "describe.h"

namespace testing_manifests {
namespace {

api::Manifest parse(const std::string& text, const std::string& name = "t.yaml") {
  return api::parse_manifest(text, name, api::Platform::kHost);
}

std::string first_error(const api::Manifest& manifest) {
  const auto lines = manifest.lines(api::Severity::kError);
  return lines.empty() ? "" : lines.front();
}

std::string good(const std::string& name) {
  return fmt::format(
      "apiVersion: operator.etcd.io/v1alpha1\nkind: EtcdCluster\nmetadata: {{name: {}}}\n"
      "spec: {{size: 3, version: 3.5.33}}\n",
      name);
}

TEST(Hostile, TooLong) {
  const std::string text = good("a") + "# " + std::string(2 << 20, 'x') + "\n";
  EXPECT_EQ(first_error(parse(text)),
            fmt::format("t.yaml: the file has {} bytes; at most 1048576 are read", text.size()));
  EXPECT_NE(first_error(parse(text, "t.json")), "");
}

TEST(Hostile, TooManyDocuments) {
  std::string text;
  for (int i = 0; i < 101; ++i) text += "---\n" + good(fmt::format("c{}", i));
  EXPECT_NE(first_error(parse(text)).find("more than 100 documents"), std::string::npos);
}

TEST(Hostile, TooDeep) {
  for (const int depth : {65, 1000, 100'000}) {
    const std::string open(static_cast<size_t>(depth), '[');
    const std::string maps = [&] {
      std::string out;
      for (int i = 0; i < depth; ++i) out += "{a: ";
      return out;
    }();
    for (const auto& text : {open, open + std::string(open.size(), ']'), maps}) {
      EXPECT_NE(first_error(parse(text)), "") << depth;
      EXPECT_NE(first_error(parse(text, "t.json")), "") << depth;
    }
  }
  std::string block;
  for (int i = 0; i < 500; ++i) block += std::string(static_cast<size_t>(i), ' ') + "a:\n";
  EXPECT_NE(first_error(parse(block)).find("nested deeper than 64"), std::string::npos)
      << first_error(parse(block));
  std::string dashes;
  for (int i = 0; i < 50'000; ++i) dashes += "- ";
  EXPECT_NE(first_error(parse(dashes)), "");
}

TEST(Hostile, AliasesThatGrow) {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    text += fmt::format("a{}: &a{} [", i, i);
    for (int k = 0; k < 10; ++k) text += fmt::format("{}*a{}", k == 0 ? "" : ", ", i - 1);
    text += "]\n";
  }
  EXPECT_NE(first_error(parse(text)).find("more than 20000 values"), std::string::npos)
      << first_error(parse(text));
  // One long text, used often.
  std::string copies = "a: &a " + std::string(500'000, 'x') + "\nb: [";
  for (int i = 0; i < 10'000; ++i) copies += "*a, ";
  EXPECT_NE(first_error(parse(copies + "]\n")).find("more than 20000 values"), std::string::npos);
  // Each level nests the one before: as deep as it likes.
  std::string deep = "a0: &a0 [x]\n";
  for (int i = 1; i < 100; ++i) deep += fmt::format("a{}: &a{} [*a{}]\n", i, i, i - 1);
  EXPECT_NE(first_error(parse(deep)).find("nested deeper than 64"), std::string::npos)
      << first_error(parse(deep));
}

TEST(Hostile, Binary) {
  EXPECT_EQ(first_error(parse(std::string("\x7F"
                                          "ELF\0\1\2",
                                          7))),
            "t.yaml: line 1: a control character (0x7f); this is not a text file");
  EXPECT_EQ(first_error(parse(good("a") + "# \xff\xfe\n")),
            "t.yaml: line 5: the text is not UTF-8");
  EXPECT_EQ(first_error(parse(std::string("a\0b", 3))),
            "t.yaml: line 1: a control character (0x00); this is not a text file");
  EXPECT_NE(first_error(parse("a: \"\\0\"\n")).find("NUL"), std::string::npos);
  std::string noise;
  unsigned state = 1;
  for (int i = 0; i < 10'000; ++i) {
    state = state * 1664525U + 1013904223U;
    noise.push_back(static_cast<char>(state >> 24));
  }
  EXPECT_NE(first_error(parse(noise)), "");
  EXPECT_NE(first_error(parse(noise, "t.json")), "");
}

TEST(Hostile, TornAnywhereIsReadOrRefused) {
  for (const char* name :
       {"examples/production-etcd.yaml", "examples/cloud-etcd.yaml",
        "tests/manifests/good/own-fields.yaml", "tests/manifests/good/cluster.json"}) {
    std::ifstream in(name);
    std::ostringstream whole;
    whole << in.rdbuf();
    const std::string text = whole.str();
    ASSERT_FALSE(text.empty()) << name;
    for (size_t size = 0; size <= text.size(); ++size) {
      const auto manifest = parse(text.substr(0, size), name);
      EXPECT_TRUE(size < text.size() || manifest.ok());
      for (const auto& document : manifest.documents)
        EXPECT_TRUE(document.ok() || !document.problems.empty()) << name << " at " << size;
    }
  }
}

TEST(Hostile, BadDocumentsHideNoGoodOnes) {
  const auto manifest =
      parse(good("a") + "---\n{torn\n---\n\t\n---\n" + good("b") + "---\n*x\n---\n" + good("c"));
  std::string names;
  for (const auto& document : manifest.documents)
    if (const auto* cluster = document.cluster()) names += cluster->key.name;
  EXPECT_EQ(names, "abc");
  EXPECT_FALSE(manifest.ok());
}

TEST(Hostile, TooManyItems) {
  std::string items, text;
  for (int i = 0; i < 900; ++i) items += "- {}\n";
  for (int i = 0; i < 90; ++i) text += "---\nkind: List\nitems:\n" + items;
  const auto manifest = parse(text);
  EXPECT_LE(manifest.documents.size(), 1000U);
  EXPECT_EQ(manifest.documents.back().problems.at(0).text(),
            "items: at most 1000 objects are read of one file");
}

TEST(Hostile, ProblemsAreBounded) {
  std::string text = good("a");
  for (int i = 0; i < 5000; ++i) text += fmt::format("field{}: 1\n", i);
  const auto manifest = parse(text);
  EXPECT_TRUE(manifest.ok());
  EXPECT_LE(manifest.lines(api::Severity::kWarning).size(), 101U);
}

}  // namespace
}  // namespace testing_manifests
