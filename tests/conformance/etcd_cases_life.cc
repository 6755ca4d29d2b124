// Starts that are refused, older data, other versions, restored and forced clusters.
#include <fmt/format.h>

#include <algorithm>

#include "conformance/etcd_cases.h"

namespace conformance {
namespace {

// Of member 2 of three; the others run on.
std::optional<Ended> again(Bench& b, const Launch& how) {
  b.launch(2, how);
  return b.ended(2);
}

void an_unknown_flag(Bench& b, Script& s) {
  s.call("put", b.api(0).put("victim", kVictim, kCall));
  b.kill(2);
  b.keep(2);
  s.note("it", again(b, {.list = {0, 1, 2}, .flags = {"--no-such-flag=1"}}));
  s.note("of another version",
         again(b, {.list = {0, 1, 2},
                   .flags = {b.is_35() ? "--corrupt-check-time=1m" : "--enable-v2=true"}}));
}

void a_port_that_is_taken(Bench& b, Script& s) {
  b.wipe(3);
  b.launch(3, {.list = {3}, .flags = {"--listen-peer-urls=" + b.peer_url(0)}});
  s.note("it", b.ended(3));
}

void a_blank_one_without_peers(Bench& b, Script& s) {
  b.wipe(2);
  s.note("it", again(b, {.list = {2, 3}, .existing = true}));
}

void a_blank_one_with_too_short_a_list(Bench& b, Script& s) {
  b.wipe(2);
  s.note("it", again(b, {.list = {0, 2}, .existing = true}));
}

void a_blank_one_with_too_long_a_list(Bench& b, Script& s) {
  b.wipe(2);
  s.note("it", again(b, {.list = {0, 1, 2, 3}, .existing = true}));
}

void a_blank_one_with_another_url(Bench& b, Script& s) {
  b.wipe(3);
  b.launch(3, {.list = {0, 1, 3}, .existing = true});
  s.note("it", b.ended(3));
}

void a_blank_one_of_no_known_name(Bench& b, Script& s) {
  b.wipe(2);
  s.note("new", again(b, {.list = {0, 1, 2}, .name = "stranger"}));
  b.wipe(2);
  s.note("existing", again(b, {.list = {0, 1, 2}, .existing = true, .name = "stranger"}));
}

// A leader knows how far a member's log once went, and tells it to commit that far: one that comes
// back older dies of it. A leader of a later term knows nothing, and the member lives: then the
// case is tried again.
void an_older_copy(Bench& b, Script& s) {
  const auto term = [&] { return must(b.api(0).status(kCall)).raft_term; };
  std::uint64_t before = 0;
  std::optional<Ended> end;
  for (int tries = 0; tries < 5 && !end && term() != before; ++tries) {
    s = {};
    if (tries == 0) {  // later it runs: it lived, and its leader knows it now
      b.kill(2);
      b.put_back(2);
      b.launch(2, {.list = {0, 1, 2}});
    }
    s.note("ready", b.ready(2));
    before = term();
    for (int i = 0; i < 5; ++i) s.call("put", b.api(2).put("a", std::to_string(i), kCall));
    s.note("caught up", b.until([&] {
      const auto kept = b.api(2).range("a", "", true, 0, kCall);
      return kept && kept->count == 1;
    }));
    b.kill(2);
    b.put_back(2);
    end = again(b, {.list = {0, 1, 2}});
  }
  s.note("it", end);
}

void spoilt_bytes(Bench& b, Script& s) {
  b.put_back(2);
  b.spoil(2, sim::Damage::kCrc);
  s.note("it", again(b, {.list = {0, 1, 2}}));
}

void an_empty_log_file(Bench& b, Script& s) {
  b.put_back(2);
  b.spoil(2, sim::Damage::kEmptyFile);
  s.note("it", again(b, {.list = {0, 1, 2}}));
}

void a_wiped_one_as_new(Bench& b, Script& s) {
  b.wipe(2);
  s.note("it", again(b, {.list = {0, 1, 2}}));
  b.wipe(2);
  s.note("of another token", b.api(0).status(kCall).has_value());
}

void removed_while_it_was_down(Bench& b, Script& s) {
  const auto list = b.api(0).member_list(true, kCall);
  base::MemberId id;
  for (const auto& m : list->members)
    if (m.name == "m2") id = m.id;
  etcd::Change<void> removed;
  b.until([&] {
    removed = b.api(0).member_remove(id, kCall);
    return removed.has_value();
  });
  s.call("remove", removed);
  b.put_back(2);
  s.note("with data", again(b, {.list = {0, 1, 2}}));
  b.wipe(2);
  s.note("without", again(b, {.list = {0, 1, 2}, .existing = true}));
}

void added_anew_it_joins(Bench& b, Script& s) {
  const auto added = b.add(0, b.peer_url(2), true);
  if (!s.call("add", added)) return;
  b.wipe(2);
  b.launch(2, {.list = {0, 1, 2}, .existing = true});
  s.note("answers", b.until([&] { return b.api(2).status(kCall).has_value(); }));
  s.note("id", b.id(2) == added->id);
}

Group starts() {
  return {"starts",
          3,
          {},
          {{"AnUnknownFlag", an_unknown_flag},
           {"APortThatIsTaken", a_port_that_is_taken},
           {"ABlankOneWithoutPeers", a_blank_one_without_peers},
           {"ABlankOneWithTooShortAList", a_blank_one_with_too_short_a_list},
           {"ABlankOneWithTooLongAList", a_blank_one_with_too_long_a_list},
           {"ABlankOneWithAnotherUrl", a_blank_one_with_another_url},
           {"ABlankOneOfNoKnownName", a_blank_one_of_no_known_name},
           {"AnOlderCopy", an_older_copy},
           {"SpoiltBytes", spoilt_bytes},
           {"AnEmptyLogFile", an_empty_log_file},
           {"AWipedOneAsNew", a_wiped_one_as_new},
           {"RemovedWhileItWasDown", removed_while_it_was_down},
           {"AddedAnewItJoins", added_anew_it_joins}}};
}

void without_its_database_it_is_rebuilt(Bench& b, Script& s) {
  s.call("put", b.api(0).put("a", "1", kCall));
  b.kill(0);
  b.spoil(0, sim::Damage::kNoDb);
  b.launch(0, {.list = {0}});
  s.note("ready", b.ready(0));
  const auto r = b.api(0).range("a", "", false, 0, kCall);
  if (s.call("read", r)) s.count("count", r->count);
}

void the_list_and_token_are_ignored_with_data(Bench& b, Script& s) {
  const auto id = b.id(0);
  b.kill(0);
  b.launch(0, {.list = {0, 1}, .existing = true, .token = "another"});
  s.note("ready", b.ready(0));
  s.note("id", b.id(0) == id);
  s.count("members", static_cast<int>(must(b.api(0).member_list(true, kCall)).members.size()));
}

void a_restore_has_new_ids_and_the_keys(Bench& b, Script& s) {
  s.note("restored", b.restore(0, 1, "restored"));
  b.launch(1, {.list = {1}, .token = "restored"});
  s.note("ready", b.ready(1));
  const auto list = b.api(1).member_list(true, kCall);
  if (!s.call("list", list)) return;
  s.note("cluster", base::to_text(list->cluster_id));
  for (const auto& m : list->members) s.note("member", base::to_text(m.id) + m.name);
  const auto r = b.api(1).range("a", "", false, 0, kCall);
  if (s.call("read", r)) s.count("count", r->count);
  s.note("revision", must(b.api(1).quorum_read(kCall)) == must(b.api(0).quorum_read(kCall)));
}

Group alone() {
  return {"alone",
          1,
          {},
          {{"WithoutItsDatabaseItIsRebuilt", without_its_database_it_is_rebuilt},
           {"TheListAndTokenAreIgnoredWithData", the_list_and_token_are_ignored_with_data},
           {"ARestoreHasNewIdsAndTheKeys", a_restore_has_new_ids_and_the_keys}}};
}

void force_new_cluster_keeps_the_ids(Bench& b, Script& s) {
  s.call("put", b.api(0).put("a", "1", kCall));
  s.note("on all",
         b.until([&] { return must(b.api(0).range("a", "", true, 0, kCall)).count == 1; }));
  const auto before = b.api(0).member_list(true, kCall);
  const auto id = b.id(0);
  for (int i = 0; i < 3; ++i) b.kill(i);
  b.launch(0, {.list = {0, 1, 2}, .flags = {"--force-new-cluster"}});
  s.note("ready", b.ready(0));
  const auto after = b.api(0).member_list(true, kCall);
  if (!s.call("list", after)) return;
  s.count("members", static_cast<int>(after->members.size()));
  s.note("same cluster", before && after->cluster_id == before->cluster_id);
  s.note("same member", b.id(0) == id);
}

void the_old_ones_are_removed_where_they_reach_it(Bench& b, Script& s) {
  b.launch(1, {.list = {0, 1, 2}});
  s.note("it", b.ended(1));
}

void it_starts_normally_without_the_flag(Bench& b, Script& s) {
  b.kill(0);
  b.launch(0, {.list = {0, 1, 2}});
  s.note("ready", b.ready(0));
  s.call("put", b.api(0).put("a", "2", kCall));
}

Group forced() {
  return {"forced",
          3,
          {},
          {{"ForceNewClusterKeepsTheIds", force_new_cluster_keeps_the_ids},
           {"TheOldOnesAreRemovedWhereTheyReachIt", the_old_ones_are_removed_where_they_reach_it},
           {"ItStartsNormallyWithoutTheFlag", it_starts_normally_without_the_flag}}};
}

// One of two is removed; the other is killed, and started again.
void shrink_to_one(Bench& b, Script& s, bool another_entry) {
  const int stays = b.leader(2), goes = 1 - stays;
  const auto id = b.id(goes);
  s.call("put", b.api(stays).put("a", "1", kCall));
  etcd::Change<void> removed;
  b.until([&] {
    removed = b.api(stays).member_remove(id, kCall);
    return removed.has_value();
  });
  s.call("remove", removed);
  s.note("ends", b.ended(goes).has_value());
  if (another_entry)
    s.call("disarm nothing",
           b.api(stays).disarm(base::MemberId{}, etcd::AlarmKind::kNoSpace, kCall));
  b.kill(stays);
  b.launch(stays, {.list = {0, 1}});
  const auto serves = [&] { return b.api(stays).quorum_read(base::Duration(1'000)).has_value(); };
  s.note("serves", b.until(serves, base::Duration(8'000)));
}

// Its disk does not tell of the removal yet: it waits for the vote of who was removed.
void killed_before_another_entry(Bench& b, Script& s) {
  shrink_to_one(b, s, false);
}
void killed_after_another_entry(Bench& b, Script& s) {
  shrink_to_one(b, s, true);
}

Group shrunk() {
  return {"shrunk", 2, {}, {{"KilledBeforeAnotherEntry", killed_before_another_entry}}};
}
Group shrunk_further() {
  return {"further", 2, {}, {{"KilledAfterAnotherEntry", killed_after_another_entry}}};
}

// From 3.5 up: it names its versions itself, and runs once.
void the_cluster_version_rises(Bench& b, Script& s) {
  b.launch(0, {.list = {0}, .version = "3.5.33"});
  s.note("ready", b.ready(0));
  s.note("storage", must(b.api(0).status(kCall)).storage_version);
  b.kill(0);
  b.keep(0);
  b.launch(0, {.list = {0}, .version = "3.6.16"});
  s.note("ready", b.ready(0));
  s.note("rises", b.until([&] { return must(b.api(0).status(kCall)).storage_version == "3.6.0"; }));
  s.call("no way up", b.api(0).downgrade(etcd::DowngradeAction::kValidate, "3.7.0", kCall));
}

void older_is_refused_after_it(Bench& b, Script& s) {
  b.kill(0);
  b.launch(0, {.list = {0}, .version = "3.5.33"});
  s.note("3.5", b.ended(0));
}

void newest_cannot_read_the_log_of_the_step(Bench& b, Script& s) {
  b.launch(0, {.list = {0}, .version = "3.7.3"});
  s.note("3.7", b.ended(0));
}

void a_step_is_not_skipped(Bench& b, Script& s) {
  b.put_back(0);
  b.launch(0, {.list = {0}, .version = "3.7.3"});
  s.note("3.7", b.ended(0));
  b.put_back(0);
  b.launch(0, {.list = {0}, .version = "3.5.33"});
  s.note("3.5 again", b.ready(0));
}

void a_downgrade_job_of35_is_never_answered(Bench& b, Script& s) {
  using enum etcd::DowngradeAction;
  s.call("enable", b.api(0).downgrade(kEnable, "3.4.0", kCall));
  s.call("it is there", b.api(0).downgrade(kEnable, "3.4.0", kCall));
  s.call("cancel", b.api(0).downgrade(kCancel, "", kCall));
  s.call("it is gone", b.api(0).downgrade(kCancel, "", kCall));
}

Group versions() {
  return {"versions",
          0,
          {},
          {{"TheClusterVersionRises", the_cluster_version_rises},
           {"OlderIsRefusedAfterIt", older_is_refused_after_it},
           {"NewestCannotReadTheLogOfTheStep", newest_cannot_read_the_log_of_the_step},
           {"AStepIsNotSkipped", a_step_is_not_skipped},
           {"ADowngradeJobOf35IsNeverAnswered", a_downgrade_job_of35_is_never_answered}}};
}

}  // namespace

std::vector<Group> life_groups() {
  return {starts(), alone(), forced(), shrunk(), shrunk_further(), versions()};
}

}  // namespace conformance
