// For tests of the continuous mode: the history of bolt/testing/sample.h as a watch gives it.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "archive/fake_member.h"
#include "archive/segment.h"
#include "etcd/bolt/record.h"
#include "etcd/history_api.h"

namespace archive::testing {

// Main revisions `from` to `to` of a sample, as etcd would send them.
inline std::vector<etcd::Event> events_of(const bolt::testing::Sample& sample, std::int64_t from,
                                          std::int64_t to) {
  std::vector<etcd::Event> out;
  const auto& keys = sample.buckets.at("key");
  for (auto at = keys.lower_bound(bolt::revision_key({from, 0}, false)); at != keys.end(); ++at) {
    const auto record = bolt::parse_record(at->first, at->second);
    if (!record || record->revision.main > to) break;
    etcd::Event event{.deleted = record->tombstone, .kv = at->second};
    if (event.deleted) {
      event.kv += '\x18';  // mod_revision
      for (auto left = static_cast<std::uint64_t>(record->revision.main);; left >>= 7) {
        event.kv += static_cast<char>(left < 0x80 ? left : left | 0x80);
        if (left < 0x80) break;
      }
    }
    out.push_back(std::move(event));
  }
  return out;
}

// The same as records of a log.
inline std::string records_of(const bolt::testing::Sample& sample, std::int64_t from,
                              std::int64_t to, std::uint32_t* count = nullptr) {
  std::string out;
  for (const auto& [key, value] : sample.buckets.at("key")) {
    const auto record = bolt::parse_record(key, value);
    if (!record || record->revision.main < from || record->revision.main > to) continue;
    append_record(out, {key, value});
    if (count != nullptr) ++*count;
  }
  return out;
}

// What a compaction at `at` leaves.
inline void compact(bolt::testing::Sample& sample, std::int64_t at) {
  std::map<std::string, std::string> newest;  // key: its last record up to then
  auto& keys = sample.buckets["key"];
  for (const auto& [key, value] : keys) {
    const auto record = bolt::parse_record(key, value);
    if (record && record->revision.main <= at) newest[std::string(record->key)] = key;
  }
  std::erase_if(keys, [&](const auto& item) {
    const auto record = bolt::parse_record(item.first, item.second);
    if (!record || record->revision.main > at) return false;
    return newest[std::string(record->key)] != item.first ||
           (record->tombstone && record->revision.main < at);
  });
  sample.mark_compacted(at);
}

// A change of some kind; sub revisions, deletions of what is there, empty and large values.
template <class Dice>
void change(bolt::testing::Sample& sample, Dice& dice) {
  const auto key = [&] { return "k" + std::to_string(dice() % 12); };
  const auto many = dice() % 4 == 0 ? 1 + dice() % 6 : 1;
  std::vector<std::string> used;
  for (std::uint64_t i = 0; i < many; ++i) {
    const auto name = key();
    if (std::ranges::find(used, name) != used.end()) continue;
    const bool more = !used.empty();
    used.push_back(name);
    if (dice() % 3 == 0 && sample.keys.contains(name))
      sample.remove(name, more);
    else
      sample.put(name, std::string(dice() % 5 == 0 ? dice() % 9000 : dice() % 9, 'v'),
                 dice() % 5 == 0 ? static_cast<std::int64_t>(1 + dice() % 4) : 0, more);
  }
}

}  // namespace archive::testing
