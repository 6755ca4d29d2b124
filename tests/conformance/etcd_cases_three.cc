// Three members: leaders, learners, the guard of changes, and the loss of the quorum.
#include <fmt/format.h>

#include <algorithm>

#include "conformance/etcd_cases.h"

namespace conformance {
namespace {

// Who does not lead: the first, and the other.
struct Places {
  int leader, follower, third;
};
Places places(Bench& b) {
  const int leader = b.leader(3);
  return {leader, (leader + 1) % 3, (leader + 2) % 3};
}

bool has_leader(Bench& b, int n) {
  return b.until([&] {
    const auto status = b.api(n).status(kCall);
    return status && status->leader;
  });
}

void all_answer_alike(Bench& b, Script& s) {
  for (int i = 0; i < 3; ++i) {
    s.call("put", b.api(i).put("a", std::to_string(i), kCall));
    const auto list = b.api(i).member_list(true, kCall);
    if (!s.call("list", list)) continue;
    for (const auto& m : list->members)
      s.note("member", base::to_text(m.id) + m.name + m.client_urls.at(0));
  }
  const auto rev = b.api(0).quorum_read(kCall).value_or(0);
  const auto first = b.api(0).hash_kv(rev, kCall);
  for (int i = 1; i < 3; ++i) {
    // One that lags a little says that the revision is of the future.
    base::Result<etcd::Hash> hash;
    b.until([&] {
      hash = b.api(i).hash_kv(rev, kCall);
      return hash.has_value();
    });
    s.note("same hash", first && hash && first->hash == hash->hash);
  }
}

void only_the_leader_moves_the_lead(Bench& b, Script& s) {
  const auto [leader, follower, third] = places(b);
  s.call("by a follower", b.api(follower).move_leader(b.id(third), kCall));
  const auto to = b.id(follower);
  s.call("by the leader", b.api(leader).move_leader(to, kCall));
  s.note("it leads", b.until([&] { return must(b.api(third).status(kCall)).leader == to; }));
  s.call("put", b.api(leader).put("a", "1", kCall));
}

void a_follower_forwards(Bench& b, Script& s) {
  const auto [leader, follower, third] = places(b);
  s.call("promote a voter", b.api(follower).member_promote(b.id(third), kCall));
  s.call("promote nobody", b.api(follower).member_promote({0x1234}, kCall));
  s.call("remove nobody", b.api(follower).member_remove({0x1234}, kCall));
  s.call("update to another's",
         b.api(follower).member_update(b.id(third), b.peer_url(leader), kCall));
  s.call("same url", b.api(follower).member_update(b.id(third), b.peer_url(third), kCall));
}

void a_url_that_is_there_once_the_guard_allows(Bench& b, Script& s) {
  const auto [leader, follower, third] = places(b);
  s.call("add", b.add(follower, b.peer_url(third), true));
}

void a_paused_follower_is_not_missed(Bench& b, Script& s) {
  const auto [leader, follower, third] = places(b);
  b.pause(follower);
  s.call("put", b.api(leader).put("a", "paused", kCall));
  s.call("read", b.api(third).quorum_read(kCall));
  s.call("the paused one", b.api(follower).status(base::Duration(300)));
  b.resume(follower);
  s.note("caught up", b.until([&] {
    const auto r = b.api(follower).range("a", "", true, 0, kCall);
    return r && r->count == 1 && r->kvs.at(0).value == "paused";
  }));
}

void a_paused_one_ends_when_it_goes_on(Bench& b, Script& s) {
  const auto [leader, follower, third] = places(b);
  b.pause(follower);
  b.terminate(follower);
  s.call("put", b.api(leader).put("a", "1", kCall));
  s.call("the paused one", b.api(follower).status(base::Duration(300)));
  b.resume(follower);
  s.note("it ended", b.ended(follower));
  s.call("read", b.api(third).quorum_read(kCall));
}

void the_life_of_a_learner(Bench& b, Script& s) {
  const auto [leader, follower, third] = places(b);
  const auto added = b.add(leader, b.peer_url(3), true);
  if (!s.call("add", added)) return;
  s.call("promote at once", b.api(leader).member_promote(added->id, kCall));
  b.launch(3, {.list = {0, 1, 2, 3}, .existing = true});
  s.note("answers", b.until([&] { return b.api(3).status(kCall).has_value(); }));
  has_leader(b, 3);
  const auto status = b.api(3).status(kCall);
  s.note("learner", status && status->learner);
  s.note("id", status && status->id == added->id);
  s.note("has the keys", b.until([&] {
    const auto r = b.api(3).range("a", "", true, 0, kCall);
    return r && r->count == 1;
  }));
  s.call("read", b.api(3).quorum_read(kCall));
  s.call("list", b.api(3).member_list(true, kCall));
  s.call("own view", b.api(3).member_list(false, kCall));
  s.call("alarms", b.api(3).alarms(kCall));
  s.call("hash", b.api(3).hash_kv(0, kCall));
  s.call("put", b.api(3).put("a", "1", kCall));
  s.call("defragment", b.api(3).defragment(kCall));
  s.call("promote itself", b.api(3).member_promote(added->id, kCall));
  s.call("snapshot", b.api(3).snapshot([](std::string_view) { return true; }, kCall));
  s.call("lead", b.api(leader).move_leader(added->id, kCall));
  etcd::Change<void> promoted;
  b.until([&] {
    promoted = b.api(follower).member_promote(added->id, kCall);
    return promoted.has_value();
  });
  s.call("promote", promoted);
  s.call("again", b.api(leader).member_promote(added->id, kCall));
  s.note("votes", b.until([&] { return !must(b.api(3).status(kCall)).learner; }));
  s.call("read", b.api(3).quorum_read(kCall));
}

void a_removed_member_ends(Bench& b, Script& s) {
  const auto [leader, follower, third] = places(b);
  const auto id = b.id(3);
  etcd::Change<void> removed;
  b.until([&] {
    removed = b.api(leader).member_remove(id, kCall);
    return removed.has_value();
  });
  s.call("remove", removed);
  const auto end = b.ended(3);
  s.note("it ended", end.has_value());
  b.launch(3, {.list = {0, 1, 2, 3}, .existing = true});
  s.note("again with its data", b.ended(3));
  b.wipe(3);
  b.launch(3, {.list = {0, 1, 2, 3}, .existing = true});
  s.note("again without", b.ended(3));
}

Group leaders() {
  return {"leaders",
          3,
          {},
          {{"AllAnswerAlike", all_answer_alike},
           {"OnlyTheLeaderMovesTheLead", only_the_leader_moves_the_lead},
           {"AFollowerForwards", a_follower_forwards},
           {"AUrlThatIsThereOnceTheGuardAllows", a_url_that_is_there_once_the_guard_allows},
           {"APausedFollowerIsNotMissed", a_paused_follower_is_not_missed},
           {"TheLifeOfALearner", the_life_of_a_learner},
           {"ARemovedMemberEnds", a_removed_member_ends},
           {"APausedOneEndsWhenItGoesOn", a_paused_one_ends_when_it_goes_on}}};
}

void no_add_while_a_voter_is_down(Bench& b, Script& s) {
  const auto [leader, follower, third] = places(b);
  b.add(leader, b.peer_url(leader), true);  // until the guard allows it
  b.kill(third);
  b.until([&] {
    const auto tried = b.api(leader).member_add(b.peer_url(leader), true, kCall);
    return !tried && tried.error().error.message.find("unhealthy") != std::string::npos;
  });
  s.call("add", b.api(leader).member_add(b.peer_url(3), true, kCall));
  s.call("add a voter", b.api(leader).member_add(b.peer_url(3), false, kCall));
  s.call("a url that is there", b.api(leader).member_add(b.peer_url(leader), true, kCall));
  s.call("remove a healthy one", b.api(leader).member_remove(b.id(follower), kCall));
  s.call("put", b.api(leader).put("a", "1", kCall));
}

void no_add_right_after_a_restart(Bench& b, Script& s) {
  const auto [leader, follower, third] = places(b);
  int down = third;
  for (int i = 0; i < 3; ++i)
    if (!b.api(i).status(base::Duration(10'000))) down = i;
  b.launch(down, {.list = {0, 1, 2}});
  s.note("ready", b.ready(down));
  s.call("add through it", b.api(down).member_add(b.peer_url(3), true, kCall));
  s.call("later", b.add(down, b.peer_url(down), true));
}

void a_down_voter_is_removed_at_once(Bench& b, Script& s) {
  const auto [leader, follower, third] = places(b);
  const auto id = b.id(third);
  b.kill(third);
  etcd::Change<void> removed;
  // Until the break of the connection is seen it counts as a healthy one.
  b.until([&] {
    removed = b.api(leader).member_remove(id, kCall);
    return removed.has_value();
  });
  s.call("remove", removed);
  const auto list = b.api(follower).member_list(true, kCall);
  s.count("members", list ? static_cast<int>(list->members.size()) : -1);
  b.launch(third, {.list = {0, 1, 2}});
  s.note("with its data", b.ended(third));
  b.wipe(third);
  b.launch(third, {.list = {0, 1, 2}, .existing = true});
  s.note("without", b.ended(third));
}

void a_leader_removes_itself(Bench& b, Script& s) {
  const int leader = b.leader(2) >= 0 ? b.leader(2) : 2;
  s.call("remove", b.api(leader).member_remove(b.id(leader), kCall));
  s.note("it ended", b.ended(leader).has_value());
}

Group guards() {
  return {"guards",
          3,
          {},
          {{"NoAddWhileAVoterIsDown", no_add_while_a_voter_is_down},
           {"NoAddRightAfterARestart", no_add_right_after_a_restart},
           {"ADownVoterIsRemovedAtOnce", a_down_voter_is_removed_at_once},
           {"ALeaderRemovesItself", a_leader_removes_itself}}};
}

void a_survivor_reads_its_own_and_refuses_the_rest(Bench& b, Script& s) {
  const auto rev = b.api(0).put("a", "1", kCall).value_or(0);
  const auto self = b.id(0), other = b.id(1);
  b.kill(1);
  b.kill(2);
  s.note("no leader", b.until([&] {
    const auto status = b.api(0).status(kCall);
    return status && !status->leader;
  }));
  for (const auto& e : must(b.api(0).status(kCall)).errors) s.note("error", e);
  s.call("read", b.api(0).quorum_read(kCall));
  s.call("list", b.api(0).member_list(true, kCall));
  s.call("alarms", b.api(0).alarms(kCall));
  s.call("put", b.api(0).put("a", "2", kCall));
  s.call("compact", b.api(0).compact(rev, true, kCall));
  s.call("add", b.api(0).member_add(b.peer_url(3), true, kCall));
  s.call("remove", b.api(0).member_remove(other, kCall));
  s.call("update", b.api(0).member_update(other, b.peer_url(3), kCall));
  s.call("promote", b.api(0).member_promote(other, kCall));
  s.call("lead", b.api(0).move_leader(self, kCall));
  s.call("disarm", b.api(0).disarm(self, etcd::AlarmKind::kNoSpace, kCall));
  s.call("downgrade", b.api(0).downgrade(etcd::DowngradeAction::kCancel, "", kCall));
  const auto own = b.api(0).range("a", "", true, 0, kCall);
  if (s.call("own copy", own)) s.note("value", own->kvs.at(0).value);
  s.call("own view", b.api(0).member_list(false, kCall));
  s.call("hash", b.api(0).hash_kv(rev, kCall));
  s.call("snapshot", b.api(0).snapshot([](std::string_view) { return true; }, kCall));
  s.call("defragment", b.api(0).defragment(kCall));
}

void restarted_it_never_opens_its_client_port(Bench& b, Script& s) {
  b.kill(0);
  b.launch(0, {.list = {0, 1, 2}});
  // The first call may find the connection of before as it breaks.
  static_cast<void>(b.api(0).status(base::Duration(3000)));
  s.call("status", b.api(0).status(base::Duration(3000)));
  s.call("own copy", b.api(0).range("a", "", true, 0, base::Duration(1000)));
  s.call("put", b.api(0).put("a", "2", base::Duration(1000)));
}

void one_more_brings_it_back(Bench& b, Script& s) {
  b.launch(1, {.list = {0, 1, 2}});
  s.note("ready", b.ready(0) && b.ready(1));
  const auto r = b.api(1).range("a", "", false, 0, kCall);
  if (s.call("read", r)) s.note("value", r->kvs.at(0).value);
}

void a_wiped_voter_under_another_leader_joins_blank(Bench& b, Script& s) {
  // Both leaders of now know nothing of what member 2 had: it was down when they were elected.
  b.wipe(2);
  b.launch(2, {.list = {0, 1, 2}, .existing = true});
  s.note("ready", b.ready(2));
  const auto list = b.api(2).member_list(true, kCall);
  if (s.call("list", list))
    for (const auto& m : list->members)
      if (m.name == "m2") s.note("learner", m.learner);
}

void a_wiped_voter_under_its_leader_panics(Bench& b, Script& s) {
  // Another leader, elected meanwhile, would let it in: then once more.
  std::optional<Ended> end;
  for (int tries = 0; tries < 5 && !end; ++tries) {
    s = {};
    const auto [leader, follower, third] = places(b);
    const auto term = [&, at = third] { return must(b.api(at).status(kCall)).raft_term; };
    const auto before = term();
    s.call("put", b.api(leader).put("a", "3", kCall));
    b.kill(follower);
    b.wipe(follower);
    b.launch(follower, {.list = {0, 1, 2}, .existing = true});
    end = b.ended(follower);
    if (term() == before) break;
  }
  s.note("it", end);
}

void a_wiped_founder_is_not_bootstrapped_again(Bench& b, Script& s) {
  int gone = 0;
  for (int i = 0; i < 3; ++i)
    if (!b.api(i).status(base::Duration(10'000))) gone = i;
  b.wipe(gone);
  b.launch(gone, {.list = {0, 1, 2}});
  s.note("it", b.ended(gone));
}

Group quorum() {
  return {
      "quorum",
      3,
      {},
      {{"ASurvivorReadsItsOwnAndRefusesTheRest", a_survivor_reads_its_own_and_refuses_the_rest},
       {"RestartedItNeverOpensItsClientPort", restarted_it_never_opens_its_client_port},
       {"OneMoreBringsItBack", one_more_brings_it_back},
       {"AWipedVoterUnderAnotherLeaderJoinsBlank", a_wiped_voter_under_another_leader_joins_blank},
       {"AWipedVoterUnderItsLeaderPanics", a_wiped_voter_under_its_leader_panics},
       {"AWipedFounderIsNotBootstrappedAgain", a_wiped_founder_is_not_bootstrapped_again}}};
}

}  // namespace

std::vector<Group> three_member_groups() {
  return {leaders(), guards(), quorum()};
}

}  // namespace conformance
