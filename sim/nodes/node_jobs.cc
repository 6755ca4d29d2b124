// What pods of jobs do on the node of fakes: they find a store in which snapshots of the simulated
// world are kept.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "archive/drill_job.h"
#include "archive/job.h"
#include "archive/names.h"
#include "json/json.h"
#include "render/store_jobs.h"
#include "sim/nodes/node.h"
#include "sim/world/kube_answers.h"

namespace sim {
namespace {

std::string place_of(const archive::Common& common) {
  return fmt::format("{}/{}", common.store.url, archive::root_of(common.cluster, common.direct));
}

json::Value status_of(std::string_view phase, std::string_view list, std::string_view container,
                      json::Value state) {
  json::Object out{{"phase", phase}};
  out[list] = json::Array{json::Object{{"name", container}, {"state", std::move(state)}}};
  return out;
}

json::Value ended(int code, const std::string& message) {
  return json::Object{{"terminated", json::Object{{"exitCode", code}, {"message", message}}}};
}

json::Value waits() {
  return json::Object{{"waiting", json::Object{{"reason", "ContainerCreating"}}}};
}

struct Moment {
  const NodeStore::Backup* state;
  bool logged;
};

// In the order in which they were. Of a log only the moments that a test has noted are known.
std::vector<Moment> moments(NodeStore& store, const archive::FetchJob& job) {
  const auto& backups = store.backups[place_of(job.common)];
  std::string life = job.incarnation;
  if (life.empty() && job.to_revision && !backups.empty())
    life = backups.back().name.substr(0, backups.back().name.find('/'));
  std::vector<Moment> out;
  for (const auto& backup : backups) {
    if (!job.name.empty() ? job.name != backup.name : !backup.name.starts_with(life)) continue;
    out.push_back({&backup, false});
    for (const auto& moment : store.logged[backup.name]) out.push_back({&moment, true});
  }
  return out;
}

// Null: none of them reaches it.
const Moment* reached(const std::vector<Moment>& all, const archive::FetchJob& job) {
  const Moment* out = nullptr;
  for (const auto& one : all) {
    if (job.to_revision ? one.state->revision == *job.to_revision
        : job.to_time   ? one.state->time <= *job.to_time
                        : !one.logged || job.latest)
      out = &one;
  }
  if (job.to_time && !all.empty() && all.back().state->time < *job.to_time) return nullptr;
  return out;
}

archive::FetchReport fetch(NodeStore& store, const archive::FetchJob& job) {
  archive::FetchReport report;
  report.error = store.refuses;
  if (!report.error.empty()) return report;
  const auto all = moments(store, job);
  const auto* found = reached(all, job);
  if (found != nullptr) {
    report.outcome = archive::FetchOutcome::kFetched;
    report.name = found->state->name;
    report.revision = found->state->revision;
    report.time = found->state->time;
    report.log_records = found->logged ? 1 : 0;
    report.etcd_version = "3.5.12";
  } else if (!all.empty() && (job.to_revision || job.to_time)) {
    report.error_kind = archive::kind::kRange;
    report.error = fmt::format(
        "{} cannot be reached; the last is revision {}",
        job.to_time ? base::to_rfc3339(*job.to_time) : fmt::format("revision {}", *job.to_revision),
        all.back().state->revision);
  } else {
    report.outcome = archive::FetchOutcome::kEmpty;
  }
  return report;
}

}  // namespace

// Told as the kubelet does: in an event, once for each pod.
bool KubeNode::lacks_secret(const json::Value& pod) {
  const auto* volumes = pod.at("spec.volumes");
  if (volumes == nullptr || !volumes->is_array()) return false;
  const auto ns = text_at(pod, "metadata.namespace"), name = text_at(pod, "metadata.name");
  for (const auto& volume : *volumes->if_array()) {
    const auto secret = text_at(volume, "secret.secretName");
    if (secret.empty() || server.find(kube::kSecrets, {ns, secret}) != nullptr) continue;
    if (server.find(kube::kEvents, {ns, name + ".mount"}) == nullptr)
      must(kube::create(kube::kEvents, ns,
                        json::Object{{"metadata", json::Object{{"name", name + ".mount"}}},
                                     {"regarding", json::Object{{"kind", "Pod"}, {"name", name}}},
                                     {"type", "Warning"},
                                     {"reason", "FailedMount"},
                                     {"note", fmt::format("secret \"{}\" not found", secret)}}));
    return true;
  }
  return false;
}

std::string KubeNode::drill(const std::string& file) {
  archive::DrillReport report;
  const auto job = archive::parse_drill_job(file);
  if (!expect(job.has_value(), file)) return "";
  expect(job->programs.etcd == fmt::format("{}/etcd", render::kJobEtcdDir), file);
  const auto& there = store.backups[place_of(job->common)];
  report.error = store.refuses;
  if (!report.error.empty()) return archive::to_json(report);
  report.outcome = archive::DrillOutcome::kEmpty;
  if (there.empty()) return archive::to_json(report);
  report.name = there.back().name;
  report.revision = there.back().revision;
  report.time = world.now();
  const bool bad = report.name == store.damaged;
  report.outcome = bad ? archive::DrillOutcome::kBad : archive::DrillOutcome::kProven;
  if (bad) report.error = "it is damaged";
  if (!bad) ++store.proofs;
  return archive::to_json(report);
}

std::string KubeNode::work(const std::string& kind, const std::string& file) {
  ++store.looked;
  if (kind == "backup") {
    archive::RunReport report;
    const auto job = archive::parse_run_job(file);
    if (!expect(job.has_value(), file)) return "";
    report.error = store.refuses;
    for (const auto& endpoint : job->endpoints) {
      const auto* etcd = world.process_of(endpoint.member);
      if (!report.error.empty() || etcd == nullptr || !etcd->is_up()) continue;
      report.revision = etcd->state().revision;
      report.name = fmt::format("{}/full-{:020}-20261122T031607Z-{:016x}", job->incarnation,
                                report.revision, report.revision);
      report.outcome = archive::RunOutcome::kUploaded;
      report.time = world.now();
      store.backups[place_of(job->common)].push_back(
          {report.name, report.revision, world.now(), sim::file(snapshot_of(*etcd))});
      break;
    }
    return archive::to_json(report);
  }
  if (kind == "drill") return drill(file);
  const auto job = archive::parse_fetch_job(file);
  if (!expect(job.has_value(), file)) return "";
  return archive::to_json(fetch(store, *job));
}

base::Result<std::string> KubeNode::page(const std::string& url) {
  const std::string_view scheme = "http://";
  const auto port = fmt::format(":{}/", render::kStatusPort);
  expect(url.starts_with(scheme) && url.ends_with(port), url);
  const auto ip = url.substr(scheme.size(), url.size() - scheme.size() - port.size());
  if (followers.silent || !followers.running.contains(ip))
    return base::fail(base::Code::kUnavailable, "no route to " + ip);
  auto said = followers.says;
  said.time = world.now() + std::chrono::hours(1);  // its clock need not be ours
  said.age_ms = 0;
  return archive::to_json(said);
}

bool KubeNode::run_follower(const json::Value& pod) {
  const kube::Name name{text_at(pod, "metadata.namespace"), text_at(pod, "metadata.name")};
  constexpr auto kList = "containerStatuses";
  const auto [at, fresh] = follower_at_.emplace(text_at(pod, "metadata.uid"),
                                                fmt::format("10.1.0.{}", follower_at_.size() + 1));
  if (fresh) {
    const auto file = keyed(pod, "metadata.annotations", render::kJobFileAnnotation);
    const auto job = archive::parse_follow_job(file);
    if (!expect(job.has_value(), file)) return false;
    expect(job->status_port == render::kStatusPort, file);
    expect(job->run.common.report == render::kReportFile, file);
    followers.running[at->second] = {job->run.epoch, file};
    ++followers.begun;
  }
  if (!followers.ends.empty()) {
    followers.running.erase(at->second);
    return say(name, status_of("Succeeded", kList, "archive",
                               ended(0, std::exchange(followers.ends, ""))));
  }
  auto status = status_of("Running", kList, "archive", json::Object{{"running", json::Object()}});
  status["podIP"] = at->second;
  return say(name, std::move(status));
}

bool KubeNode::run_job_pod(const json::Value& pod) {
  const kube::Name name{text_at(pod, "metadata.namespace"), text_at(pod, "metadata.name")};
  if (pod.at("metadata.deletionTimestamp") != nullptr) {
    if (const auto at = follower_at_.find(text_at(pod, "metadata.uid")); at != follower_at_.end())
      followers.running.erase(at->second);
    server.pod_ended(name);
    return true;
  }
  const auto phase = text_at(pod, "status.phase");
  if (phase == "Succeeded" || phase == "Failed") return false;
  constexpr auto kList = "containerStatuses";
  if (lacks_secret(pod)) return say(name, status_of("Pending", kList, "archive", waits()));
  if (keyed(pod, "metadata.labels", render::kJobKindLabel) == "follow") return run_follower(pod);
  if (jobs_hang)
    return say(name,
               status_of("Running", kList, "archive", json::Object{{"running", json::Object()}}));
  if (!jobs_crash.empty())
    return say(name, status_of("Failed", kList, "archive", ended(137, jobs_crash)));
  const auto report = work(keyed(pod, "metadata.labels", render::kJobKindLabel),
                           keyed(pod, "metadata.annotations", render::kJobFileAnnotation));
  return say(name, status_of("Succeeded", kList, "archive", ended(0, report)));
}

// The init container of a member that begins from a backup. False: its guard must not begin.
bool KubeNode::fetch_backup(const json::Value& pod, const guard::Ticket& ticket) {
  const kube::Name name{text_at(pod, "metadata.namespace"), text_at(pod, "metadata.name")};
  constexpr auto kList = "initContainerStatuses";
  if (lacks_secret(pod)) {
    say(name, status_of("Pending", kList, "fetch", waits()));
    return false;
  }
  const auto file = keyed(pod, "metadata.annotations", render::kFetchAnnotation);
  const auto job = archive::parse_fetch_job(file);
  if (!expect(job.has_value(), file)) return false;
  expect(job->to == ticket.restore_snapshot, file);
  const auto report = work("fetch", file);
  const auto said = archive::parse_fetch_report(report);
  if (!said || said->outcome != archive::FetchOutcome::kFetched) {
    say(name, status_of("Pending", kList, "fetch", ended(1, report)));
    return false;
  }
  const auto bring = [&](const NodeStore::Backup& one) {
    if (one.name == said->name && one.revision == said->revision)
      world.saved[ticket.restore_operation].snapshot = one.snapshot;
  };
  std::ranges::for_each(store.backups.at(place_of(job->common)), bring);
  std::ranges::for_each(store.logged[said->name], bring);
  return true;
}

}  // namespace sim
