#include "manager/restore_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <string_view>
#include <utility>

#include "json/json.h"
#include "plan/restore.h"

namespace manager {
namespace {

// Between the clocks of the API server and of ours.
constexpr base::Duration kSkew = std::chrono::seconds(30);
constexpr std::string_view kRestored = "Restore ";  // what plan::brought_back() says comes behind

using Age = std::pair<base::Instant, std::string>;  // when it was created, and its uid

std::string named(const base::ClusterKey& object) {
  return "EtcdRestore " + object.text();
}

api::Restore as_spec(const api::RestoreRequest& wish) {
  api::Restore out;
  out.asked_by = named(wish.key);
  out.source = wish.source;
  out.required = true;  // an empty cluster is not what was asked for
  out.to_revision = wish.to_revision;
  out.to_time = wish.to_time;
  return out;
}

// One text of one object.
std::string identity(const k8s::RequestId& of) {
  return fmt::format("{}/{}", of.uid, of.generation);
}

api::Restore as_asked(const RequestText& text, const api::RestoreRequest& wish) {
  auto out = as_spec(wish);
  out.request = identity(text.id);
  out.asked_at = text.created;
  return out;
}

// What was told of its present text once it was over; no value: it is not.
std::optional<api::RestoreRequestStatus> outcome_of(const k8s::DeclaredRequest& declared,
                                                    std::int64_t generation) {
  const auto* status = declared.object->find("status");
  if (status == nullptr) return std::nullopt;
  auto told = api::parse_restore_status(*status);
  const bool by_coreos = told.observed_generation == 0;
  if (!told.succeeded || (told.observed_generation != generation && !by_coreos))
    return std::nullopt;
  return told;
}

// Of one that is not valid, too.
std::string cluster_of(const json::Value& object) {
  const auto own = json::get_string(object, "spec.clusterName").value_or("");
  return own.empty() ? json::get_string(object, "spec.etcdCluster.name").value_or("") : own;
}

bool is_about(const k8s::DeclaredRequest& declared, const base::ClusterKey& cluster) {
  const auto& object = *declared.object;
  return declared.kind == k8s::RequestKind::kRestore &&
         json::get_string(object, "metadata.namespace").value_or("") == cluster.ns &&
         cluster_of(object) == cluster.name;
}

api::Restore refusal(const RequestText& text) {
  api::Restore out;
  out.required = true;
  out.asked_by = named(text.id.key);
  out.refused = text.problem.empty()
                    ? fmt::format(
                          "{} was refused, because a cluster of this name had begun. "
                          "Nothing begins while it is there: create it anew to begin from "
                          "its backup",
                          out.asked_by)
                    : fmt::format(
                          "{} cannot be carried out: {}. Nothing begins while it is there: "
                          "correct it to begin from its backup",
                          out.asked_by, text.problem);
  out.refused += ", or delete it to begin as the EtcdCluster itself says";
  return out;
}

// The EtcdRestores about one cluster, by how they stand.
class Standing {
 public:
  void add(const k8s::DeclaredRequest& declared) {
    const auto text = read_request(declared);
    if (text.deleted) return;
    Age age{text.created, text.id.uid};
    const auto outcome = outcome_of(declared, text.id.generation);
    const auto* wish = std::get_if<api::RestoreRequest>(&text.object);
    if (outcome && *outcome->succeeded) {
      done_ = std::max(done_, age);
    } else if (outcome && outcome->observed_generation == 0) {
      return;  // CoreOS's operator gave it up
    } else if (wish != nullptr && !outcome) {
      if (asks_ && asked_ < age) return;
      asked_ = std::move(age);
      asks_ = as_asked(text, *wish);
    } else if (!refused_ || refused_at_ < age) {
      refused_at_ = std::move(age);
      refused_ = refusal(text);
    }
  }
  // One that was carried out later has taken the place of one that was refused.
  [[nodiscard]] std::optional<api::Restore> verdict() const {
    if (asks_) return asks_;
    return refused_ && done_ < refused_at_ ? refused_ : std::nullopt;
  }

