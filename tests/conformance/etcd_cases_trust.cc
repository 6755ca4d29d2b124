// Who may do what over TLS and with auth on, and keys that were changed behind etcd's back.
#include <algorithm>

#include "conformance/etcd_cases.h"

namespace conformance {
namespace {

void handshakes(Bench& b, Script& s) {
  s.call("put", b.api(0).put("a", "1", kCall));
  s.call("by anybody of the CA", b.connect_as(0, Who::kNobody)->put("a", "2", kCall));
  // The words of a server that hangs up depend on who is faster.
  constexpr base::Duration kShort{3000};
  s.note("stranger", b.connect_as(0, Who::kStranger)->put("a", "3", kShort).has_value());
  s.note("unnamed", b.connect_as(0, Who::kUnnamed)->put("a", "3", kShort).has_value());
  s.call("distrusting", b.connect_as(0, Who::kDistrusts)->put("a", "3", kShort));
  const auto kept = b.api(0).range("a", "", false, 0, kCall);
  if (s.call("read", kept)) s.note("value", kept->kvs.at(0).value);
}

void auth_is_for_root(Bench& b, Script& s) {
  s.note("enabled", b.enable_auth(0));
  for (const Who who : {Who::kRoot, Who::kNobody}) {
    const std::string name = who == Who::kRoot ? "root " : "nobody ";
    const auto api = b.connect_as(0, who);
    const auto status = api->status(kCall);
    s.call(name + "status", status);
    s.call(name + "list", api->member_list(true, kCall));
    s.call(name + "own view", api->member_list(false, kCall));
    s.call(name + "alarms", api->alarms(kCall));
    s.call(name + "hash", api->hash_kv(0, kCall));
    s.call(name + "put", api->put("a", "4", kCall));
    s.call(name + "read", api->range("a", "", false, 0, kCall));
    s.call(name + "own copy", api->range("a", "", true, 0, kCall));
    s.call(name + "remove", api->member_remove({0x1234}, kCall));
    s.call(name + "defragment", api->defragment(kCall));
    s.call(name + "snapshot", api->snapshot([](std::string_view) { return true; }, kCall));
    s.call(name + "compact", api->compact(1'000'000, false, kCall));
    s.call(name + "downgrade", api->downgrade(etcd::DowngradeAction::kValidate, "3.1.0", kCall));
    s.call(name + "disarm", api->disarm({}, etcd::AlarmKind::kNoSpace, kCall));
    if (status) s.call(name + "lead", api->move_leader(status->id, kCall));
  }
}

void altered_keys_are_found_after_a_compaction(Bench& b, Script& s) {
  const auto flags =
      b.is_35() ? std::vector<std::string>{"--experimental-compact-hash-check-enabled=true",
                                           "--experimental-compact-hash-check-time=1s"}
                : std::vector<std::string>{"--feature-gates=CompactHashCheck=true",
                                           "--compact-hash-check-time=1s"};
  s.note("formed", b.form(3, flags));
  s.call("put", b.api(0).put("victim", kVictim, kCall));
  const int bad = (b.leader(3) + 1) % 3, good = (bad + 1) % 3;
  const auto id = b.id(bad);
  s.note("on it",
         b.until([&] { return must(b.api(bad).range("victim", "", true, 0, kCall)).count == 1; }));
  s.call("written out", b.api(bad).defragment(kCall));
  b.kill(bad);
  b.alter(bad);
  b.launch(bad, {.list = {0, 1, 2}, .flags = flags});
  s.note("ready", b.ready(bad));
  const auto read = b.api(bad).range("victim", "", true, 0, kCall);
  if (s.call("read", read)) s.note("as it was", read->kvs.at(0).value == kVictim);
  s.call("no alarm yet", b.api(good).put("a", "1", kCall));
  s.call("compact", b.api(good).compact(must(b.api(good).quorum_read(kCall)), true, kCall));
  std::vector<etcd::Alarm> alarms;
  const auto raised = [&] {
    alarms = b.api(good).alarms(kCall).value_or(std::vector<etcd::Alarm>());
    return !alarms.empty();
  };
  // A check gives up where a member does not answer it at once: each compaction brings one.
  bool found = b.until(raised, base::Duration(10'000));
  for (int tries = 0; tries < 5 && !found; ++tries) {
    static_cast<void>(b.api(good).put("a", "1", kCall));
    const auto revision = b.api(good).quorum_read(kCall);
    if (revision) static_cast<void>(b.api(good).compact(*revision, true, kCall));
    found = b.until(raised, base::Duration(10'000));
  }
  s.note("found", found);
  for (const auto& a : alarms) {
    s.note("corrupt", a.kind == etcd::AlarmKind::kCorrupt);
    s.note("of", a.member == id ? "it" : !a.member ? "nobody" : "another");
  }
  for (const int i : {bad, good}) {
    s.call("put", b.api(i).put("a", "2", kCall));
    s.call("compact", b.api(i).compact(must(b.api(i).quorum_read(kCall)), true, kCall));
    s.call("read", b.api(i).range("a", "", false, 0, kCall));
  }
  for (const auto& a : alarms)
    s.call("disarm", b.api(good).disarm(a.member, etcd::AlarmKind::kCorrupt, kCall));
  s.call("put", b.api(good).put("a", "3", kCall));
}

}  // namespace

std::vector<Group> trust_groups() {
  return {{"trust", 1, {}, {{"Handshakes", handshakes}, {"AuthIsForRoot", auth_is_for_root}}, true},
          {"altered",
           0,
           {},
           {{"AlteredKeysAreFoundAfterACompaction", altered_keys_are_found_after_a_compaction}}}};
}

}  // namespace conformance
