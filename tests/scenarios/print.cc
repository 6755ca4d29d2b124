// A plan as text: steps, events, what changes in the record, conditions that are not plain.
#include <fmt/format.h>

#include <array>
#include <set>

#include "api/conditions.h"
#include "situation.h"

namespace scenario {
namespace {

using plan::MemberRecord;
using plan::Record;

class Differences {
 public:
  explicit Differences(std::string& out) : out_(out) {}

  void field(const std::string& what, const std::string& before, const std::string& after) {
    if (before == after) return;
    out_ += fmt::format("record {}: {} -> {}\n", what, shown(before), shown(after));
  }

 private:
  static std::string shown(const std::string& text) { return text.empty() ? "none" : text; }
  std::string& out_;
};

std::string yes(bool value) {
  return value ? "yes" : "no";
}

std::string describe(const MemberRecord& m) {
  return fmt::format("{} {} at {} volume {} of {} etcd {} template {}{}", plan::name_of(m.phase),
                     plan::name_of(m.permit), m.addresses.peer_url, m.volume, m.incarnation,
                     m.version.text(), m.template_hash, m.may_start ? " may start" : "");
}

void member(Differences& d, const MemberRecord& a, const MemberRecord& b) {
  const std::string& name = b.name;
  d.field(name + " id", a.id ? base::to_text(a.id) : "", b.id ? base::to_text(b.id) : "");
  d.field(name + " phase", std::string(plan::name_of(a.phase)),
          std::string(plan::name_of(b.phase)));
  d.field(name + " permit", std::string(plan::name_of(a.permit)),
          std::string(plan::name_of(b.permit)));
  d.field(name + " may start", yes(a.may_start), yes(b.may_start));
  d.field(name + " version", a.version.text(), b.version.text());
  d.field(name + " template", a.template_hash, b.template_hash);
  d.field(name + " client URL", a.addresses.client_url, b.addresses.client_url);
  d.field(name + " volume", a.volume, b.volume);
  d.field(name + " incarnation", a.incarnation, b.incarnation);
  d.field(name + " peer URL", a.addresses.peer_url, b.addresses.peer_url);
}

std::string describe(const std::optional<plan::Operation>& o) {
  if (!o) return {};
  return fmt::format("{} {}{}{} ({}){}{}", o->id, plan::name_of(o->kind),
                     o->member.empty() ? "" : " of " + o->member,
                     o->step.empty() ? "" : ", " + o->step, plan::name_of(o->reason),
                     o->halted ? ", halted" : "", o->note.empty() ? "" : ": " + o->note);
}

std::string describe(const std::optional<plan::Recovery>& r) {
  if (!r) return {};
  std::string out =
      fmt::format("{} from {} of {}, {}", r->operation, r->survivor, r->old_incarnation, r->bound);
  for (const auto& name : r->vouched) out += "; vouched for " + name;
  for (const auto& [name, times] : r->failed) out += fmt::format("; {} failed {}", name, times);
  return r->failure.empty() ? out : out + "; waits";
}

std::string describe(const plan::Rotation& r) {
  if (r.request.empty()) return {};
  return fmt::format("{} {} for {}, trust {}", r.id, plan::name_of(r.phase), r.request, r.trust);
}

std::string at(const std::optional<base::Instant>& time) {
  return time ? base::to_rfc3339(*time) : std::string();
}

void backup(Differences& d, const plan::BackupRecord& a, const plan::BackupRecord& b) {
  d.field("backup job", fmt::format("{}{}", a.epoch, a.running ? " runs" : ""),
          fmt::format("{}{}", b.epoch, b.running ? " runs" : ""));
  d.field("backups of", a.of, b.of);
  d.field("last backup", at(a.last_success), at(b.last_success));
  d.field("backup revision", std::to_string(a.revision), std::to_string(b.revision));
  d.field("failed backups", std::to_string(a.failures), std::to_string(b.failures));
  d.field("backup asked for", at(a.requested_at), at(b.requested_at));
  d.field("backup before", a.upgrade, b.upgrade);
}

void drill(Differences& d, const plan::DrillRecord& a, const plan::DrillRecord& b) {
  d.field("drill", fmt::format("{}{}", a.epoch, a.running ? " runs" : ""),
          fmt::format("{}{}", b.epoch, b.running ? " runs" : ""));
  d.field("drills of", a.of, b.of);
  d.field("proven", a.proven_at ? fmt::format("{} at {}", a.name, at(a.proven_at)) : "",
          b.proven_at ? fmt::format("{} at {}", b.name, at(b.proven_at)) : "");
  d.field("failed drills", fmt::format("{}{}", a.failures, a.bad ? " damaged" : ""),
          fmt::format("{}{}", b.failures, b.bad ? " damaged" : ""));
  d.field("drills ended", std::to_string(a.ended), std::to_string(b.ended));
}

void follow(Differences& d, const plan::FollowRecord& a, const plan::FollowRecord& b) {
  d.field("follower", fmt::format("{}{}", a.epoch, a.running ? " runs" : ""),
          fmt::format("{}{}", b.epoch, b.running ? " runs" : ""));
  d.field("failed followers", fmt::format("{}{}", a.failures, a.overrun ? " overrun" : ""),
          fmt::format("{}{}", b.failures, b.overrun ? " overrun" : ""));
  d.field("behind since", at(a.behind_since), at(b.behind_since));
  d.field("holes told", std::to_string(a.holes), std::to_string(b.holes));
}

void restore(Differences& d, const plan::RestoreRecord& a, const plan::RestoreRecord& b) {
  const auto found = [](const plan::RestoreRecord& r) -> std::string {
    if (r.found == plan::Found::kEmpty) return "nothing is there";
    if (r.found == plan::Found::kNothing) return {};
    return fmt::format("{} of revision {} as {}", r.location, r.revision, r.operation);
  };
  d.field("fetch job", fmt::format("{}{}", a.epoch, a.running ? " runs" : ""),
          fmt::format("{}{}", b.epoch, b.running ? " runs" : ""));
  d.field("looked for in", a.source, b.source);
  d.field("found", found(a), found(b));
  d.field("failed looks", std::to_string(a.failures), std::to_string(b.failures));
  d.field("after a loss", yes(a.after_loss), yes(b.after_loss));
  d.field("declared again", yes(a.again), yes(b.again));
}

void in_place(Differences& d, const plan::InPlaceRecord& a, const plan::InPlaceRecord& b) {
  const auto stage = [](const plan::InPlaceRecord& p) -> std::string {
    constexpr std::array<std::string_view, 6> kStages{"",      "look", "save",
                                                      "begin", "done", "refused"};
    return fmt::format("{} {}", p.request, kStages.at(static_cast<size_t>(p.stage)));
  };
  d.field("in place", stage(a), stage(b));
  d.field("safety copy", a.safety, b.safety);
}

std::string listed(const std::set<std::string>& all) {
  std::string out;
  for (const auto& one : all) out += (out.empty() ? "" : " ") + one;
  return out;
}

void record(std::string& out, const Record& a, const Record& b) {
  Differences d(out);
  d.field("formation", std::string(plan::name_of(a.formation)),
          std::string(plan::name_of(b.formation)));
  d.field("incarnation", a.incarnation, b.incarnation);
  d.field("token", a.token, b.token);
  d.field("old tokens", listed(a.old_tokens), listed(b.old_tokens));
  d.field("strangers", listed(a.strangers), listed(b.strangers));
  d.field("epoch", std::to_string(a.epoch), std::to_string(b.epoch));
  d.field("cluster id", a.cluster_id ? base::to_text(a.cluster_id) : "",
          b.cluster_id ? base::to_text(b.cluster_id) : "");
  d.field("size", std::to_string(a.size), std::to_string(b.size));
  d.field("version", a.version.text(), b.version.text());
  d.field("template", a.template_hash, b.template_hash);
  d.field("operation", describe(a.operation), describe(b.operation));
  d.field("recovery", describe(a.recovery), describe(b.recovery));
  d.field("rotation", describe(a.rotation), describe(b.rotation));
  backup(d, a.backup, b.backup);
  drill(d, a.drill, b.drill);
  follow(d, a.follow, b.follow);
  restore(d, a.restore, b.restore);
  in_place(d, a.in_place, b.in_place);
  d.field("declared by", a.declared_by, b.declared_by);
  d.field("hibernated", yes(a.hibernated), yes(b.hibernated));
  d.field("open to clients", yes(a.open_to_clients), yes(b.open_to_clients));
  d.field("bootstrap source", a.bootstrap_source, b.bootstrap_source);
  d.field("quorum lost since", a.quorum_lost_since ? base::to_rfc3339(*a.quorum_lost_since) : "",
          b.quorum_lost_since ? base::to_rfc3339(*b.quorum_lost_since) : "");
  d.field("highest minor", std::to_string(a.highest_minor_seen),
          std::to_string(b.highest_minor_seen));
  for (const auto& [name, m] : a.members)
    if (!b.members.contains(name)) d.field(name, describe(m), "");
  for (const auto& [name, m] : b.members) {
    const auto at = a.members.find(name);
    if (at == a.members.end()) {
      d.field(name, "", describe(m));
    } else {
      member(d, at->second, m);
    }
  }
}

std::string conditions(const Situation& s, const api::ClusterStatus& status) {
  std::string out;
  for (const auto& info : api::condition_table()) {
    const api::Condition* c = api::find_condition(status, info.type);
    if (c == nullptr || c->reason == "AsWanted") continue;
    const bool quiet = info.type == api::ConditionType::kVersionHazard ||
                       info.type == api::ConditionType::kEvenSize || c->reason == "NotSeen";
    if (quiet && !s.shown.contains(std::string(info.name))) continue;
    out += fmt::format("status {} {} {}: {}\n", info.name, api::name_of(c->status), c->reason,
                       c->message);
  }
  return out;
}

// How far each log was audited, when "show audited" asks for it: it moves in most passes.
std::string audited(const Situation& s, const Record& now) {
  std::string out;
  Differences d(out);
  for (const auto& [name, m] : now.members)
    if (const auto at = s.record.members.find(name); at != s.record.members.end())
      d.field(name + " audited", std::to_string(at->second.audited_index),
              std::to_string(m.audited_index));
  return s.shown.contains("audited") ? out : std::string();
}

// The rest of the status, when "show status" asks for it.
std::string words(const Situation& s, const api::ClusterStatus& status) {
  if (!s.shown.contains("status")) return {};
  std::string out = fmt::format(
      "phase {}, {} wanted, {} voters, {} healthy, cluster {}, leader {}, runs {}, wanted {}\n",
      api::name_of(status.phase), status.desired_size, status.current_size, status.ready_size,
      base::to_text(status.cluster_id), base::to_text(status.leader),
      status.current_version ? status.current_version->text() : "unknown",
      status.target_version ? status.target_version->text() : "unknown");
  if (status.observed_at) out += "observed at " + base::to_rfc3339(*status.observed_at) + "\n";
  for (const auto& m : status.members)
    out += fmt::format("member {} {} {} {} healthy {}{}{}\n", m.name, base::to_text(m.id),
                       api::name_of(m.role), m.version ? m.version->text() : "unknown",
                       api::name_of(m.healthy), m.note.empty() ? "" : ": ", m.note);
  if (status.operation)
    out += fmt::format("operation {} {}, {}\n", status.operation->id, status.operation->kind,
                       status.operation->step);
  if (status.last_backup)
    out += fmt::format("last backup {} revision {} at {}{}\n", at(status.last_backup->time),
                       status.last_backup->revision, status.last_backup->location,
                       status.last_backup->proven ? ", proven" : "");
  return out;
}

}  // namespace

std::string print(const Situation& before, const plan::Plan& plan) {
  std::string out;
  if (plan.steps.empty()) out = "nothing\n";
  for (const auto& step : plan.steps)
    out += fmt::format("do {} ({})\n", plan::to_text(step.action), plan::name_of(step.reason));
  if (plan.want_hashes) out += "look at hashes\n";
  for (const auto& event : plan.events)
    out += fmt::format("{} {}: {}\n", event.warning ? "warning" : "event",
                       plan::name_of(event.reason), event.message);
  record(out, before.record, plan.record);
  out += audited(before, plan.record);
  return out + conditions(before, plan.status) + words(before, plan.status);
}

}  // namespace scenario
