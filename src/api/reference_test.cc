#include "api/reference.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace api {
namespace {

// EO_REWRITE=1 in the environment writes the page anew.
void expect_page(const std::string& name, const std::string& text) {
  const std::string path = "docs/reference/" + name;
  if (std::getenv("EO_REWRITE") != nullptr) std::ofstream(path) << text;
  std::ifstream in(path);
  std::ostringstream page;
  page << in.rdbuf();
  EXPECT_EQ(text, page.str()) << path;
}

TEST(Reference, PagesAreThoseOfTheTables) {
  expect_page("fields.md", fields_page());
  expect_page("conditions.md", conditions_page());
  expect_page("versions.md", versions_page());
  expect_page("etcd-options.md", options_page());
}

}  // namespace
}  // namespace api
