#include "drivers/kube/requests.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "archive/names.h"
#include "base/text.h"
#include "drivers/jobs/jobs.h"
#include "drivers/kube/job_looks.h"
#include "drivers/kube/sight.h"
#include "drivers/kube/status.h"
#include "drivers/kube/store_place.h"

namespace k8s {
namespace {

constexpr size_t kKept = 2;  // Jobs of an object: the last and the one before
constexpr std::string_view kGeneration = "operator.etcd.io/generation";
constexpr std::string_view kTry = "operator.etcd.io/try";
constexpr std::string_view kNotBefore = "operator.etcd.io/not-before";
constexpr std::string_view kEtcdVersion = "operator.etcd.io/etcd-version";  // when it was made
// What it said at its end: its pod may go before it.
constexpr std::string_view kReport = "operator.etcd.io/report";
// No cluster's name has a dot.
constexpr std::string_view kForeign = "endpoints.";

std::int64_t number(const std::string& text) {
  return base::parse_int(text).value_or(0);
}

base::Instant instant(const std::string& text) {
  return base::parse_rfc3339(text).value_or(base::Instant{});
}

int epoch_of(const json::Value& job) {
  return static_cast<int>(
      std::clamp<std::int64_t>(number(label(job, render::kJobEpochLabel)), 0, 1'000'000'000));
}

// "c-0.example" of "https://c-0.example:2379".
std::string host_of(const std::string& url) {
  const auto scheme = url.find("://");
  auto host = scheme == std::string::npos ? url : url.substr(scheme + 3);
  host = host.substr(0, host.find('/'));
  const auto port = host.rfind(':');
  return port == std::string::npos || host.ends_with(']') ? host : host.substr(0, port);
}

// One that we do not run, as far as its Job's pod needs one.
api::Cluster stand_in(const BackupOrder& order) {
  api::Cluster out;
  out.key = {order.id.key.ns, order.id.uid};  // a label's value
  out.spec.pod.raw_json["serviceAccountName"] = R"("default")";
  out.spec.tls.provider = api::TlsProvider::kUserSecrets;
  out.spec.tls.operator_secret = order.wish.client_tls_secret;
  return out;
}

// What the store is told of a cluster that we run.
archive::RunJob job_of_ours(const BackupOrder& order) {
  api::Backup as;
  as.timeout = order.wish.timeout;
  as.interval = order.wish.interval;
  auto job = jobs::backup_job(as, *order.record, 0);
  jobs::add_endpoints(*order.record, job);
  return job;
}

archive::RunJob job_of_foreign(const BackupOrder& order) {
  archive::RunJob job;
  job.common.deadline = std::chrono::ceil<std::chrono::seconds>(order.wish.timeout);
  job.incarnation =
      archive::make_incarnation(order.created, fmt::format("{:08x}", base::crc32c(order.id.uid)))
          .text;
  for (const auto& url : order.wish.endpoints) job.endpoints.push_back({host_of(url), url});
  return job;
}

class RequestJobs final : public Requests {
 public:
  explicit RequestJobs(Shared& shared) : shared_(shared), events_(event_options(shared.options)) {}

  [[nodiscard]] bool ready() const override {
    const auto& s = shared_.stores;
    return s.requests_complete() && s.jobs.complete() && s.job_pods.complete();
  }
  [[nodiscard]] std::vector<DeclaredRequest> declared() const override;
  base::Fact<BackupTry> newest(const RequestId& of, const std::stop_token& stop) override;
  base::Status start(const BackupOrder& order, const std::stop_token& stop) override;
  base::Status release(const RequestId& of, std::string_view finalizer,
                       const std::stop_token& stop) override;
  base::Status tell(const RequestId& of, json::Value status, const std::stop_token& stop) override;
  void note(const RequestId& of, const Note& note, const std::stop_token& stop) override {
    const auto& resource = resource_of(of.kind, of.group);
    send(events_.add({.about = {resource.api_version(),
                                std::string(resource.kind),
                                {of.key.ns, of.key.name},
                                of.uid},
                      .warning = note.warning,
                      .reason = note.reason,
                      .action = {},
                      .note = note.text},
                     shared_.parts.clock.now()),
         stop);
  }
  void flush_notes(const std::stop_token& stop) override {
    send(events_.flush(shared_.parts.clock.now()), stop);
  }

 private:
  // Of one namespace.
  struct Place {
    Place(Shared& shared, const std::string& ns)
        : objects(shared.parts.client, {ns, ""}, shared.options.call), looks(shared, objects) {}
    Objects objects;
    JobLooks looks;
  };
  Place& at(const std::string& ns) {
    auto& place = places_[ns];
    if (!place) place = std::make_unique<Place>(shared_, ns);
    return *place;
  }
  [[nodiscard]] std::vector<kube::Object> all(const RequestId& of) const;
  base::Status keep_end(const json::Value& job, const std::string& end,
                        const std::stop_token& stop);
  void drop_older(const RequestId& of, int epoch, const std::stop_token& stop);
  void send(const std::vector<kube::Request>& events, const std::stop_token& stop) {
    for (const auto& event : events)
      if (const auto sent = shared_.parts.client.call(event, shared_.options.call, stop); !sent)
        events_.failed(event, sent.error());
  }

  Shared& shared_;
  kube::EventWriter events_;
  std::map<std::string, std::unique_ptr<Place>> places_;
};

std::vector<DeclaredRequest> RequestJobs::declared() const {
  std::vector<DeclaredRequest> out;
  for (const auto& of : shared_.stores.requests)
    for (auto& object : of.store.all()) out.push_back({of.kind, of.group, std::move(object)});
  return out;
}

// Of the newest first.
std::vector<kube::Object> RequestJobs::all(const RequestId& of) const {
  auto out = shared_.stores.jobs.group(of.key.ns, of.uid);
  std::erase_if(out, [&](const auto& job) { return owner_uid(*job) != of.uid; });
  std::ranges::sort(out, [](const auto& a, const auto& b) { return epoch_of(*a) > epoch_of(*b); });
  return out;
}

// The job's report, or the words of its end where it left none: its pod may be gone at any time.
base::Status RequestJobs::keep_end(const json::Value& job, const std::string& end,
                                   const std::stop_token& stop) {
  json::Object annotations;
  annotations[kReport] = end;
  const json::Value patch =
      json::Object{{"metadata", json::Object{{"annotations", std::move(annotations)}}}};
  const kube::Name name{text_at(job, "metadata.namespace"), text_at(job, "metadata.name")};
  TRY_OK(at(name.ns).objects.send(
      kube::merge_patch(kube::kJobs, name, patch, {.uid = text_at(job, "metadata.uid")}), stop));
  return {};
}

base::Fact<BackupTry> RequestJobs::newest(const RequestId& of, const std::stop_token& stop) {
  using Seen = base::Fact<BackupTry>;
  const auto jobs = all(of);
  if (jobs.empty()) return Seen::absent();
  const auto& job = *jobs.front();
  BackupTry out{.epoch = epoch_of(job),
                .tries = static_cast<int>(number(annotation(job, kTry))),
                .generation = number(annotation(job, kGeneration)),
                .started = instant(text_at(job, "metadata.creationTimestamp")),
                .not_before = instant(annotation(job, kNotBefore)),
                .running = false,
                .report = {}};
  const auto file = judge_job(job, nullptr).file;
  auto end = annotation(job, kReport);
  if (end.empty()) {
    const auto seen = at(of.key.ns).looks.look_at(job, stop);
    if (!seen.known()) return Seen::unknown(seen.why());
    out.running = seen->running;
    if (out.running) return out;
    end = jobs::run_report(file, seen->report) ? seen->report : seen->ended;
    if (const auto kept = keep_end(job, end, stop); !kept)
      return Seen::unknown(kept.error().message);
  }
  if (auto report = jobs::run_report(file, end))
    out.report = *std::move(report);
  else
    out.report.error = end;
  out.report.etcd_version = annotation(job, kEtcdVersion);
  return out;
}

base::Status RequestJobs::start(const BackupOrder& order, const std::stop_token& stop) {
  const bool ours = order.record != nullptr;
  const auto& [ns, name] = order.id.key;
  const auto cluster = ours ? *order.cluster : stand_in(order);
  TRY(auto place,
      place_of(order.wish.destination ? &*order.wish.destination : nullptr,
               {ns, ours ? order.cluster->key.name : fmt::format("{}{}", kForeign, name)}));
  if (ours) add_encryption_key(cluster.spec, place);
  auto job = ours ? job_of_ours(order) : job_of_foreign(order);
  place_files(place, job.common);
  job.epoch = 0;  // those in the store count the cluster's own backups
  // One backup alone removes no other, as it was with CoreOS's operator.
  const bool periodic = order.wish.interval.count() > 0;
  job.max_backups = periodic ? static_cast<unsigned>(order.wish.max_backups) : 0;
  job.not_before = order.next.not_before;
  job.last_revision = order.last_revision;
  const bool tls = ours ? cluster.spec.tls.mode != api::TlsMode::kDisabled
                        : !order.wish.client_tls_secret.empty();
  if (tls) {
    const auto files = render::job_tls_files();
    job.tls = archive::TlsFiles{files.ca, files.cert, files.key};
  }
  render::StoreJob wanted{.kind = "backup",
                          .epoch = order.next.epoch,
                          .words = {"archive", "run"},
                          .file = archive::to_json(job),
                          .store = place.access,
                          .client = tls,
                          .deadline = job.common.deadline};
  const auto& resource = resource_of(order.id.kind, order.id.group);
  wanted.owner = {resource.api_version(), std::string(resource.kind), name, order.id.uid};
  wanted.notes[std::string(kGeneration)] = std::to_string(order.id.generation);
  wanted.notes[std::string(kTry)] = std::to_string(order.next.tries);
  if (!order.etcd_version.empty()) wanted.notes[std::string(kEtcdVersion)] = order.etcd_version;
  wanted.notes[std::string(kNotBefore)] = base::to_rfc3339(order.next.not_before);
  auto& objects = at(ns).objects;
  const auto object = render::store_job(cluster, wanted, shared_.options.objects);
  const auto made = objects.send(kube::create(kube::kJobs, ns, object), stop);
  if (!made && made.error().code != base::Code::kAlreadyExists)
    return std::unexpected(made.error());
  if (!made)
    TRY_OK(objects.read_ours(kube::kJobs, text_at(object, "metadata.name"), order.id.uid, stop));
  drop_older(order.id, order.next.epoch, stop);
  return {};
}

// One that stays goes after the next try, or with its owner.
void RequestJobs::drop_older(const RequestId& of, int epoch, const std::stop_token& stop) {
  size_t kept = 1;
  for (const auto& old : all(of)) {
    if (epoch_of(*old) >= epoch || ++kept <= kKept) continue;
    const auto name = text_at(*old, "metadata.name");
    const auto gone = at(of.key.ns).objects.remove(kube::kJobs, name, of.uid, stop);
    if (!gone)
      shared_.parts.log.warning("JobNotRemoved",
                                {{"job", of.key.ns + "/" + name}, {"why", gone.error().message}});
  }
}

base::Status RequestJobs::release(const RequestId& of, std::string_view finalizer,
                                  const std::stop_token& stop) {
  auto& objects = at(of.key.ns).objects;
  const auto& resource = resource_of(of.kind, of.group);
  TRY(const auto object, objects.read(resource, of.key.name, stop));
  if (!object || text_at(*object, "metadata.uid") != of.uid) return {};
  json::Array left;
  const auto* names = object->at("metadata.finalizers");
  if (names == nullptr || !names->is_array()) return {};
  for (const auto& one : *names->if_array())
    if (one != json::Value(finalizer)) left.push_back(one);
  const json::Value patch =
      json::Object{{"metadata", json::Object{{"finalizers", std::move(left)}}}};
  const kube::Expected same{.uid = of.uid,
                            .resource_version = text_at(*object, "metadata.resourceVersion")};
  TRY_OK(objects.send(kube::merge_patch(resource, {of.key.ns, of.key.name}, patch, same), stop));
  return {};
}

base::Status RequestJobs::tell(const RequestId& of, json::Value status,
                               const std::stop_token& stop) {
  TRY_OK(at(of.key.ns).objects.send(
      status_request(resource_of(of.kind, of.group), {of.key.ns, of.key.name}, of.uid,
                     std::move(status)),
      stop));
  return {};
}

}  // namespace

const kube::Resource& resource_of(RequestKind kind, api::Group group) {
  const bool coreos = group == api::Group::kCoreOs;
  if (kind == RequestKind::kBackup) return coreos ? kube::kCoreosBackups : kube::kEtcdBackups;
  return coreos ? kube::kCoreosRestores : kube::kEtcdRestores;
}

std::unique_ptr<Requests> make_requests(Shared& shared) {
  return std::make_unique<RequestJobs>(shared);
}

}  // namespace k8s
