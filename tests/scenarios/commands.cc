// Commands that set the wish, the record and the clock.
#include "plan/template.h"
#include "situation.h"

namespace scenario {
namespace {

using plan::Record;

void wish_backup(Situation& s, api::Backup& backup, Words& w) {
  w.set("enabled", backup.enabled);
  w.set("interval", backup.interval);
  w.set("continuous", backup.continuous);
  w.set("maxLag", backup.max_lag);
  base::Duration verify{};
  w.set("verify", verify);
  if (verify > base::Duration(0)) backup.verify_interval = verify;
  w.set("now", s.intent.backup_now);
  std::string text;
  if (!w.take("bucket", text)) return;
  backup.destination = api::ObjectLocation{};
  backup.destination->kind = "s3";
  backup.destination->path = text;
}

void wish_restore(api::Restore& restore, Words& w) {
  w.set("required", restore.required);
  w.set("atRevision", restore.to_revision);
  w.set("askedBy", restore.asked_by);
  w.set("refused", restore.refused);
  std::string text;
  if (!w.take("from", text)) return;
  restore.source = api::ObjectLocation{};
  restore.source->kind = "s3";
  restore.source->path = text;
}

// "goBack=ID", with revision=N, name=NAME and asked=AGO; "goBack=no" takes it back.
void wish_in_place(Situation& s, Words& w) {
  std::string text;
  if (!w.take("goBack", text)) return;
  s.intent.in_place.reset();
  if (text == "no") return;
  api::Restore& wish = s.intent.in_place.emplace();
  wish.request = text;
  wish.asked_by = "EtcdRestore default/r";
  wish.asked_at = s.now;
  wish.required = true;
  w.set("revision", wish.to_revision);
  w.set("name", wish.backup);
  w.set("asked", wish.asked_at, s.now, -1);
}

void wish(Situation& s, Words& w) {
  api::ClusterSpec& spec = s.intent.cluster.spec;
  w.set("size", spec.size);
  std::string text;
  if (w.take("version", text)) spec.version = version_of(text);
  w.set("template", s.intent.template_hash);
  w.set("generation", s.intent.cluster.generation);
  w.choose<plan::Wish>("state", s.intent.wish,
                       {{"present", plan::Wish::kPresent},
                        {"stale", plan::Wish::kStale},
                        {"deleted", plan::Wish::kDeleted}});
  w.choose<api::Platform>(
      "platform", s.intent.platform,
      {{"host", api::Platform::kHost}, {"kubernetes", api::Platform::kKubernetes}});
  w.set("problem", s.intent.problem);
  w.set("uid", s.intent.cluster.uid);
  w.set("paused", spec.paused);
  w.set("pausedByCommand", s.intent.paused);
  w.set("stop", s.intent.stop);
  w.set("hibernate", spec.hibernate);
  bool given = spec.restore.has_value();
  w.set("restore", given);
  if (given != spec.restore.has_value())
    spec.restore = given ? std::optional<api::Restore>(api::Restore{}) : std::nullopt;
  if (spec.restore) wish_restore(*spec.restore, w);
  given = spec.backup.has_value();
  w.set("backup", given);
  if (given != spec.backup.has_value())
    spec.backup = given ? std::optional<api::Backup>(api::Backup{}) : std::nullopt;
  if (spec.backup) wish_backup(s, *spec.backup, w);
  wish_in_place(s, w);
  w.choose<api::TlsMode>("tls", spec.tls.mode,
                         {{"required", api::TlsMode::kRequired},
                          {"migrating", api::TlsMode::kMigrating},
                          {"disabled", api::TlsMode::kDisabled}});
  w.choose<api::TlsProvider>(
      "provider", spec.tls.provider,
      {{"own", api::TlsProvider::kOwn}, {"secrets", api::TlsProvider::kUserSecrets}});
  w.choose<api::OnQuorumLoss>("onQuorumLoss", spec.recovery.on_quorum_loss,
                              {{"Automatic", api::OnQuorumLoss::kAutomatic},
                               {"Approve", api::OnQuorumLoss::kApprove},
                               {"Never", api::OnQuorumLoss::kNever}});
  w.choose<api::OnDataLoss>("onDataLoss", spec.recovery.on_data_loss,
                            {{"Approve", api::OnDataLoss::kApprove},
                             {"Restore", api::OnDataLoss::kRestore},
                             {"Never", api::OnDataLoss::kNever}});
  w.set("window", spec.recovery.wait);
  w.set("repairTimeout", spec.repair_timeout);
  const Words::Choices<api::ClaimPolicy> claims{{"Retain", api::ClaimPolicy::kRetain},
                                                {"Delete", api::ClaimPolicy::kDelete}};
  w.choose<api::ClaimPolicy>("whenScaled", spec.when_scaled, claims);
  w.choose<api::ClaimPolicy>("whenDeleted", spec.when_deleted, claims);
  if (w.take("annotation", text)) s.intent.cluster.annotations[text] = w.next();
  if (w.take("option", text)) spec.etcd_options = {text};
  if (w.take("ignored", text)) s.intent.cluster.fields_not_acted_on.push_back(text);
}

void record_member(Situation& s, Words& w, const std::string& name) {
  plan::MemberRecord& m = s.recorded(name);
  std::string text;
  w.choose<plan::Phase>("phase", m.phase,
                        {{"forming", plan::Phase::kForming},
                         {"adding", plan::Phase::kAdding},
                         {"learner", plan::Phase::kLearner},
                         {"voter", plan::Phase::kVoter},
                         {"removing", plan::Phase::kRemoving},
                         {"retired", plan::Phase::kRetired},
                         {"survivor", plan::Phase::kSurvivor}});
  w.choose<plan::Permit>("permit", m.permit,
                         {{"bootstrap", plan::Permit::kBootstrap},
                          {"join", plan::Permit::kJoin},
                          {"data", plan::Permit::kData},
                          {"restore", plan::Permit::kRestore}});
  w.set("mayStart", m.may_start);
  w.set("ran", m.ran);
  if (w.take("id", text)) m.id = base::MemberId{hex(text)};
  if (w.take("version", text)) m.version = version_of(text);
  w.set("template", m.template_hash);
  if (w.take("clientScheme", text)) plan::give_scheme(m, text);
  w.set("incarnation", m.incarnation);
  w.set("volume", m.volume);
  w.set("origin", m.origin);
  w.set("term", m.audited_term);
  w.set("index", m.audited_index);
  w.set("seenTerm", m.seen_term);
  w.set("seenIndex", m.seen_index);
  if (w.flag("neverStarted")) m.started_at = {};
  w.set("started", m.started_at, s.now, -1);
  if (w.take("unreachable", text)) {
    m.unreachable_since.reset();
    if (text != "no") m.unreachable_since = s.now - duration(text);
  }
}

void record(Situation& s, Words& w) {
  Record& r = s.record;
  s.seen.record_state = plan::RecordState::kOk;
  if (w.more()) return record_member(s, w, w.next());
  w.choose<plan::Formation>("formation", r.formation,
                            {{"none", plan::Formation::kNone},
                             {"forming", plan::Formation::kForming},
                             {"latched", plan::Formation::kLatched}});
  std::string text;
  w.set("incarnation", r.incarnation);
  w.set("token", r.token);
  w.set("epoch", r.epoch);
  w.set("size", r.size);
  w.set("template", r.template_hash);
  if (w.take("version", text)) r.version = version_of(text);
  if (w.take("clusterId", text)) r.cluster_id = base::ClusterId{hex(text)};
  w.set("hibernated", r.hibernated);
  w.set("open", r.open_to_clients);
  w.set("nextOrdinal", r.next_ordinal);
  w.set("highestMinor", r.highest_minor_seen);
  w.set("minorSince", r.minor_since_index);
  w.set("compacted", r.compacted_revision);
  w.set("source", r.bootstrap_source);
  w.set("quorumRead", r.last_quorum_read, s.now, -1);
  if (w.take("quorumLost", text)) {
    r.quorum_lost_since.reset();
    if (text != "no") r.quorum_lost_since = s.now - duration(text);
  }
  if (w.take("oldToken", text)) r.old_tokens.insert(text);
  if (w.take("stranger", text)) r.strangers.insert(text);
}

void forget(Situation& s, Words& w) {
  s.record.members.erase(w.next());
}

plan::OperationKind kind_of(const std::string& name) {
  for (int i = 0; i <= static_cast<int>(plan::OperationKind::kRestore); ++i) {
    const auto kind = static_cast<plan::OperationKind>(i);
    if (name == plan::name_of(kind)) return kind;
  }
  throw Mistake("there is no operation \"" + name + "\"");
}

plan::Reason reason_of(const std::string& name) {
  for (int i = 0; i <= static_cast<int>(plan::Reason::kOperationTimedOut); ++i) {
    const auto reason = static_cast<plan::Reason>(i);
    if (name == plan::name_of(reason)) return reason;
  }
  throw Mistake("there is no reason \"" + name + "\"");
}

void operation(Situation& s, Words& w) {
  if (w.flag("none")) return s.record.operation.reset();
  if (!s.record.operation) {
    s.record.operation = plan::Operation{};
    s.record.operation->id = "op";
    s.record.operation->started_at = s.now;
    s.record.operation->deadline = s.now + std::chrono::minutes(10);
  }
  plan::Operation& o = *s.record.operation;
  std::string text;
  if (w.more()) o.kind = kind_of(w.next());
  w.set("id", o.id);
  w.set("step", o.step);
  w.set("member", o.member);
  w.set("note", o.note);
  w.set("halted", o.halted);
  w.set("started", o.started_at, s.now, -1);
  w.set("left", o.deadline, s.now, 1);
  w.set("overdue", o.deadline, s.now, -1);
  if (w.take("reason", text)) o.reason = reason_of(text);
}

void recovery(Situation& s, Words& w) {
  if (w.flag("none")) return s.record.recovery.reset();
  if (!s.record.recovery) s.record.recovery = plan::Recovery{};
  w.set("operation", s.record.recovery->operation);
  w.set("survivor", s.record.recovery->survivor);
  w.set("bound", s.record.recovery->bound);
  w.set("old", s.record.recovery->old_incarnation);
  w.set("chosen", s.record.recovery->chosen_at, s.now, -1);
  w.set("looked", s.record.recovery->looked_at, s.now, -1);
  w.set("approved", s.record.recovery->approved);
  w.set("failure", s.record.recovery->failure);
  std::string name;
  if (w.take("vouched", name)) s.record.recovery->vouched.insert(name);
  if (w.take("failed", name)) w.set("times", s.record.recovery->failed[name]);
}

void rotation(Situation& s, Words& w) {
  plan::Rotation& r = s.record.rotation;
  w.set("id", r.id);
  w.set("request", r.request);
  w.set("wish", r.wish);
  w.choose<plan::RotationPhase>("phase", r.phase,
                                {{"none", plan::RotationPhase::kNone},
                                 {"prepare", plan::RotationPhase::kPrepare},
                                 {"trust", plan::RotationPhase::kTrust},
                                 {"reissue", plan::RotationPhase::kReissue},
                                 {"reissued", plan::RotationPhase::kReissued},
                                 {"drop", plan::RotationPhase::kDrop}});
  w.set("since", r.since, s.now, -1);
  w.set("trust", r.trust);
}

void approve(Situation& s, Words& w) {
  plan::Approval approval{w.next(), s.now + std::chrono::hours(1)};
  w.set("expires", approval.expires, s.now, 1);
  w.set("expired", approval.expires, s.now, -1);
  s.intent.approvals.push_back(approval);
}

void cluster(Situation& s, Words& w) {
  int size = 3;
  std::string version = "3.5.12";
  w.set("size", size);
  w.set("version", version);
  w.flag("forming") ? s.forming(size, version_of(version)) : s.formed(size, version_of(version));
}

}  // namespace

bool command(Situation& s, Words& w) {
  const std::string& name = w.name();
  if (name == "wish") {
    wish(s, w);
  } else if (name == "cluster") {
    cluster(s, w);
  } else if (name == "record") {
    record(s, w);
  } else if (name == "forget") {
    forget(s, w);
  } else if (name == "operation") {
    operation(s, w);
  } else if (name == "recovery") {
    recovery(s, w);
  } else if (name == "rotation") {
    rotation(s, w);
  } else if (name == "approve") {
    approve(s, w);
  } else if (name == "defragmented") {
    const std::string member = w.next();
    s.record.last_defragmented[member] = s.now - duration(w.next());
  } else if (name == "wait") {  // while the operator looks
    s.now += duration(w.next());
    if (s.record.recovery && s.record.recovery->looked_at != base::Instant{})
      s.record.recovery->looked_at = s.now;
  } else if (name == "away") {  // while no pass is made, or none that may do anything
    s.now += duration(w.next());
  } else if (name == "clockBack") {
    s.now -= duration(w.next());
  } else {
    return fact_command(s, w);
  }
  return true;
}

}  // namespace scenario
