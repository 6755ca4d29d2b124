#include "sim/model/transcript.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "tests/scenarios/situation.h"

namespace sim::model {
namespace {

std::string quoted(const std::string& text) {
  if (!text.empty() && text.find_first_of(" \t") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) out += c == '"' || c == '\n' ? '\'' : c;
  return out + "\"";
}

std::string yes(bool value) {
  return value ? "yes" : "no";
}

std::string exact(base::Duration d) {
  return fmt::format("{}ms", d.count());
}

template <class E>
std::string one_of(E value, std::initializer_list<const char*> names) {
  return std::data(names)[static_cast<std::size_t>(value)];
}

template <class T, class F>
std::string fact(const base::Fact<T>& f, F&& text) {
  if (f.known()) return text(*f);
  return f.is_absent() ? "absent" : "unknown";
}

constexpr auto kProcesses = {"stopped", "starting", "running", "backoff"};
constexpr auto kData = {"own", "blank", "older", "foreign", "corrupt", "noMarker"};
constexpr auto kEnds = {"no",      "Stopped", "Retry",  "DataLost", "DataCorrupt",
                        "Foreign", "Removed", "Config", "Node",     "NoVolume"};

class Writer {
 public:
  explicit Writer(base::Instant now) : now_(now) {}

  void line(std::string text) { out_ += std::move(text) + "\n"; }

  void wish(const plan::Intent& intent) {
    const api::ClusterSpec& spec = intent.cluster.spec;
    line(fmt::format(
        "wish size={} version={} template={} state={} paused={} pausedByCommand={} stop={} "
        "hibernate={} restore={}",
        spec.size, spec.version.text(), quoted(intent.template_hash),
        one_of(intent.wish, {"present", "stale", "deleted"}), yes(spec.paused), yes(intent.paused),
        yes(intent.stop), yes(spec.hibernate), yes(spec.restore.has_value())));
    line(fmt::format(
        "wish tls={} onQuorumLoss={} onDataLoss={} window={} repairTimeout={} whenScaled={} "
        "whenDeleted={}",
        spec.tls.mode == api::TlsMode::kDisabled ? "disabled" : "required",
        one_of(spec.recovery.on_quorum_loss, {"Automatic", "Approve", "Never"}),
        one_of(spec.recovery.on_data_loss, {"Approve", "Restore", "Never"}),
        exact(spec.recovery.wait), exact(spec.repair_timeout),
        one_of(spec.when_scaled, {"Retain", "Delete"}),
        one_of(spec.when_deleted, {"Retain", "Delete"})));
    for (const auto& option : spec.etcd_options) line("wish option=" + quoted(option));
    for (const auto& [name, value] : intent.cluster.annotations)
      line(fmt::format("wish annotation={} {}", name, quoted(value)));
    for (const plan::Approval& a : intent.approvals)
      line(fmt::format("approve {} {}", a.operation, until("expires", "expired", a.expires)));
  }

  void record(const plan::Record& r) {
    line(fmt::format(
        "record formation={} incarnation={} token={} epoch={} size={} version={} template={} "
        "hibernated={} open={} nextOrdinal={} highestMinor={}",
        plan::name_of(r.formation), quoted(r.incarnation), quoted(r.token), r.epoch, r.size,
        r.version.text(), quoted(r.template_hash), yes(r.hibernated), yes(r.open_to_clients),
        r.next_ordinal, r.highest_minor_seen));
    line(fmt::format("record minorSince={} compacted={} source={}", r.minor_since_index,
                     r.compacted_revision, quoted(r.bootstrap_source)));
    if (r.cluster_id) line("record clusterId=" + base::to_text(r.cluster_id));
    if (r.last_quorum_read != base::Instant{})
      line("record quorumRead=" + exact(now_ - r.last_quorum_read));
    if (r.quorum_lost_since) line("record quorumLost=" + exact(now_ - *r.quorum_lost_since));
    for (const auto& token : r.old_tokens) line("record oldToken=" + token);
    for (const auto& name : r.strangers) line("record stranger=" + quoted(name));
    for (const auto& [name, m] : r.members) member(m);
    for (const auto& [name, at] : r.last_defragmented)
      line(fmt::format("defragmented {} {}", name, exact(now_ - at)));
    if (r.operation) operation(*r.operation);
    if (r.recovery) recovery(*r.recovery);
  }

