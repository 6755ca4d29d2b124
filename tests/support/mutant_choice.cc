// Linked into the programs that look for mutants, in their build only. EO_MUTANT names one; "list"
// prints them all. A name that does not exist ends the program, so that nothing is caught by a
// typo.
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "base/mutants.h"

namespace {

constexpr int kNoSuchMutant = 66;

struct Choice {
  Choice() {
    const char* name = std::getenv("EO_MUTANT");
    if (name == nullptr || *name == '\0') return;
    if (std::string_view(name) == "list") {
      for (const auto& m : base::mutants()) fmt::print("{}\t{}\t{}\n", m.name, m.source, m.what);
      std::fflush(stdout);
      std::_Exit(0);
    }
    if (!base::choose_mutant(name)) {
      fmt::print(stderr, "EO_MUTANT: there is no mutant '{}'\n", name);
      std::_Exit(kNoSuchMutant);
    }
    chosen = true;
  }
  ~Choice() {
    if (chosen) fmt::print(stderr, "mutant asked for {} times\n", base::mutant_asked());
  }
  bool chosen = false;
};
const Choice choice;

}  // namespace
