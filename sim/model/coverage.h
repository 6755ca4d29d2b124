// What was met over several runs, and whether that is all.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sim/model/tally.h"

namespace sim::model {

// A line for each thing: "step KillEtcd 12".
std::string coverage_text(const Counts& counts);
// A name that this program does not know is an error: the file is of another build.
base::Result<Counts> parse_coverage(std::string_view text);

// What no run can meet, and why.
struct Unreachable {
  std::string_view group, name, why;
};
std::span<const Unreachable> unreachable();

// Empty: everything was met, and nothing that the list says cannot be. Else what is wrong, each as
// a line: what was never met, what is listed and was met, what is listed and is not there.
std::vector<std::string> lacks_of(const Counts& counts, std::span<const Unreachable> list);

}  // namespace sim::model
