// One member: what is answered and refused without anybody else.
#include <fmt/format.h>

#include <algorithm>

#include "conformance/etcd_cases.h"

namespace conformance {
namespace {

constexpr base::MemberId kNobody{0x1234};
using enum etcd::DowngradeAction;

std::int64_t revision(Bench& b) {
  return b.api(0).quorum_read(kCall).value_or(-1);
}

// In one clean-up, so that the cases stay independent.
void remove_learners(Bench& b) {
  const auto list = b.api(0).member_list(true, kCall);
  for (size_t i = 0; list && i < list->members.size(); ++i)
    if (list->members[i].learner)
      static_cast<void>(b.api(0).member_remove(list->members[i].id, kCall));
}

void put_and_read(Bench& b, Script& s) {
  const auto before = revision(b);
  const auto put = b.api(0).put("a", "1", kCall);
  if (s.call("put", put)) s.count("revisions", *put - before);
  static_cast<void>(b.api(0).put("a", std::string("\0\xff two", 6), kCall));
  for (const bool serializable : {false, true}) {
    const auto r = b.api(0).range("a", "", serializable, 0, kCall);
    if (!s.call("range", r)) continue;
    s.count("count", r->count);
    s.count("versions", r->kvs.at(0).version);
    s.note("value", r->kvs.at(0).value == std::string("\0\xff two", 6));
    s.count("written at", r->kvs.at(0).mod_revision - before);
    s.count("created at", r->kvs.at(0).create_revision - before);
  }
}

void an_old_revision_is_read(Bench& b, Script& s) {
  const auto first = b.api(0).put("old", "1", kCall);
  static_cast<void>(b.api(0).put("old", "2", kCall));
  const auto r = b.api(0).range("old", "", false, first.value_or(0), kCall);
  if (s.call("range", r)) s.note("value", r->kvs.at(0).value);
}

void ranges_of_keys(Bench& b, Script& s) {
  for (const char* key : {"r/a", "r/b", "r/c"}) static_cast<void>(b.api(0).put(key, key, kCall));
  const auto some = b.api(0).range("r/a", "r/c", false, 0, kCall);
  if (s.call("half open", some))
    for (const auto& kv : some->kvs) s.note("key", kv.key);
  const auto none = b.api(0).range("r/d", "", false, 0, kCall);
  if (s.call("absent", none)) s.count("count", none->count);
  const auto rest = b.api(0).range("r/b", std::string(1, '\0'), false, 0, kCall);
  if (s.call("to the end", rest)) s.note("first", rest->kvs.at(0).key);
}

void a_put_without_key(Bench& b, Script& s) {
  s.call("put", b.api(0).put("", "x", kCall));
}

void a_put_too_large_for_etcd(Bench& b, Script& s) {
  s.call("put", b.api(0).put("a", std::string(1'600'000, 'x'), kCall));
}

void a_put_too_large_for_its_server(Bench& b, Script& s) {
  s.call("put", b.api(0).put("a", std::string(3'000'000, 'x'), kCall));
}

void a_range_without_key(Bench& b, Script& s) {
  s.call("range", b.api(0).range("", "", false, 0, kCall));
}

void a_range_of_the_future(Bench& b, Script& s) {
  s.call("range", b.api(0).range("a", "", false, revision(b) + 99, kCall));
  s.call("own copy", b.api(0).range("a", "", true, revision(b) + 99, kCall));
}

void a_call_without_time(Bench& b, Script& s) {
  s.call("put", b.api(0).put("a", "1", base::Duration(0)));
  s.call("list", b.api(0).member_list(true, base::Duration(0)));
}

void compaction(Bench& b, Script& s) {
  const auto first = b.api(0).put("c", "1", kCall).value_or(0);
  static_cast<void>(b.api(0).put("c", "2", kCall));
  s.call("hash before", b.api(0).hash_kv(first, kCall));
  s.call("future", b.api(0).compact(revision(b) + 99, false, kCall));
  s.call("compact", b.api(0).compact(first + 1, true, kCall));
  s.call("again", b.api(0).compact(first + 1, true, kCall));
  s.call("older", b.api(0).compact(first, true, kCall));
  s.call("range", b.api(0).range("c", "", false, first, kCall));
  s.call("range at it", b.api(0).range("c", "", false, first + 1, kCall));
  s.call("hash", b.api(0).hash_kv(first, kCall));
  const auto hash = b.api(0).hash_kv(0, kCall);
  if (s.call("hash now", hash)) s.count("compacted", hash->compact_revision - first);
}

void a_hash_of_the_future(Bench& b, Script& s) {
  s.call("hash", b.api(0).hash_kv(revision(b) + 99, kCall));
}

void a_hash_is_of_its_revision(Bench& b, Script& s) {
  const auto at = b.api(0).put("h", "1", kCall).value_or(0);
  const auto then = b.api(0).hash_kv(at, kCall);
  static_cast<void>(b.api(0).put("h", "2", kCall));
  const auto now = b.api(0).hash_kv(0, kCall);
  const auto again = b.api(0).hash_kv(at, kCall);
  if (!s.call("hash", now)) return;
  s.note("the same", then && again && then->hash == again->hash);
  s.note("differs from now", then && then->hash != now->hash);
}

void defragmentation(Bench& b, Script& s) {
  s.call("defragment", b.api(0).defragment(kCall));
  const auto status = b.api(0).status(kCall);
  s.note("no smaller than in use", status && status->db_size >= status->db_in_use);
}

void a_snapshot(Bench& b, Script& s) {
  std::string bytes;
  s.call("snapshot", b.api(0).snapshot(
                         [&](std::string_view part) {
                           bytes += part;
                           return true;
                         },
                         kCall));
  s.count("behind whole pages", static_cast<std::int64_t>(bytes.size() % 512));
  s.call("stopped", b.api(0).snapshot([](std::string_view) { return false; }, kCall));
}

void no_alarms(Bench& b, Script& s) {
  const auto alarms = b.api(0).alarms(kCall);
  if (s.call("alarms", alarms)) s.count("count", static_cast<std::int64_t>(alarms->size()));
  s.call("disarm nobody's", b.api(0).disarm({}, etcd::AlarmKind::kNoSpace, kCall));
  s.call("disarm none", b.api(0).disarm(kNobody, etcd::AlarmKind::kCorrupt, kCall));
}

Group keys() {
  return {"keys",
          1,
          {},
          {{"PutAndRead", put_and_read},
           {"AnOldRevisionIsRead", an_old_revision_is_read},
           {"RangesOfKeys", ranges_of_keys},
           {"APutWithoutKey", a_put_without_key},
           {"APutTooLargeForEtcd", a_put_too_large_for_etcd},
           {"APutTooLargeForItsServer", a_put_too_large_for_its_server},
           {"ARangeWithoutKey", a_range_without_key},
           {"ARangeOfTheFuture", a_range_of_the_future},
           {"ACallWithoutTime", a_call_without_time},
           {"Compaction", compaction},
           {"AHashOfTheFuture", a_hash_of_the_future},
           {"AHashIsOfItsRevision", a_hash_is_of_its_revision},
           {"Defragmentation", defragmentation},
           {"ASnapshot", a_snapshot},
           {"NoAlarms", no_alarms}}};
}

void status_and_lists(Bench& b, Script& s) {
  // It follows the cluster version some moments after the start.
  if (!b.is_35())
    s.note("rises",
           b.until([&] { return must(b.api(0).status(kCall)).storage_version == "3.6.0"; }));
  const auto status = b.api(0).status(kCall);
  if (!s.call("status", status)) return;
  s.note("leads", status->leader == status->id);
  s.note("version", status->version);
  s.note("storage", status->storage_version);
  s.note("learner", status->learner);
  s.count("errors", static_cast<std::int64_t>(status->errors.size()));
  s.note("quota is told", status->db_quota > 0);
  s.note("applied", status->raft_applied == status->raft_index);
  for (const bool linearizable : {false, true}) {
    const auto list = b.api(0).member_list(linearizable, kCall);
    if (!s.call("list", list)) continue;
    s.note("cluster", base::to_text(list->cluster_id));
    s.note("by", base::to_text(list->answered_by));
    for (const auto& m : list->members)
      s.note("member", base::to_text(m.id) + m.name + m.peer_urls.at(0) + m.client_urls.at(0));
  }
}

void the_last_voter_stays(Bench& b, Script& s) {
  s.call("remove", b.api(0).member_remove(b.id(0), kCall));
}

void an_unknown_member(Bench& b, Script& s) {
  s.call("remove", b.api(0).member_remove(kNobody, kCall));
  s.call("promote", b.api(0).member_promote(kNobody, kCall));
  s.call("update", b.api(0).member_update(kNobody, "http://127.0.0.1:1", kCall));
  s.call("lead", b.api(0).move_leader(kNobody, kCall));
}

void a_voter_is_not_promoted(Bench& b, Script& s) {
  s.call("promote", b.api(0).member_promote(b.id(0), kCall));
}

void the_leader_leads_already(Bench& b, Script& s) {
  s.call("move", b.api(0).move_leader(b.id(0), kCall));
}

void bad_urls(Bench& b, Script& s) {
  for (const char* url :
       {"nonsense", "", "http://127.0.0.1", "127.0.0.1:1", "ftp://a:1", "http://127.0.0.1:1/path"})
    s.call(url, b.api(0).member_add(url, true, kCall));
  remove_learners(b);
}

void a_url_that_is_there(Bench& b, Script& s) {
  s.call("voter", b.api(0).member_add(b.peer_url(0), false, kCall));
  s.call("learner", b.api(0).member_add(b.peer_url(0), true, kCall));
}

void an_unstarted_learner(Bench& b, Script& s) {
  const auto added = b.api(0).member_add(b.peer_url(1), true, kCall);
  if (!s.call("add", added)) return;
  s.note("learner", added->learner);
  s.note("named", !added->name.empty());
  // Within the same second it would get the same id, and that is refused in other words.
  etcd::Change<etcd::Member> twice;
  b.until([&] {
    twice = b.api(0).member_add(b.peer_url(1), true, kCall);
    return twice || twice.error().error.message.find("member ID") == std::string::npos;
  });
  s.call("again", twice);
  s.call("another", b.api(0).member_add(b.peer_url(2), true, kCall));
  s.call("promote", b.api(0).member_promote(added->id, kCall));
  s.call("lead", b.api(0).move_leader(added->id, kCall));
  s.call("other's url", b.api(0).member_update(added->id, b.peer_url(0), kCall));
  s.call("own url", b.api(0).member_update(added->id, b.peer_url(1), kCall));
  s.call("new url", b.api(0).member_update(added->id, b.peer_url(3), kCall));
  const auto list = b.api(0).member_list(true, kCall);
  for (const auto& m : list->members)
    if (m.id == added->id) s.note("moved", m.peer_urls.at(0) + (m.learner ? " learner" : ""));
  s.call("put", b.api(0).put("a", "1", kCall));
  s.call("remove", b.api(0).member_remove(added->id, kCall));
  s.call("remove again", b.api(0).member_remove(added->id, kCall));
  s.call("update removed", b.api(0).member_update(added->id, b.peer_url(1), kCall));
  s.call("promote removed", b.api(0).member_promote(added->id, kCall));
}

void valid_downgrades(Bench& b, Script& s) {
  const std::string below = b.is_35() ? "3.4" : "3.5";
  s.call("below", b.api(0).downgrade(kValidate, below, kCall));
  s.call("below with patch", b.api(0).downgrade(kValidate, below + ".0", kCall));
  for (const char* version : {"3.3.0", "3.9.0", "4.0.0", "news", "", "3"})
    s.call(version, b.api(0).downgrade(kValidate, version, kCall));
  s.call("same", b.api(0).downgrade(kValidate, b.is_35() ? "3.5.0" : "3.6.0", kCall));
  s.call("enable two down", b.api(0).downgrade(kEnable, "3.3.0", kCall));
}

void no_downgrade_to_cancel(Bench& b, Script& s) {
  s.call("cancel", b.api(0).downgrade(kCancel, "", kCall));
}

void a_downgrade_job(Bench& b, Script& s) {
  if (b.is_35()) return s.note("3.5", "answers after seven seconds: see the life of 3.5");
  s.call("enable", b.api(0).downgrade(kEnable, "3.5.0", kCall));
  const auto lowered = [&](const std::string& to) {
    return b.until([&] { return must(b.api(0).status(kCall)).storage_version == to; });
  };
  s.note("lowered", lowered("3.5.0"));
  s.call("enable again", b.api(0).downgrade(kEnable, "3.5.0", kCall));
  s.call("further", b.api(0).downgrade(kValidate, "3.4.0", kCall));
  s.call("cancel", b.api(0).downgrade(kCancel, "", kCall));
  s.note("raised", lowered("3.6.0"));
}

// Last: the second voter takes the quorum with it.
void an_unstarted_voter_takes_the_quorum(Bench& b, Script& s) {
  const auto added = b.api(0).member_add(b.peer_url(1), false, kCall);
  if (!s.call("add", added)) return;
  s.note("no leader", b.until([&] {
    const auto status = b.api(0).status(kCall);
    return status && !status->leader;
  }));
  s.call("put", b.api(0).put("a", "1", kCall));
  s.call("remove", b.api(0).member_remove(added->id, kCall));
  const auto list = b.api(0).member_list(false, kCall);
  if (s.call("own view", list)) s.count("members", static_cast<int>(list->members.size()));
  b.launch(1, {.list = {0, 1}, .existing = true});
  s.note("quorum again", b.ready(0));
}

Group membership() {
  return {"membership",
          1,
          {},
          {{"StatusAndLists", status_and_lists},
           {"TheLastVoterStays", the_last_voter_stays},
           {"AnUnknownMember", an_unknown_member},
           {"AVoterIsNotPromoted", a_voter_is_not_promoted},
           {"TheLeaderLeadsAlready", the_leader_leads_already},
           {"BadUrls", bad_urls},
           {"AUrlThatIsThere", a_url_that_is_there},
           {"AnUnstartedLearner", an_unstarted_learner},
           {"ValidDowngrades", valid_downgrades},
           {"NoDowngradeToCancel", no_downgrade_to_cancel},
           {"ADowngradeJob", a_downgrade_job},
           {"AnUnstartedVoterTakesTheQuorum", an_unstarted_voter_takes_the_quorum}}};
}

void the_quota_stops_writes(Bench& b, Script& s) {
  etcd::Change<std::int64_t> last = 0;
  for (int i = 0; i < 200 && last; ++i) last = b.api(0).put("k", std::string(500'000, 'x'), kCall);
  s.call("put", last);
  const auto alarms = b.api(0).alarms(kCall);
  if (!s.call("alarms", alarms)) return;
  s.count("count", static_cast<std::int64_t>(alarms->size()));
  s.note("own", !alarms->empty() && alarms->at(0).member == b.id(0) &&
                    alarms->at(0).kind == etcd::AlarmKind::kNoSpace);
  for (const auto& e : must(b.api(0).status(kCall)).errors) s.note("error", e);
  s.call("empty put", b.api(0).put("k", "", kCall));
  s.call("read", b.api(0).range("k", "", false, 0, kCall));
  s.call("list", b.api(0).member_list(true, kCall));
}

void an_alarm_of_nobody_is_not_disarmed(Bench& b, Script& s) {
  s.call("disarm", b.api(0).disarm({}, etcd::AlarmKind::kNoSpace, kCall));
  s.count("alarms", static_cast<std::int64_t>(must(b.api(0).alarms(kCall)).size()));
}

void a_disarm_too_early_is_raised_again(Bench& b, Script& s) {
  s.call("compact", b.api(0).compact(b.api(0).quorum_read(kCall).value_or(0), true, kCall));
  s.call("disarm", b.api(0).disarm(b.id(0), etcd::AlarmKind::kNoSpace, kCall));
  s.count("alarms", static_cast<std::int64_t>(must(b.api(0).alarms(kCall)).size()));
  s.call("put", b.api(0).put("k", std::string(400'000, 'x'), kCall));
  s.count("alarms", static_cast<std::int64_t>(must(b.api(0).alarms(kCall)).size()));
}

void after_defragmentation_it_is_gone(Bench& b, Script& s) {
  s.call("defragment", b.api(0).defragment(kCall));
  s.call("disarm", b.api(0).disarm(b.id(0), etcd::AlarmKind::kNoSpace, kCall));
  s.call("put", b.api(0).put("k", std::string(400'000, 'x'), kCall));
  s.count("alarms", static_cast<std::int64_t>(must(b.api(0).alarms(kCall)).size()));
}

Group space() {
  return {"space",
          1,
          {"--quota-backend-bytes=4194304"},
          {{"TheQuotaStopsWrites", the_quota_stops_writes},
           {"AnAlarmOfNobodyIsNotDisarmed", an_alarm_of_nobody_is_not_disarmed},
           {"ADisarmTooEarlyIsRaisedAgain", a_disarm_too_early_is_raised_again},
           {"AfterDefragmentationItIsGone", after_defragmentation_it_is_gone}}};
}

}  // namespace

std::vector<Group> one_member_groups() {
  return {keys(), membership(), space()};
}

}  // namespace conformance