  void seen(const plan::Observation& o) {
    line(fmt::format("recordFile {}{}", one_of(o.record_state, {"ok", "none", "torn"}),
                     o.record_problem.empty() ? "" : " " + quoted(o.record_problem)));
    if (o.stray_data.is_unknown()) line("stray unknown");
    if (o.stray_data.known() && !o.stray_data->empty())
      line("stray " + quoted(o.stray_data->front()));
    if (o.stray_processes.is_unknown()) line("strayProcess unknown");
    if (o.stray_processes.known() && !o.stray_processes->empty())
      line("strayProcess " + quoted(o.stray_processes->front()));
    for (const auto& [name, facts] : o.members) platform(name, facts);
    list(o);
    for (const auto& [id, status] : o.statuses) etcd(id, status);
    others(o);
    if (o.last) last(*o.last);
    if (o.addresses.empty()) line("offers none");
  }

  [[nodiscard]] const std::string& text() const { return out_; }

 private:
  std::string until(const char* ahead, const char* past, base::Instant at) const {
    return at >= now_ ? fmt::format("{}={}", ahead, exact(at - now_))
                      : fmt::format("{}={}", past, exact(now_ - at));
  }

  void member(const plan::MemberRecord& m) {
    line(fmt::format(
        "record {} phase={} permit={} mayStart={} ran={} version={} template={} incarnation={} "
        "volume={} term={} index={} seenTerm={} seenIndex={} id={}",
        m.name, plan::name_of(m.phase), plan::name_of(m.permit), yes(m.may_start), yes(m.ran),
        m.version.text(), quoted(m.template_hash), quoted(m.incarnation), quoted(m.volume),
        m.audited_term, m.audited_index, m.seen_term, m.seen_index, base::to_text(m.id)));
    line(m.started_at == base::Instant{}
             ? fmt::format("record {} neverStarted", m.name)
             : fmt::format("record {} started={}", m.name, exact(now_ - m.started_at)));
    if (!m.origin.empty()) line(fmt::format("record {} origin={}", m.name, quoted(m.origin)));
    if (m.unreachable_since)
      line(fmt::format("record {} unreachable={}", m.name, exact(now_ - *m.unreachable_since)));
  }

  void operation(const plan::Operation& o) {
    line(fmt::format("operation {} id={} step={} member={} reason={} halted={} note={}",
                     plan::name_of(o.kind), quoted(o.id), quoted(o.step), quoted(o.member),
                     plan::name_of(o.reason), yes(o.halted), quoted(o.note)));
    line(fmt::format("operation started={} {}", exact(now_ - o.started_at),
                     until("left", "overdue", o.deadline)));
  }

  void recovery(const plan::Recovery& r) {
    line(fmt::format("recovery operation={} survivor={} bound={} old={} chosen={} approved={}",
                     quoted(r.operation), quoted(r.survivor), quoted(r.bound),
                     quoted(r.old_incarnation), exact(now_ - r.chosen_at), yes(r.approved)));
    for (const auto& name : r.vouched) line("recovery vouched=" + name);
    for (const auto& [name, times] : r.failed)
      line(fmt::format("recovery failed={} times={}", name, times));
    if (!r.failure.empty()) line("recovery failure=" + quoted(r.failure));
    if (r.looked_at != base::Instant{}) line("recovery looked=" + exact(now_ - r.looked_at));
  }

  void platform(const std::string& name, const plan::MemberFacts& f) {
    line(fmt::format(
        "member {} process={} data={} ticket={} version={} template={} logTerm={} logIndex={} "
        "logCommit={}",
        name, fact(f.process, [](plan::Process p) { return one_of(p, kProcesses); }),
        fact(f.data, [](plan::Data d) { return one_of(d, kData); }),
        fact(f.ticket, [](plan::Permit p) { return std::string(plan::name_of(p)); }),
        quoted(f.version), quoted(f.template_hash), f.log_term, f.log_index, f.log_commit));
    if (!f.origin.empty()) line(fmt::format("member {} origin={}", name, quoted(f.origin)));
    if (f.ticket_members > 0)
      line(fmt::format("member {} ticketMembers={}", name, f.ticket_members));
    if (f.ended)
      line(fmt::format("member {} ended={} text={} failures={} ago={}", name,
                       one_of(f.ended->end, kEnds), quoted(f.ended->text), f.ended->failures,
                       exact(now_ - f.ended->at)));
    for (const auto& [key, at] :
         {std::pair("renew", f.certificate_renew_at), std::pair("expires", f.certificate_expires)})
      if (at.known())
        line(fmt::format("member {} {}={}{}", name, key, *at < now_ ? "-" : "",
                         exact(*at < now_ ? now_ - *at : *at - now_)));
  }

  void list(const plan::Observation& o) {
    if (!o.membership.known()) return line("membership unknown");
    for (const plan::EtcdMember& m : o.membership->members)
      line(fmt::format("listed {} name={} url={} started={} learner={}", base::to_text(m.id),
                       quoted(m.name), m.peer_url, yes(m.started), yes(m.learner)));
    line("membership clusterId=" + base::to_text(o.membership->cluster_id));
    if (o.quorum_read.known()) line("quorumRead " + exact(now_ - *o.quorum_read));
  }

