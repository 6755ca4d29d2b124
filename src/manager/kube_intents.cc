#include "manager/kube_intents.h"

#include <algorithm>
#include <utility>

#include "api/annotations.h"
#include "api/manifest.h"
#include "api/validate.h"
#include "base/text.h"
#include "json/json.h"
#include "render/etcd_args.h"

namespace manager {
namespace {

constexpr base::Duration kAnnotationValid{std::chrono::hours(1)};

std::string text_at(const json::Value& object, std::string_view path) {
  return json::get_string(object, path).value_or("");
}

std::string_view api_version_of(api::Group group) {
  return group == api::Group::kCoreOs ? "etcd.database.coreos.com/v1beta2"
                                      : "operator.etcd.io/v1alpha1";
}

// What a person wrote, without what the server added.
json::Value written(const k8s::Declared& declared) {
  json::Object metadata;
  for (const auto* name : {"name", "namespace", "uid", "generation", "labels", "annotations"})
    if (const auto* value = declared.object->at(std::string("metadata.") + name))
      metadata[name] = *value;
  if (metadata.contains("annotations"))
    if (auto* notes = metadata["annotations"].if_object())
      notes->erase("kubectl.kubernetes.io/last-applied-configuration");
  json::Object out{{"apiVersion", api_version_of(declared.group)}, {"kind", "EtcdCluster"}};
  out["metadata"] = std::move(metadata);
  if (const auto* spec = declared.object->find("spec")) out["spec"] = *spec;
  return out;
}

std::string texts_of(const std::vector<api::Problem>& problems, api::Severity severity) {
  std::vector<std::string> texts;
  for (const auto& problem : problems)
    if (problem.severity == severity) texts.push_back(problem.text());
  return base::join(texts, "; ");
}

void accept(const api::Document& document, Declaration& into) {
  into.warnings.clear();
  const auto* cluster = document.cluster();
  if (cluster == nullptr) {
    into.problem = texts_of(document.problems, api::Severity::kError);
    return;
  }
  for (const auto& problem : document.problems)
    if (problem.severity == api::Severity::kWarning) into.warnings.push_back(problem.text());
  into.problem.clear();
  if (into.good) {
    const auto problems = api::validate_update(*into.good, *cluster);
    into.problem = texts_of(problems, api::Severity::kError);
    if (const auto words = texts_of(problems, api::Severity::kWarning); !words.empty())
      into.warnings.push_back(words);
  }
  if (!into.problem.empty()) return;
  into.good = *cluster;
}

}  // namespace

std::string kube_template_hash(const api::ClusterSpec& spec) {
  // The planner counts the changes of what members trust.
  return render::template_hash(spec, "own", api::Platform::kKubernetes);
}

bool Declaration::has_finalizer() const {
  return std::ranges::find(finalizers, kFinalizer) != finalizers.end();
}

bool Declaration::needs_finalizer() const {
  return good && (good->spec.when_deleted == api::ClaimPolicy::kDelete || api::is_protected(*good));
}

api::Cluster Declaration::about() const {
  if (good) return *good;
  api::Cluster out;
  out.group = group;
  out.key = key;
  out.uid = uid;
  out.generation = generation;
  return out;
}

IntentView Declaration::view(base::Instant now) const {
  IntentView out;
  out.known = good.has_value();
  out.conflict = conflict;
  out.warnings = warnings;
  out.intent.cluster = about();
  out.intent.cluster.generation = generation;
  out.intent.problem = problem;
  out.intent.platform = api::Platform::kKubernetes;
  out.intent.wish = deleted_at ? plan::Wish::kDeleted : plan::Wish::kPresent;
  if (!good) return out;
  out.intent.template_hash = kube_template_hash(good->spec);
  if (const auto note = api::note_of(*good, api::kApproveAnnotation); !note.empty())
    out.intent.approvals.push_back({note, now + kAnnotationValid});
  out.intent.backup_now = api::note_of(*good, api::kBackupNowAnnotation);
  return out;
}

// True: something differs from what is known of it.
bool KubeIntents::read(const k8s::Declared& declared, Declaration& into) {
  const auto& object = *declared.object;
  const auto uid = text_at(object, "metadata.uid");
  const auto version = text_at(object, "metadata.resourceVersion");
  if (into.uid == uid && into.version == version) return false;
  const Declaration before = std::exchange(into, Declaration{});
  into.group = declared.group;
  into.key = before.key;
  into.uid = uid;
  into.version = version;
  into.generation = json::get_int(object, "metadata.generation").value_or(0);
  into.created = text_at(object, "metadata.creationTimestamp");
  if (const auto at = base::parse_rfc3339(text_at(object, "metadata.deletionTimestamp")))
    into.deleted_at = *at;
  if (const auto* names = object.at("metadata.finalizers"); names != nullptr && names->is_array())
    for (const auto& name : *names->if_array())
      if (const auto* text = name.if_string()) into.finalizers.push_back(*text);
  if (before.uid == uid) into.good = before.good;  // another object of that name begins anew
  into.conflict = before.conflict;
  const auto text = json::print(written(declared));
  const auto manifest = api::parse_manifest(text, "object.json", api::Platform::kKubernetes);
  if (manifest.error || manifest.documents.size() != 1)
    into.problem = manifest.error ? manifest.error->message : "it is not one object";
  else
    accept(manifest.documents.front(), into);
  // A status that we wrote changes the object's version and nothing else.
  return before.uid != uid || before.generation != into.generation ||
         before.finalizers != into.finalizers || before.deleted_at != into.deleted_at ||
         before.problem != into.problem || before.good.has_value() != into.good.has_value() ||
         (into.good && (before.good->annotations != into.good->annotations ||
                        before.good->labels != into.good->labels));
}

// The one that has members wins, else the older; so it is the same after every restart.
void KubeIntents::settle_names(const Holds& holds, std::set<base::ClusterKey>& changed) {
  std::vector<Declaration*> order;
  for (auto& [id, declaration] : all_)
    if (declaration.good) order.push_back(&declaration);
  std::ranges::sort(order, {}, [](const Declaration* d) { return std::pair(d->created, d->uid); });
  std::vector<api::Cluster> clusters;
  std::vector<bool> in_force;
  std::map<const Declaration*, std::string> conflicts;
  for (const auto* d : order) {
    clusters.push_back(*d->good);
    in_force.push_back(holds(d->key, d->uid));
  }
  for (const auto& conflict : api::find_name_conflicts(clusters, in_force))
    conflicts[order[conflict.loser]] = conflict.message;
  contested_ = !conflicts.empty();
  for (auto& [id, declaration] : all_) {
    const auto found = conflicts.find(&declaration);
    const std::string now = found == conflicts.end() ? "" : found->second;
    if (declaration.conflict != now) changed.insert(id.key);
    declaration.conflict = now;
  }
}

std::set<base::ClusterKey> KubeIntents::take(const std::vector<k8s::Declared>& declared,
                                             const Holds& holds) {
  std::set<base::ClusterKey> changed;
  std::set<Id> there;
  for (const auto& one : declared) {
    const Id id{{text_at(*one.object, "metadata.namespace"), text_at(*one.object, "metadata.name")},
                one.group};
    there.insert(id);
    auto& declaration = all_[id];
    declaration.key = id.key;
    if (read(one, declaration)) changed.insert(id.key);
  }
  for (const auto& [id, declaration] : all_)
    if (!there.contains(id)) changed.insert(id.key);
  std::erase_if(all_, [&](const auto& entry) { return !there.contains(entry.first); });
  // Compares each with each: not for every pod of a fleet that changes.
  if (contested_ || !changed.empty()) settle_names(holds, changed);
  return changed;
}

std::set<base::ClusterKey> KubeIntents::keys() const {
  std::set<base::ClusterKey> out;
  for (const auto& [id, declaration] : all_) out.insert(id.key);
  return out;
}

const Declaration* KubeIntents::holder(const base::ClusterKey& key) const {
  const Declaration* out = nullptr;
  for (const auto group : {api::Group::kOperatorEtcdIo, api::Group::kCoreOs}) {
    const auto found = all_.find({key, group});
    if (found == all_.end() || !found->second.conflict.empty()) continue;
    // One that was never good takes the name from nobody.
    if (out == nullptr || (!out->good && found->second.good)) out = &found->second;
  }
  return out;
}

std::vector<const Declaration*> KubeIntents::losers(const base::ClusterKey& key) const {
  std::vector<const Declaration*> out;
  const auto* has = holder(key);
  for (const auto group : {api::Group::kOperatorEtcdIo, api::Group::kCoreOs})
    if (const auto found = all_.find({key, group}); found != all_.end() && &found->second != has)
      out.push_back(&found->second);
  return out;
}

}  // namespace manager
