// Commands that set what was seen: platform, membership, statuses, alarms, the last act.
#include <algorithm>

#include "situation.h"

namespace scenario {
namespace {

const Words::Choices<plan::End>& ends() {
  static const Words::Choices<plan::End> all{
      {"Stopped", plan::End::kStopped},   {"Retry", plan::End::kRetry},
      {"DataLost", plan::End::kDataLost}, {"DataCorrupt", plan::End::kDataCorrupt},
      {"Foreign", plan::End::kForeign},   {"Removed", plan::End::kRemoved},
      {"Config", plan::End::kConfig},     {"Node", plan::End::kNode},
      {"NoVolume", plan::End::kNoVolume}};
  return all;
}

void fact_of_time(Words& w, const std::string& key, base::Fact<base::Instant>& to,
                  base::Instant now) {
  std::string text;
  if (!w.take(key, text)) return;
  if (text == "unknown") {
    to = base::Fact<base::Instant>::unknown("it could not be read");
  } else if (text.starts_with("-")) {
    to = now - duration(text.substr(1));
  } else {
    to = now + duration(text);
  }
}

void member(Situation& s, Words& w) {
  const std::string name = w.next();
  plan::MemberFacts& f = s.facts(name);
  w.choose<plan::Process>("process", f.process,
                          {{"stopped", plan::Process::kStopped},
                           {"starting", plan::Process::kStarting},
                           {"running", plan::Process::kRunning},
                           {"backoff", plan::Process::kBackoff}});
  w.choose<plan::Data>("data", f.data,
                       {{"own", plan::Data::kOwn},
                        {"blank", plan::Data::kBlank},
                        {"older", plan::Data::kOlder},
                        {"foreign", plan::Data::kForeign},
                        {"corrupt", plan::Data::kCorrupt},
                        {"noMarker", plan::Data::kNoMarker}});
  w.choose<plan::Permit>("ticket", f.ticket,
                         {{"bootstrap", plan::Permit::kBootstrap},
                          {"join", plan::Permit::kJoin},
                          {"data", plan::Permit::kData},
                          {"restore", plan::Permit::kRestore}});
  w.set("ticketMembers", f.ticket_members);
  std::string text;
  if (w.take("ended", text)) {
    f.ended.reset();
    if (text != "no") f.ended = plan::Ending{Words::pick(text, ends()), "", s.now, 1};
  }
  if (f.ended) {
    w.set("text", f.ended->text);
    w.set("failures", f.ended->failures);
    w.set("ago", f.ended->at, s.now, -1);
  }
  w.set("version", f.version);
  w.set("template", f.template_hash);
  w.set("replaced", f.certificate_replaced);
  w.set("newTrust", f.trust_replaced);
  w.set("volumeGoing", f.volume_going);
  w.set("logTerm", f.log_term);
  w.set("logIndex", f.log_index);
  w.set("logCommit", f.log_commit);
  w.set("origin", f.origin);
  fact_of_time(w, "renew", f.certificate_renew_at, s.now);
  fact_of_time(w, "expires", f.certificate_expires, s.now);
}

// listed c-3 [id=a3] [url=…] [name=…] started=no learner=yes: an entry of the membership
void listed(Situation& s, Words& w) {
  const std::string name = w.next();
  std::string text, url;
  base::MemberId id = s.id_of(name);
  if (w.take("id", text)) id = base::MemberId{hex(text)};
  plan::EtcdMember* entry = s.listed(base::to_text(id));
  if (entry == nullptr) {
    const auto at = s.record.members.find(name);
    url = at == s.record.members.end() ? "https://192.0.2.7:2380" : at->second.addresses.peer_url;
    entry = &s.members.members.emplace_back(id, name, url, true, false);
  }
  w.set("url", entry->peer_url);
  w.set("name", entry->name);
  w.set("started", entry->started);
  w.set("learner", entry->learner);
  if (!entry->started) entry->name.clear();
  if (s.seen.membership.known()) s.seen.membership = s.members;
}

void unlisted(Situation& s, Words& w) {
  const base::MemberId id = s.id_of(w.next());
  std::erase_if(s.members.members, [&](const plan::EtcdMember& m) { return m.id == id; });
  if (s.seen.membership.known()) s.seen.membership = s.members;
}

void status(Situation& s, Words& w) {
  const std::string name = w.next();
  if (w.flag("unknown")) {
    s.seen.statuses[s.id_of(name)] = base::Fact<plan::EtcdStatus>::unknown("deadline exceeded");
    return;
  }
  plan::EtcdStatus& st = s.status(name);
  std::string text;
  if (w.take("leader", text)) st.leader = text == "none" ? base::MemberId{} : s.id_of(text);
  if (w.take("clusterId", text)) st.cluster_id = base::ClusterId{hex(text)};
  w.set("version", st.version);
  w.set("storageVersion", st.storage_version);
  w.set("revision", st.revision);
  w.set("size", st.db_size);
  w.set("inUse", st.db_in_use);
  w.set("quota", st.db_quota);
  w.set("term", st.raft_term);
  w.set("index", st.raft_index);
  w.set("applied", st.raft_applied);
  w.set("learner", st.learner);
}

void alarm(Situation& s, Words& w) {
  const std::string kind = w.next();
  if (kind == "none") {
    s.seen.alarms = std::vector<plan::Alarm>{};
  } else if (kind == "unknown") {
    s.seen.alarms = base::Fact<std::vector<plan::Alarm>>::unknown("request timed out");
  } else {
    auto all = s.seen.alarms.known() ? *s.seen.alarms : std::vector<plan::Alarm>{};
    const auto which = Words::pick<plan::AlarmKind>(
        kind, {{"NOSPACE", plan::AlarmKind::kNoSpace}, {"CORRUPT", plan::AlarmKind::kCorrupt}});
    all.push_back({s.id_of(w.next()), which});
    s.seen.alarms = all;
  }
}

void hash(Situation& s, Words& w) {
  const std::string name = w.next();
  if (name == "none") return s.seen.hashes.clear();
  plan::Hash& h = s.seen.hashes[s.id_of(name)];
  w.set("hash", h.hash);
  w.set("revision", h.revision);
  w.set("compact", h.compact_revision);
}

void last(Situation& s, Words& w) {
  const std::string action = w.next();
  if (action == "none") return s.seen.last.reset();
  plan::LastAct act;
  act.action = action;
  act.at = s.now;
  act.outcome = Words::pick<plan::Outcome>(w.next(), {{"done", plan::Outcome::kDone},
                                                      {"refused", plan::Outcome::kRefused},
                                                      {"maybe", plan::Outcome::kMayHaveHappened}});
  act.failures = act.outcome == plan::Outcome::kDone ? 0 : 1;
  w.set("text", act.text);
  w.set("failures", act.failures);
  w.set("damaged", act.damaged);
  w.set("ago", act.at, s.now, -1);
  s.seen.last = act;
}

void binary(Situation& s, Words& w) {
  const std::string version = w.next(), state = w.next();
  if (state == "unknown") {
    s.seen.binaries[version] = base::Fact<plan::Binary>::unknown("the folder cannot be read");
    return;
  }
  s.seen.binaries[version] =
      Words::pick<plan::Binary>(state, {{"present", plan::Binary::kPresent},
                                        {"fetching", plan::Binary::kFetching},
                                        {"missing", plan::Binary::kMissing}});
}

void stray(Situation& s, Words& w) {
  const std::string what = w.next();
  if (what == "unknown") {
    s.seen.stray_data = base::Fact<std::vector<std::string>>::unknown("permission denied");
  } else {
    s.seen.stray_data = std::vector<std::string>{what};
  }
}

void stray_process(Situation& s, Words& w) {
  const std::string name = w.next();
  if (name == "unknown") {
    s.seen.stray_processes = base::Fact<std::vector<std::string>>::unknown("permission denied");
  } else if (name == "none") {
    s.seen.stray_processes = std::vector<std::string>{};
  } else {
    s.seen.stray_processes = std::vector<std::string>{name};
  }
}

void survivor(Situation& s, Words& w) {
  w.choose<bool>("snapshot", s.seen.survivor_snapshot, {{"yes", true}, {"no", false}});
  w.set("bound", s.seen.survivor_bound);
}

// none|unknown|absent|running|vanished, or how the newest job ended.
void job(base::Fact<plan::StoreJob>& fact, int epoch, Situation& s, Words& w) {
  const std::string what = w.next();
  if (what == "unknown") {
    fact = base::Fact<plan::StoreJob>::unknown("permission denied");
    return;
  }
  if (what == "absent") {
    fact = base::Fact<plan::StoreJob>::absent();
    return;
  }
  plan::StoreJob seen;
  seen.epoch = what == "none" ? 0 : epoch;
  w.set("epoch", seen.epoch);
  seen.running = what == "running";
  if (what != "none" && what != "running" && what != "vanished") {
    plan::JobReport report;
    report.end = Words::pick<plan::JobEnd>(what, {{"uploaded", plan::JobEnd::kUploaded},
                                                  {"unchanged", plan::JobEnd::kUnchanged},
                                                  {"notDue", plan::JobEnd::kNotDue},
                                                  {"fetched", plan::JobEnd::kFetched},
                                                  {"empty", plan::JobEnd::kEmpty},
                                                  {"failed", plan::JobEnd::kFailed},
                                                  {"proven", plan::JobEnd::kProven},
                                                  {"bad", plan::JobEnd::kBad}});
    w.set("name", report.name);
    if (!report.name.empty()) report.location = "the-store/" + report.name;
    w.set("revision", report.revision);
    w.set("keys", report.keys);
    w.set("version", report.etcd_version);
    w.set("error", report.error);
    w.set("warning", report.warning);
    base::Instant taken{};
    w.set("taken", taken, s.now, -1);
    w.set("ahead", taken, s.now, 1);
    if (taken != base::Instant{}) report.time = taken;
    seen.report = report;
  }
  fact = seen;
}

// none|unknown|absent|running|ended, and what it says.
void follower(Situation& s, Words& w) {
  const std::string what = w.next();
  if (what == "unknown") {
    s.seen.follower = base::Fact<plan::Follower>::unknown("permission denied");
    return;
  }
  if (what == "absent") {
    s.seen.follower = base::Fact<plan::Follower>::absent();
    return;
  }
  plan::Follower seen;
  seen.epoch = what == "none" ? 0 : s.record.follow.epoch;
  w.set("epoch", seen.epoch);
  seen.running = what == "running";
  w.set("outdated", seen.outdated);
  w.set("base", seen.base);
  w.set("problem", seen.problem);
  w.set("overrun", seen.overrun);
  w.set("holes", seen.holes);
  w.set("hole", seen.last_hole);
  w.set("weak", seen.weak_fence);
  base::Duration lag{-1};
  w.set("lag", lag);
  seen.lag = lag < base::Duration(0) ? base::Fact<base::Duration>::unknown("it says nothing yet")
                                     : base::Fact<base::Duration>(lag);
  s.seen.follower = seen;
}

void client(Situation& s, Words& w) {
  w.set("published", s.seen.client_certificate_published);
  fact_of_time(w, "renew", s.seen.client_certificate_renew_at, s.now);
  fact_of_time(w, "authority", s.seen.authority_renew_at, s.now);
}

void users(Situation& s, Words& w) {
  w.set("problem", s.seen.user_certificates_problem);
  w.set("client", s.seen.client_certificate_replaced);
}

void membership(Situation& s, Words& w) {
  std::string text;
  if (w.flag("unknown")) {
    s.seen.membership = base::Fact<plan::Membership>::unknown("request timed out");
  } else if (w.flag("known")) {
    s.seen.membership = s.members;
  }
  if (w.take("clusterId", text)) {
    s.members.cluster_id = base::ClusterId{hex(text)};
    s.seen.membership = s.members;
  }
}

void cluster_version(Situation& s, Words& w) {
  const std::string text = w.next();
  if (text == "unknown") {
    s.seen.cluster_version = base::Fact<api::Version>::unknown("request timed out");
  } else {
    s.seen.cluster_version = version_of(text);
  }
}

void record_file(Situation& s, Words& w) {
  s.seen.record_state =
      Words::pick<plan::RecordState>(w.next(), {{"ok", plan::RecordState::kOk},
                                                {"none", plan::RecordState::kNone},
                                                {"torn", plan::RecordState::kTorn}});
  if (w.more()) s.seen.record_problem = w.next();
}

void nothing_free(Situation& s, Words& w) {
  s.offers = w.next() != "none";
}

template <class F>
void each(Words& w, F&& f) {
  f(w.next());
  while (w.more()) f(w.next());
}

using Setter = void (*)(Situation&, Words&);
const std::map<std::string, Setter>& setters() {
  static const std::map<std::string, Setter> all{
      {"member", member},
      {"listed", listed},
      {"unlisted", unlisted},
      {"status", status},
      {"alarm", alarm},
      {"hash", hash},
      {"last", last},
      {"binary", binary},
      {"stray", stray},
      {"strayProcess", stray_process},
      {"survivor", survivor},
      {"backup",
       [](Situation& s, Words& w) { job(s.seen.backup_job, s.record.backup.epoch, s, w); }},
      {"drill", [](Situation& s, Words& w) { job(s.seen.drill_job, s.record.drill.epoch, s, w); }},
      {"follower", follower},
      {"slots", [](Situation& s, Words& w) { s.seen.no_slot = w.next() == "none"; }},
      {"fetch",
       [](Situation& s, Words& w) { job(s.seen.fetch_job, s.record.restore.epoch, s, w); }},
      {"clientCertificate", client},
      {"userCertificates", users},
      {"membership", membership},
      {"clusterVersion", cluster_version},
      {"recordFile", record_file},
      {"offers", nothing_free},
      {"quorumRead",
       [](Situation& s, Words& w) { s.seen.quorum_read = s.now - duration(w.next()); }},
      {"up", [](Situation& s, Words& w) { each(w, [&](const auto& name) { s.up(name); }); }},
      {"down", [](Situation& s, Words& w) { each(w, [&](const auto& name) { s.down(name); }); }},
      {"show", [](Situation& s, Words& w) { s.shown.insert(w.next()); }},
      {"leader", [](Situation& s, Words& w) { s.lead(w.next()); }},
  };
  return all;
}

}  // namespace

bool fact_command(Situation& s, Words& w) {
  const auto at = setters().find(w.name());
  if (at == setters().end()) return false;
  at->second(s, w);
  return true;
}

}  // namespace scenario
