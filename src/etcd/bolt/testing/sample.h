// A small etcd in memory that only keeps history, and its database file: for tests and fuzzers.
#pragma once

#include <fmt/format.h>

#include <map>
#include <string>
#include <string_view>

#include "etcd/bolt/database.h"
#include "etcd/bolt/record.h"
#include "etcd/bolt/writer.h"

namespace bolt::testing {

using Buckets = std::map<std::string, std::map<std::string, std::string>>;

// The file; an error as text where there is none.
inline std::string file_of(const Buckets& buckets, const WriteOptions& options = {}) {
  std::string out;
  const auto written = write_database(
      [&](Items& items) -> base::Status {
        for (const auto& [name, content] : buckets) {
          TRY_OK(items.bucket(name));
          for (const auto& [key, value] : content) TRY_OK(items.item(key, value));
        }
        return {};
      },
      [&](std::string_view bytes) -> base::Status {
        out += bytes;
        return {};
      },
      options);
  return written ? out : written.error().text();
}

inline std::string number(std::uint64_t value) {
  std::string out;
  append_big(out, value);
  return out;
}

struct Sample {
  struct Key {
    std::int64_t created = 0, version = 0;
  };
  Buckets buckets;
  std::int64_t revision = 1, sub = 0;  // sub: of the next change of a transaction
  std::map<std::string, Key> keys;     // those that are there

  Sample() {
    for (const char* name : {"alarm", "auth", "authRoles", "authUsers", "cluster", "key", "lease",
                             "members", "members_removed", "meta"})
      buckets[name];
    buckets["meta"]["consistent_index"] = number(17);
    buckets["meta"]["term"] = number(2);
    buckets["cluster"]["clusterVersion"] = "3.5.0";
    buckets["members"]["8e9e05c52164694d"] =
        R"({"id":10276657743932975437,"peerURLs":["http://127.0.0.1:2380"],"name":"a",)"
        R"("clientURLs":["http://127.0.0.1:2379"]})";
  }

  // Each change is a transaction of its own unless `more` says that it goes on with the last one.
  void put(const std::string& key, std::string_view value, std::int64_t lease = 0,
           bool more = false) {
    next(more);
    Key& now = keys[key];
    if (now.version++ == 0) now.created = revision;
    Record record;
    record.key = key;
    record.value = value;
    record.create_revision = now.created;
    record.mod_revision = revision;
    record.version = now.version;
    record.lease = lease;
    buckets["key"][revision_key({revision, sub++}, false)] = record_value(record);
  }
  void remove(const std::string& key, bool more = false) {
    next(more);
    keys.erase(key);
    Record record;
    record.key = key;
    record.tombstone = true;
    buckets["key"][revision_key({revision, sub++}, true)] = record_value(record);
  }
  void mark_compacted(std::int64_t at, bool finished = true) {
    buckets["meta"]["scheduledCompactRev"] = revision_key({at, 0}, false);
    if (finished) buckets["meta"]["finishedCompactRev"] = revision_key({at, 0}, false);
  }
  void grant(std::int64_t id, std::uint8_t ttl) {
    std::string value = "\x08";
    for (auto left = static_cast<std::uint64_t>(id);; left >>= 7) {
      value += static_cast<char>(left < 0x80 ? left : left | 0x80);
      if (left < 0x80) break;
    }
    buckets["lease"][number(static_cast<std::uint64_t>(id))] =
        value + '\x10' + static_cast<char>(ttl);
  }
  [[nodiscard]] std::string file(const WriteOptions& options = {}) const {
    return file_of(buckets, options);
  }

 private:
  void next(bool more) {
    if (more) return;
    ++revision;
    sub = 0;
  }
};

}  // namespace bolt::testing
