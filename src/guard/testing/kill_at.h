// Runs a guard and kills it at an exact point of its life.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace guard::testing {

struct KillAt {
  std::string path_part;         // counted are the renames of a path that contains this
  int rename = 1;                // killed as this one of them begins; the one before was done
  std::function<bool()> enough;  // true: it has lived long enough, whatever it has renamed
};
// Runs the program to its death. True: it was killed at that rename; false: it came to `enough`
// before, and was killed then. Its own children are not followed; a guard's die with it.
bool run_killed_at(const std::vector<std::string>& argv, const KillAt& at);

}  // namespace guard::testing