 private:
  std::optional<api::Restore> asks_, refused_;
  Age asked_, refused_at_, done_;
};

// As the object names it; empty: the newest state.
std::string point_of(const api::RestoreRequest& wish) {
  if (wish.to_revision > 0) return fmt::format("spec.toRevision {}", wish.to_revision);
  if (wish.to_time) return "spec.toTime " + base::to_rfc3339(*wish.to_time);
  return {};
}

std::string why_it_waits(const api::RestoreRequest& wish, const engine::Report& report) {
  for (const auto& condition : report.plan.status.conditions) {
    if (condition.type != api::ConditionType::kRestored || condition.message.empty()) continue;
    const auto point = point_of(wish);
    const bool missed = condition.reason == plan::name_of(plan::Reason::kRestoreLookupFailed);
    return missed && !point.empty() ? point + ": " + condition.message : condition.message;
  }
  return "the cluster begins from this backup";
}

// What a restore over a cluster that serves waits for before it begins.
std::string why_it_is_not_begun(const base::ClusterKey& key, const engine::Report& report) {
  const auto& spec = report.intent.cluster.spec;
  if (spec.paused || report.intent.paused) return key.text() + " is paused: it waits";
  if (spec.hibernate || report.intent.stop) return key.text() + " is hibernated: it waits";
  const auto& operation = report.plan.record.operation;
  return fmt::format("waits until {} serves, and no other operation{} is under way", key.text(),
                     operation ? fmt::format(" ({})", name_of(operation->kind)) : "");
}

// No value: it is no restore over a cluster that has begun.
std::optional<api::RestoreRequestStatus> judge_in_place(const k8s::RequestId& of,
                                                        const api::RestoreRequest& wish,
                                                        base::Instant created,
                                                        const engine::Report& report) {
  const auto& record = report.plan.record;
  const plan::InPlaceRecord& p = record.in_place;
  const bool taken_up = p.request == identity(of);
  api::RestoreRequestStatus out;
  out.observed_generation = of.generation;
  const bool to_come = wish.in_place && record.formation == plan::Formation::kLatched &&
                       created >= record.bootstrapped_at;
  if (!taken_up && !to_come) return std::nullopt;
  const base::ClusterKey key{of.key.ns, wish.cluster_name};
  if (!taken_up) {
    out.reason = why_it_is_not_begun(key, report);
    return out;
  }
  switch (p.stage) {
    case plan::InPlace::kNone:
      return std::nullopt;
    case plan::InPlace::kLook:
      out.reason = "the backup is fetched and judged; nothing is touched before it was found good";
      return out;
    case plan::InPlace::kSave:
      out.reason = "a safety copy of what the cluster holds is taken";
      return out;
    case plan::InPlace::kBegin:
      out.reason = fmt::format("the cluster begins again from {}; what it held before is in {}",
                               record.restore.location, p.safety);
      return out;
    case plan::InPlace::kRefused:
      out.succeeded = false;
      out.reason = fmt::format("{}: it is not done, and EtcdCluster {} goes on as it is", p.told,
                               key.text());
      return out;
    case plan::InPlace::kDone:
      out.succeeded = true;
      out.revision = record.restore.revision;
      out.location = record.restore.location;
      out.reason = "the cluster began again from " + p.told;
      return out;
  }
  std::unreachable();
}

}  // namespace

std::optional<api::Restore> restore_for(const base::ClusterKey& cluster,
                                        const std::vector<k8s::DeclaredRequest>& declared) {
  Standing standing;
  for (const auto& one : declared)
    if (is_about(one, cluster)) standing.add(one);
  return standing.verdict();
}

std::optional<api::Restore> in_place_for(const base::ClusterKey& cluster,
                                         const std::vector<k8s::DeclaredRequest>& declared) {
  std::optional<api::Restore> out;
  Age oldest;
  for (const auto& one : declared) {
    if (!is_about(one, cluster)) continue;
    const auto text = read_request(one);
    const auto* wish = std::get_if<api::RestoreRequest>(&text.object);
    if (wish == nullptr || !wish->in_place || text.deleted || outcome_of(one, text.id.generation))
      continue;
    Age age{text.created, text.id.uid};
    if (out && oldest < age) continue;
    oldest = std::move(age);
    out = as_asked(text, *wish);
  }
  return out;
}

bool decides(const api::Restore& restore, const plan::Record& record) {
  if (record.formation == plan::Formation::kLatched ||
      record.in_place.stage == plan::InPlace::kBegin)
    return false;
  return restore.refused.empty() || !record.restore.after_loss;
}

api::RestoreRequestStatus judge_invalid(const RequestText& text) {
  api::RestoreRequestStatus out;
  out.succeeded = false;
  out.reason =
      text.problem + ". An EtcdCluster that has not begun waits: correct this, or delete it";
  out.observed_generation = text.id.generation;
  return out;
}

api::RestoreRequestStatus judge_restore(const k8s::RequestId& of, const api::RestoreRequest& wish,
                                        base::Instant created, const RestoredCluster& cluster) {
  api::RestoreRequestStatus out;
  out.observed_generation = of.generation;
  const auto refuse = [&](std::string why) {
    out.succeeded = false;
    out.reason = std::move(why);
    return out;
  };
  const base::ClusterKey key{of.key.ns, wish.cluster_name};
  if (!cluster.declared) {
    out.reason = fmt::format(
        "waits for EtcdCluster {} to be declared, which then begins from this "
        "backup",
        key.text());
    return out;
  }
  if (!cluster.problem.empty() || cluster.report == nullptr) {
    out.reason = fmt::format("EtcdCluster {} is not looked after: {}", key.text(),
                             cluster.problem.empty() ? "not looked at yet" : cluster.problem);
    return out;
  }
  if (auto in_place = judge_in_place(of, wish, created, *cluster.report)) return *in_place;
  const auto& record = cluster.report->plan.record;
  if (record.formation != plan::Formation::kLatched) {
    out.reason = why_it_waits(wish, *cluster.report);
    return out;
  }
  api::ClusterSpec asked;
  asked.restore = as_spec(wish);
  if (record.bootstrap_source.starts_with(kRestored) &&
      record.restore.source == plan::restore_source(asked) &&
      record.bootstrapped_at + kSkew >= created) {
    out.succeeded = true;
    out.revision = record.restore.revision;
    out.location = record.restore.location;
    if (const auto point = point_of(wish); !point.empty())
      out.reason = fmt::format("{}: the cluster began from {}", point,
                               record.bootstrap_source.substr(kRestored.size()));
    return out;
  }
  return refuse(fmt::format(
      "EtcdCluster {0} has begun already and may hold data: nothing was done. To bring it back "
      "from "
      "this backup, create an EtcdRestore of operator.etcd.io/v1alpha1 with spec.restoreInPlace: "
      "true now: a safety copy of what it holds is taken, and then it goes back",
      key.text()));
}

}  // namespace manager