  void etcd(base::MemberId id, const base::Fact<plan::EtcdStatus>& f) {
    if (!f.known()) return line(fmt::format("status {} unknown", base::to_text(id)));
    const plan::EtcdStatus& s = *f;
    line(fmt::format(
        "status {} leader={} clusterId={} version={} storageVersion={} revision={} size={} "
        "inUse={} quota={} term={} index={} applied={} learner={}",
        base::to_text(id), s.leader ? base::to_text(s.leader) : "none", base::to_text(s.cluster_id),
        quoted(s.version), quoted(s.storage_version), s.revision, s.db_size, s.db_in_use,
        s.db_quota, s.raft_term, s.raft_index, s.raft_applied, yes(s.learner)));
  }

  void others(const plan::Observation& o) {
    if (!o.alarms.known()) {
      line("alarm unknown");
    } else {
      line("alarm none");
      for (const plan::Alarm& a : *o.alarms)
        line(fmt::format("alarm {} {}", one_of(a.kind, {"NOSPACE", "CORRUPT"}),
                         base::to_text(a.member)));
    }
    line("clusterVersion " + (o.cluster_version.known() ? o.cluster_version->text() : "unknown"));
    for (const auto& [id, h] : o.hashes)
      line(fmt::format("hash {} hash={} revision={} compact={}", base::to_text(id), h.hash,
                       h.revision, h.compact_revision));
    for (const auto& [version, state] : o.binaries)
      line(fmt::format("binary {} {}", version, fact(state, [](plan::Binary b) {
                         return one_of(b, {"present", "fetching", "missing"});
                       })));
    line("clientCertificate published=" + yes(o.client_certificate_published));
    if (const auto& at = o.client_certificate_renew_at; at.known())
      line(fmt::format("clientCertificate renew={}{}", *at < now_ ? "-" : "",
                       exact(*at < now_ ? now_ - *at : *at - now_)));
    line(fmt::format("survivor snapshot={} bound={}", fact(o.survivor_snapshot, yes),
                     quoted(o.survivor_bound)));
  }

  void last(const plan::LastAct& l) {
    line(fmt::format("last {} {} text={} failures={} damaged={} ago={}", l.action,
                     one_of(l.outcome, {"done", "refused", "maybe"}), quoted(l.text), l.failures,
                     yes(l.damaged), exact(now_ - l.at)));
  }

  base::Instant now_;
  std::string out_;
};

// Every incarnation that the record knows, oldest first.
std::vector<std::string> incarnations(const plan::Record& r) {
  std::vector<std::string> out;
  const auto add = [&](const std::string& name) {
    if (!name.empty() && std::ranges::find(out, name) == out.end()) out.push_back(name);
  };
  for (const auto& token : r.old_tokens) add(token.substr(r.key.name.size() + 1));
  for (const auto& [name, m] : r.members)
    if (m.incarnation != r.incarnation) add(m.incarnation);
  add(r.incarnation);
  return out;
}

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at))
    at = text.replace(at, what.size(), by).find(by, at) + by.size();
  return text;
}

// Runs the commands in the runner's own parser.
std::string answer(const std::string& commands) {
  scenario::Situation s;
  std::istringstream in(commands);
  for (std::string l; std::getline(in, l);) {
    scenario::Words words(l);
    if (!scenario::command(s, words)) throw scenario::Mistake("no such command: " + l);
    words.done();
  }
  std::istringstream text(scenario::print(s, s.ask()));
  std::string out = "plan\n";
  for (std::string l; std::getline(text, l);) out += "> " + l + "\n";
  return out;
}

}  // namespace

std::string transcript(const Case& title, const plan::Intent& intent, const plan::Record& record,
                       const plan::Observation& seen, base::Instant now) {
  Writer writer(now);
  writer.wish(intent);
  writer.record(record);
  writer.seen(seen);
  std::string commands = writer.text();
  int nth = 0;
  for (const std::string& name : incarnations(record))
    if (const std::string plain = fmt::format("i{}", ++nth); plain != name)
      commands = replaced(commands, name, plain);
  for (const auto& [name, m] : record.members) {
    commands = replaced(commands, m.addresses.peer_url, scenario::peer_url(m.ordinal));
  }
  std::string out;
  for (const std::string& comment : title.comments) out += "# " + comment + "\n";
  out += "case " + title.name + "\n" + commands;
  try {
    out += answer(commands);
  } catch (const scenario::Mistake& mistake) {
    out += fmt::format("# the transcript cannot be played: {}\n", mistake.what());
  }
  return out;
}

}  // namespace sim::model
