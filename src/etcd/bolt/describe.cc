#include "etcd/bolt/describe.h"

#include <fmt/format.h>

#include "base/text.h"

namespace bolt {
namespace {

json::Value members_of(const Content& content) {
  json::Array out;
  for (const auto& member : content.members)
    out.push_back(json::Object{{"id", base::to_text(member.id)},
                               {"name", member.name},
                               {"peerURLs", member.peer_urls},
                               {"clientURLs", member.client_urls},
                               {"learner", member.learner}});
  return out;
}

std::string_view alarm_name(std::uint64_t kind) {
  return kind == 1 ? "NOSPACE" : kind == 2 ? "CORRUPT" : "unknown";
}

json::Value alarms_of(const Content& content) {
  json::Array out;
  for (const auto& alarm : content.alarms)
    out.push_back(
        json::Object{{"member", base::to_text(alarm.member)}, {"alarm", alarm_name(alarm.kind)}});
  return out;
}

std::string member_line(const Content& content) {
  std::vector<std::string> out;
  for (const auto& member : content.members)
    out.push_back(fmt::format("{} ({}{})", member.name.empty() ? "not started" : member.name,
                              base::to_text(member.id), member.learner ? ", learner" : ""));
  return out.empty() ? "none" : base::join(out, ", ");
}

std::string history_line(const SnapshotFacts& facts) {
  const std::int64_t compacted = facts.content.compact_revision();
  if (compacted == 0) return "whole";
  return fmt::format("compacted at {}{}", compacted,
                     facts.content.finished_compaction == compacted ? "" : ", not to its end");
}

}  // namespace

json::Value to_json(const SnapshotFacts& facts) {
  const Content& content = facts.content;
  json::Object out{{"revision", facts.revision},
                   {"compactRevision", content.compact_revision()},
                   {"keys", facts.live_keys},
                   {"records", facts.records},
                   {"deletions", facts.tombstones},
                   {"items", facts.items},
                   {"databaseBytes", facts.database_bytes},
                   {"fileBytes", facts.file_bytes},
                   {"pageBytes", facts.page_size},
                   {"crc", facts.crc}};
  if (!facts.sha256.empty()) out["sha256"] = facts.sha256;
  if (facts.hash)
    out["hashKV"] = json::Object{{"hash", facts.hash->hash},
                                 {"revision", facts.hash->revision},
                                 {"compactRevision", facts.hash->compact_revision}};
  if (!content.cluster_version.empty()) out["clusterVersion"] = content.cluster_version;
  if (!content.storage_version.empty()) out["storageVersion"] = content.storage_version;
  if (content.consistent_index) out["consistentIndex"] = *content.consistent_index;
  if (content.term) out["term"] = *content.term;
  out["members"] = members_of(content);
  out["removedMembers"] = content.removed.size();
  out["leases"] = content.leases;
  out["alarms"] = alarms_of(content);
  out["auth"] = json::Object{{"enabled", content.auth_enabled},
                             {"revision", content.auth_revision},
                             {"users", content.users},
                             {"roles", content.roles}};
  return out;
}

std::string to_text(const SnapshotFacts& facts) {
  const Content& content = facts.content;
  std::string out;
  const auto line = [&](std::string_view name, const std::string& text) {
    out += fmt::format("  {:<9} {}\n", name, text);
  };
  line("revision", std::to_string(facts.revision));
  line("history", history_line(facts));
  line("keys", fmt::format("{} ({} records, {} of them deletions)", facts.live_keys, facts.records,
                           facts.tombstones));
  line("leases", std::to_string(content.leases));
  line("members", member_line(content));
  line("versions",
       fmt::format("cluster {}, storage {}",
                   content.cluster_version.empty() ? "unknown" : content.cluster_version,
                   content.storage_version.empty() ? "not stored" : content.storage_version));
  if (content.auth_enabled)
    line("auth", fmt::format("enabled, {} users, {} roles", content.users, content.roles));
  for (const auto& alarm : content.alarms)
    line("alarm", fmt::format("{} of {}", alarm_name(alarm.kind), base::to_text(alarm.member)));
  line("size", fmt::format("{} bytes in pages of {}", facts.database_bytes, facts.page_size));
  line("SHA-256", facts.sha256.empty() ? "not in the file: nothing proves its bytes"
                                       : facts.sha256 + ", as at its end");
  if (facts.hash)
    line("HashKV", fmt::format("{} at revision {}", facts.hash->hash, facts.hash->revision));
  line("etcdutl", fmt::format("hash {:08x}", facts.crc));
  return out;
}

}  // namespace bolt
