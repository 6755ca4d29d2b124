#include "manager/views.h"

#include <utility>

#include "api/status_json.h"

namespace manager {
namespace {

using api::ConditionType;
using api::Truth;

std::string_view name_of(plan::Wish wish) {
  switch (wish) {
    case plan::Wish::kPresent:
      return "Present";
    case plan::Wish::kStale:
      return "Stale";
    case plan::Wish::kDeleted:
      return "Deleted";
  }
  std::unreachable();
}

json::Value metadata(const IntentView& view) {
  const auto& cluster = view.intent.cluster;
  json::Object out{{"name", cluster.key.name}, {"namespace", cluster.key.ns}};
  if (view.known) {
    out["apiVersion"] = cluster.group == api::Group::kCoreOs ? "etcd.database.coreos.com/v1beta2"
                                                             : "operator.etcd.io/v1alpha1";
    out["generation"] = cluster.generation;
  }
  if (!cluster.labels.empty()) {
    json::Object labels;
    for (const auto& [key, value] : cluster.labels) labels[key] = value;
    out["labels"] = std::move(labels);
  }
  if (!view.file.empty()) out["manifest"] = view.file;
  out["wish"] = name_of(view.intent.wish);
  if (!view.warnings.empty()) out["warnings"] = view.warnings;
  return out;
}

template <class T, class Print>
json::Value fact(const base::Fact<T>& value, Print print) {
  if (value.known()) return print(*value);
  return value.is_absent() ? json::Value("absent") : json::Value("unknown: " + value.why());
}

json::Value at(const base::Fact<base::Instant>& value) {
  return fact(value, [](base::Instant t) { return json::Value(base::to_rfc3339(t)); });
}

json::Value member_facts(const plan::MemberFacts& facts) {
  json::Object out;
  out["process"] = fact(facts.process, [](plan::Process p) {
    static constexpr std::string_view kNames[] = {"Stopped", "Starting", "Running", "Backoff"};
    return json::Value(kNames[static_cast<size_t>(p)]);
  });
  out["data"] = fact(facts.data, [](plan::Data d) {
    static constexpr std::string_view kNames[] = {"Own",     "Blank",   "Older",
                                                  "Foreign", "Corrupt", "NoMarker"};
    return json::Value(kNames[static_cast<size_t>(d)]);
  });
  if (facts.ended)
    out["ended"] = json::Object{{"text", facts.ended->text},
                                {"failures", facts.ended->failures},
                                {"at", base::to_rfc3339(facts.ended->at)}};
  out["version"] = facts.version;
  out["templateHash"] = facts.template_hash;
  out["certificateExpires"] = at(facts.certificate_expires);
  return out;
}

json::Value status_facts(const plan::EtcdStatus& s) {
  return json::Object{{"leader", base::to_text(s.leader)},
                      {"version", s.version},
                      {"revision", s.revision},
                      {"dbSize", s.db_size},
                      {"dbInUse", s.db_in_use},
                      {"raftTerm", s.raft_term},
                      {"raftIndex", s.raft_index},
                      {"raftApplied", s.raft_applied},
                      {"learner", s.learner}};
}

json::Value observation(const plan::Observation& seen) {
  json::Object members, statuses;
  for (const auto& [name, facts] : seen.members) members[name] = member_facts(facts);
  for (const auto& [id, status] : seen.statuses)
    statuses[base::to_text(id)] = fact(status, status_facts);
  json::Object out{{"members", std::move(members)}, {"statuses", std::move(statuses)}};
  out["membership"] = fact(seen.membership, [](const plan::Membership& list) {
    json::Array items;
    for (const auto& m : list.members)
      items.push_back(json::Object{{"id", base::to_text(m.id)},
                                   {"name", m.name},
                                   {"peerURL", m.peer_url},
                                   {"started", m.started},
                                   {"learner", m.learner}});
    return json::Value(std::move(items));
  });
  out["quorumRead"] = at(seen.quorum_read);
  out["clusterVersion"] =
      fact(seen.cluster_version, [](const api::Version& v) { return json::Value(v.text()); });
  out["alarms"] = fact(seen.alarms, [](const std::vector<plan::Alarm>& alarms) {
    json::Array items;
    for (const auto& alarm : alarms)
      items.push_back(
          json::Object{{"member", base::to_text(alarm.member)},
                       {"kind", alarm.kind == plan::AlarmKind::kNoSpace ? "NOSPACE" : "CORRUPT"}});
    return json::Value(std::move(items));
  });
  if (!seen.record_problem.empty()) out["recordProblem"] = seen.record_problem;
  if (seen.last) out["lastAct"] = seen.last->action + ": " + seen.last->text;
  return out;
}

}  // namespace

api::ClusterStatus current_status(const IntentView& view, const engine::Report* report,
                                  base::Instant now) {
  api::ClusterStatus status;
  if (report != nullptr) status = report->plan.status;
  // When these began is not known here, so no time is given unless the planner said the same.
  const auto say = [&](ConditionType type, Truth truth, const char* reason, std::string message) {
    std::optional<base::Instant> since;
    if (const auto* old = api::find_condition(status, type); old != nullptr && old->status == truth)
      since = old->last_transition;
    std::erase_if(status.conditions, [&](const api::Condition& c) { return c.type == type; });
    status.conditions.push_back({type, truth, reason, std::move(message), since});
  };
  if (report == nullptr) {
    status.phase = view.known ? api::Phase::kPending : api::Phase::kFailed;
    say(ConditionType::kAvailable, Truth::kUnknown, "NotLookedAt", "no look at it has ended yet");
  } else if (now - report->at > kStaleAfter) {
    const auto age = base::to_text(
        base::Duration(std::chrono::duration_cast<std::chrono::seconds>(now - report->at)));
    say(ConditionType::kAvailable, Truth::kUnknown, "Stale", "the newest look is " + age + " old");
    say(ConditionType::kStale, Truth::kTrue, "Stale", "the newest look is " + age + " old");
  }
  if (!view.known)
    say(ConditionType::kSpecValid, Truth::kFalse, "NoValidManifest", view.intent.problem);
  else if (!view.intent.problem.empty() && view.intent.wish == plan::Wish::kPresent)
    say(ConditionType::kSpecValid, Truth::kFalse, "LastGoodInForce", view.intent.problem);
  if (!view.conflict.empty())
    say(ConditionType::kNameConflict, Truth::kTrue, "NameTaken", view.conflict);
  return status;
}

json::Value cluster_view(const IntentView& view, const engine::Report* report, base::Instant now) {
  return json::Object{{"metadata", metadata(view)},
                      {"status", api::to_json(current_status(view, report, now))}};
}

json::Value plan_view(const base::ClusterKey& key, const plan::Plan& plan) {
  json::Array steps, events;
  for (const auto& step : plan.steps)
    steps.push_back(json::Object{{"action", plan::to_text(step.action)},
                                 {"kind", plan::name_of(step.action)},
                                 {"disruptive", plan::is_disruptive(step.action)},
                                 {"reason", plan::name_of(step.reason)},
                                 {"meaning", plan::meaning_of(step.reason)}});
  for (const auto& event : plan.events)
    events.push_back(json::Object{{"type", event.warning ? "Warning" : "Normal"},
                                  {"reason", plan::name_of(event.reason)},
                                  {"message", event.message}});
  return json::Object{{"cluster", key.text()},
                      {"steps", std::move(steps)},
                      {"events", std::move(events)},
                      {"lookAgain", base::to_text(plan.requeue_after)},
                      {"status", api::to_json(plan.status)}};
}

json::Value debug_view(const IntentView& view, const engine::Report* report) {
  json::Object out{{"metadata", metadata(view)}, {"problem", view.intent.problem}};
  if (report == nullptr) return out;
  out["at"] = base::to_rfc3339(report->at);
  out["passProblem"] = report->problem;
  out["observation"] = observation(report->seen);
  out["plan"] = plan_view(view.intent.cluster.key, report->plan);
  if (report->act) out["act"] = report->act->action + ": " + report->act->text;
  json::Object record{{"incarnation", report->plan.record.incarnation},
                      {"epoch", report->plan.record.epoch},
                      {"clusterID", base::to_text(report->plan.record.cluster_id)},
                      {"size", report->plan.record.size},
                      {"version", report->plan.record.version.text()}};
  json::Object members;
  for (const auto& [name, member] : report->plan.record.members)
    members[name] = json::Object{{"id", base::to_text(member.id)},
                                 {"peerURL", member.addresses.peer_url},
                                 {"clientURL", member.addresses.client_url},
                                 {"version", member.version.text()},
                                 {"mayStart", member.may_start}};
  record["members"] = std::move(members);
  out["record"] = std::move(record);
  return out;
}

}  // namespace manager
