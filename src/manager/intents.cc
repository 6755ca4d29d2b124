#include "manager/intents.h"

#include <algorithm>
#include <utility>

#include "api/annotations.h"
#include "render/etcd_args.h"

namespace manager {
namespace {

constexpr base::Duration kAnnotationValid{std::chrono::hours(1)};

std::string unknown_commands(const std::string& why) {
  return "what was commanded of it (pause, stop, approvals) cannot be read: " + why +
         "; it counts as paused until that file can be read or is removed";
}

}  // namespace

std::string template_hash_of(const api::ClusterSpec& spec) {
  // The planner counts the changes of what members trust.
  return render::template_hash(spec, "own", api::Platform::kHost);
}

namespace {

using Secrets = std::map<base::ClusterKey, api::Secret>;

std::set<std::string> secrets_of(const api::ClusterSpec& spec) {
  std::set<std::string> out{spec.tls.peer_secret, spec.tls.server_secret, spec.tls.operator_secret};
  if (spec.backup) out.insert(spec.backup->encryption_secret);
  if (spec.backup && spec.backup->destination) out.insert(spec.backup->destination->secret);
  if (spec.restore && spec.restore->source) out.insert(spec.restore->source->secret);
  out.erase("");
  return out;
}

// Of what this cluster's certificates are made, or its stores are opened with, something came, went
// or changed.
bool has_new_secret(const api::Cluster& cluster, const Secrets& before, const Secrets& now) {
  for (const auto& name : secrets_of(cluster.spec)) {
    const base::ClusterKey key{cluster.key.ns, name};
    const auto a = before.find(key), b = now.find(key);
    if ((a == before.end()) != (b == now.end())) return true;
    if (a != before.end() && a->second.data != b->second.data) return true;
  }
  return false;
}

}  // namespace

// What an operator before us, or a person while none ran, has stored. False: there is nothing, or
// it cannot be read.
bool Intents::recall(const base::ClusterKey& key) {
  auto saved = parts_.store.load(key);
  if (saved) {
    unread_.erase(key);
    unexplained_.erase(key);
    stored_.insert_or_assign(key, *saved);
    source_.adopt(key, std::move(*saved));
    return true;
  }
  if (saved.error().code == base::Code::kNotFound) {
    unread_.erase(key);
    return false;
  }
  auto& why = unread_[key];
  if (why == saved.error().message) return false;
  why = saved.error().message;
  parts_.log.warning("SavedIntentUnreadable", {{"cluster", key.text()}, {"why", why}});
  return false;
}

// Whatever is not known from the store is looked for there before anything is written in its place:
// a deleted cluster may come back, and a file may become readable. True: something was found.
bool Intents::recall_declared(std::set<base::ClusterKey>& changed) {
  std::set<base::ClusterKey> asked;
  for (const auto& [key, why] : unread_) asked.insert(key);
  for (const auto& [key, wanted] : source_.wanted())
    if (!stored_.contains(key)) asked.insert(key);
  bool any = false;
  for (const auto& key : asked) {
    const bool unread = unread_.contains(key);
    any = recall(key) || any;
    if (unread && !unread_.contains(key)) changed.insert(key);
  }
  return any;
}

void Intents::learn(const base::ClusterKey& key) {
  const std::lock_guard lock(mutex_);
  if (!recall(key)) unexplained_.insert(key);
}

bool Intents::forget(const base::ClusterKey& key) {
  const std::lock_guard lock(mutex_);
  const auto at = source_.wanted().find(key);
  if (at != source_.wanted().end()) {
    const Wanted& wanted = at->second;
    if (wanted.wish != plan::Wish::kDeleted || !wanted.problem.empty() || !wanted.conflict.empty())
      return false;
  }
  source_.forget(key);
  stored_.erase(key);
  unread_.erase(key);
  unexplained_.erase(key);
  return true;
}

const SavedIntent* Intents::commands_of(const base::ClusterKey& key) const {
  const auto at = stored_.find(key);
  return at == stored_.end() ? nullptr : &at->second;
}

// The commands live in the stored copy, the declaration in the source: this joins the two.
void Intents::store(const base::ClusterKey& key) {
  const auto at = source_.wanted().find(key);
  if (at == source_.wanted().end() || !at->second.cluster || unread_.contains(key)) return;
  SavedIntent next = at->second.good;
  const auto* old = commands_of(key);
  if (old != nullptr) {
    next.paused = old->paused;
    next.stop = old->stop;
    next.approvals = old->approvals;
    next.backup_now = old->backup_now;
    next.in_place = old->in_place;
    if (*old == next) return;
  }
  if (const auto saved = parts_.store.save(key, next); !saved) {
    parts_.log.warning("IntentNotStored", {{"cluster", key.text()}, {"why", saved.error().text()}});
    return;
  }
  stored_.insert_or_assign(key, std::move(next));
}

std::set<base::ClusterKey> Intents::take(const base::Result<FolderLook>& look) {
  const std::lock_guard lock(mutex_);
  const auto before = source_.problems();
  const auto secrets = source_.secrets();
  const auto now = parts_.clock.tick();
  auto changed = source_.take(look, now);
  if (recall_declared(changed)) changed.merge(source_.take(look, now));
  for (const auto& [key, wanted] : source_.wanted())
    if (wanted.cluster && has_new_secret(*wanted.cluster, secrets, source_.secrets()))
      changed.insert(key);
  for (const auto& [key, wanted] : source_.wanted()) {
    store(key);
    if (wanted.cluster) unexplained_.erase(key);
  }
  tell(changed);
  for (const auto& problem : source_.problems())
    if (std::ranges::find(before, problem) == before.end())
      parts_.log.warning("ManifestProblem", {{"problem", problem}});
  return changed;
}

void Intents::tell(const std::set<base::ClusterKey>& changed) const {
  for (const auto& key : changed) {
    const auto at = source_.wanted().find(key);
    if (at == source_.wanted().end()) continue;
    const auto& wanted = at->second;
    parts_.log.write(wanted.problem.empty() ? base::Level::kInfo : base::Level::kWarning,
                     "IntentChanged",
                     {{"cluster", key.text()},
                      {"generation", std::to_string(wanted.good.generation)},
                      {"file", wanted.good.file},
                      {"problem", wanted.problem},
                      {"conflict", wanted.conflict}});
  }
}

std::optional<base::Tick> Intents::next_deadline() const {
  const std::lock_guard lock(mutex_);
  return source_.next_deadline();
}

std::set<base::ClusterKey> Intents::keys() const {
  const std::lock_guard lock(mutex_);
  std::set<base::ClusterKey> out;
  for (const auto& [key, wanted] : source_.wanted()) out.insert(key);
  out.insert(unexplained_.begin(), unexplained_.end());
  return out;
}

base::Result<IntentView> Intents::view(const base::ClusterKey& key) const {
  const std::lock_guard lock(mutex_);
  IntentView out;
  out.intent.cluster.key = key;
  const auto at = source_.wanted().find(key);
  if (at == source_.wanted().end()) {
    if (!unexplained_.contains(key))
      return base::fail(base::Code::kNotFound,
                        "there is no cluster " + key.text() + "; `status` lists all");
    const auto unread = unread_.find(key);
    out.intent.problem =
        unread == unread_.end()
            ? "there is data of this name and no manifest; nothing is touched until there is"
            : "its last manifest cannot be read: " + unread->second;
    out.intent.wish = plan::Wish::kStale;
    return out;
  }
  const Wanted& wanted = at->second;
  out.known = wanted.cluster.has_value();
  out.file = wanted.good.file;
  out.conflict = wanted.conflict;
  out.warnings = wanted.warnings;
  out.intent.wish = wanted.wish;
  out.intent.problem = wanted.problem;
  if (!out.known) return out;
  out.intent.cluster = *wanted.cluster;
  out.intent.template_hash = template_hash_of(wanted.cluster->spec);
  const auto now = parts_.clock.now();
  if (const auto* commands = commands_of(key)) {
    out.intent.paused = commands->paused;
    out.intent.stop = commands->stop;
    out.intent.backup_now = commands->backup_now;
    out.intent.in_place = commands->in_place;
    for (const auto& approval : commands->approvals)
      if (approval.expires > now) out.intent.approvals.push_back(approval);
  }
  if (const auto unread = unread_.find(key); unread != unread_.end()) {
    out.intent.paused = true;
    out.intent.problem +=
        (out.intent.problem.empty() ? "" : "; ") + unknown_commands(unread->second);
  }
  if (const auto note = api::note_of(*wanted.cluster, api::kApproveAnnotation); !note.empty())
    out.intent.approvals.push_back({note, now + kAnnotationValid});
  if (const auto note = api::note_of(*wanted.cluster, api::kBackupNowAnnotation); !note.empty())
    out.intent.backup_now += " " + note;
  return out;
}

base::Fact<api::Secret> Intents::secret(const base::ClusterKey& key) const {
  const std::lock_guard lock(mutex_);
  return source_.secret(key);
}

std::vector<std::string> Intents::problems() const {
  const std::lock_guard lock(mutex_);
  return source_.problems();
}

base::Status Intents::change(const base::ClusterKey& key,
                             const std::function<void(SavedIntent&)>& edit) {
  const std::lock_guard lock(mutex_);
  const auto at = source_.wanted().find(key);
  if (at == source_.wanted().end())
    return base::fail(base::Code::kNotFound,
                      "there is no cluster " + key.text() + "; `status` lists all");
  if (!at->second.cluster)
    return base::fail(base::Code::kFailedPrecondition,
                      key.text() + " never had a valid manifest: " + at->second.problem);
  if (const auto unread = unread_.find(key); unread != unread_.end())
    return base::fail(base::Code::kFailedPrecondition,
                      key.text() + ": " + unknown_commands(unread->second));
  const auto* old = commands_of(key);
  SavedIntent next = old == nullptr ? at->second.good : *old;
  edit(next);
  TRY_OK(parts_.store.save(key, next));
  stored_.insert_or_assign(key, std::move(next));
  return {};
}

base::Status Intents::pause(const base::ClusterKey& key, bool on) {
  return change(key, [on](SavedIntent& saved) { saved.paused = on; });
}

base::Status Intents::stop(const base::ClusterKey& key, bool on) {
  return change(key, [on](SavedIntent& saved) { saved.stop = on; });
}

base::Status Intents::approve(const base::ClusterKey& key, plan::Approval approval) {
  const auto now = parts_.clock.now();
  return change(key, [&](SavedIntent& saved) {
    std::erase_if(saved.approvals, [&](const plan::Approval& old) {
      return old.expires <= now || old.operation == approval.operation;
    });
    saved.approvals.push_back(std::move(approval));
  });
}

base::Status Intents::restore(const base::ClusterKey& key, api::Restore wish) {
  wish.asked_at = parts_.clock.now();
  wish.request = base::to_rfc3339(wish.asked_at);
  return change(key, [&](SavedIntent& saved) { saved.in_place = std::move(wish); });
}

base::Status Intents::backup_now(const base::ClusterKey& key) {
  const auto text = base::to_rfc3339(parts_.clock.now());
  return change(key, [&](SavedIntent& saved) { saved.backup_now = text; });
}

}  // namespace manager
