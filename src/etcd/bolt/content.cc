#include "etcd/bolt/content.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "base/wire.h"
#include "etcd/bolt/record.h"
#include "json/json.h"

namespace bolt {
namespace {

using base::Code;

// They are held in memory. Ids of removed members are never forgotten by etcd.
constexpr std::size_t kMaxMembers = 1000, kMaxRemoved = 100'000, kMaxText = 65'536;

std::unexpected<base::Error> bad(std::string why) {
  return base::fail(Code::kDataLoss, std::move(why));
}

base::Result<base::MemberId> member_id(std::string_view key) {
  const auto id = base::parse_hex(key);
  if (!id) return bad("a member whose id is no number in hex");
  return base::MemberId{*id};
}

base::Result<std::vector<std::string>> urls(const json::Value& member, std::string_view key) {
  std::vector<std::string> out;
  const json::Value* list = member.find(key);
  if (list == nullptr || list->is_null()) return out;
  const json::Array* items = list->if_array();
  if (items == nullptr) return bad(fmt::format("{} is no list", key));
  for (const auto& item : *items) {
    TRY(auto url, item.as_string());
    out.push_back(std::move(url));
  }
  return out;
}

base::Result<StoredMember> parse_member(std::string_view key, std::string_view value) {
  if (value.size() > kMaxText) return bad("a member of more than 64 KiB");
  StoredMember out;
  TRY(out.id, member_id(key));
  TRY(const auto member, json::parse(value));
  if (const auto id = json::get_uint(member, "id"); !id || *id != out.id.value)
    return bad("it is under the id of another");
  TRY(out.peer_urls, urls(member, "peerURLs"));
  TRY(out.client_urls, urls(member, "clientURLs"));
  if (member.find("name") != nullptr) {
    TRY(out.name, json::get_string(member, "name"));
  }
  if (member.find("isLearner") != nullptr) {
    TRY(out.learner, json::get_bool(member, "isLearner"));
  }
  return out;
}

base::Status read_member(std::string_view key, std::string_view value, Content& content) {
  if (content.members.size() == kMaxMembers) return bad("more members than any cluster has");
  auto member = parse_member(key, value);
  if (!member) return bad(fmt::format("member {}: {}", key.substr(0, 32), member.error().message));
  content.members.push_back(*std::move(member));
  std::ranges::sort(content.members, {}, [](const auto& m) { return m.id.value; });
  return {};
}

base::Status read_removed(std::string_view key, Content& content) {
  if (content.removed.size() == kMaxRemoved) return bad("more removed members than are read");
  TRY(const auto id, member_id(key));
  content.removed.push_back(id);
  return {};
}

base::Status read_text(std::string_view key, std::string_view value, std::string& out) {
  if (value.size() > kMaxText) return bad(fmt::format("{} of more than 64 KiB", key));
  out = value;
  return {};
}

base::Status read_number(std::string_view key, std::string_view value,
                         std::optional<std::uint64_t>& out) {
  if (value.size() != 8) return bad(fmt::format("{} of {} bytes", key, value.size()));
  out = load_big(value, 0);
  return {};
}

base::Status read_mark(std::string_view key, std::string_view value, std::int64_t& out) {
  bool tombstone = false;
  const auto revision = parse_revision(value, tombstone);
  if (!revision || tombstone) return bad(fmt::format("{} is no revision", key));
  out = revision->main;
  return {};
}

base::Status read_meta(std::string_view key, std::string_view value, Content& content) {
  if (key == "consistent_index") return read_number(key, value, content.consistent_index);
  if (key == "term") return read_number(key, value, content.term);
  if (key == "confState") return read_text(key, value, content.conf_state);
  if (key == "storageVersion") return read_text(key, value, content.storage_version);
  if (key == "finishedCompactRev") return read_mark(key, value, content.finished_compaction);
  if (key == "scheduledCompactRev") return read_mark(key, value, content.scheduled_compaction);
  return {};
}

base::Status read_auth(std::string_view key, std::string_view value, Content& content) {
  if (key == "authEnabled") {
    if (value.size() != 1) return bad(fmt::format("authEnabled of {} bytes", value.size()));
    content.auth_enabled = value[0] != 0;
  }
  if (key == "authRevision") {
    std::optional<std::uint64_t> revision;
    TRY_OK(read_number(key, value, revision));
    content.auth_revision = *revision;
  }
  return {};
}

base::Status read_alarm(std::string_view key, Content& content) {
  std::array<std::uint64_t, 3> number{};
  base::WireReader wire(key);
  while (const auto field = wire.next())
    if (field->number < number.size()) number[field->number] = field->value;
  if (wire.bad()) return bad("an alarm that cannot be read");
  if (content.alarms.size() == kMaxMembers) return bad("more alarms than members can raise");
  content.alarms.push_back({base::MemberId{number[1]}, number[2]});
  return {};
}

}  // namespace

std::int64_t Content::compact_revision() const {
  return std::max(finished_compaction, scheduled_compaction);
}

base::Status read_item(std::string_view bucket, std::string_view key, std::string_view value,
                       Content& content) {
  if (bucket == "meta") return read_meta(key, value, content);
  if (bucket == "members") return read_member(key, value, content);
  if (bucket == "members_removed") return read_removed(key, content);
  if (bucket == "auth") return read_auth(key, value, content);
  if (bucket == "authUsers") ++content.users;
  if (bucket == "authRoles") ++content.roles;
  if (bucket == "alarm") return read_alarm(key, content);
  if (bucket == "cluster" && key == "clusterVersion")
    return read_text(key, value, content.cluster_version);
  if (bucket == "cluster" && key == "downgrade") return read_text(key, value, content.downgrade);
  if (bucket == "lease") {
    const auto lease = parse_lease(key, value);
    if (!lease) return std::unexpected(lease.error());
    ++content.leases;
  }
  return {};
}

}  // namespace bolt
