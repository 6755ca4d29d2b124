#include "sim/stores/database.h"

#include <set>
#include <string_view>
#include <vector>

#include "etcd/bolt/testing/sample.h"

namespace sim {

std::string database_of(const State& state, std::int64_t revision, std::uint32_t wrong_bytes) {
  std::vector<const Put*> puts;  // the newest first
  std::set<std::string_view> below;
  for (const Put* put = state.puts.get(); put != nullptr; put = put->before.get()) {
    if (put->revision > revision) continue;
    // A compaction leaves the newest of each key.
    if (put->revision <= state.compacted && !below.insert(put->key).second) continue;
    puts.push_back(put);
  }
  bolt::testing::Sample sample;
  for (auto at = puts.rbegin(); at != puts.rend(); ++at) {
    sample.revision = (*at)->revision - 1;
    const bool wrong = wrong_bytes != 0 && at + 1 == puts.rend();
    sample.put((*at)->key, wrong ? (*at)->value + "?" : (*at)->value);
  }
  if (state.compacted > 0) sample.mark_compacted(state.compacted);
  return sample.file();
}

}  // namespace sim
