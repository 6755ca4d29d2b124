// Acts on one member's objects. Each may be repeated: what is done already stays done.
#include <fmt/format.h>

#include <algorithm>

#include "drivers/kube/driver.h"
#include "drivers/live/ticket.h"
#include "json/json.h"
#include "plan/template.h"

namespace k8s {
namespace {

constexpr base::Duration kLook{100}, kNotice{5'000};
constexpr base::Duration kStop{20'000};

// Everything is going down: the budget guards nobody.
bool is_going_down(const engine::Job& job) {
  const auto& spec = job.intent.cluster.spec;
  if (job.intent.wish == plan::Wish::kDeleted || job.intent.stop || spec.hibernate) return true;
  if (!job.record.operation) return false;
  const auto kind = job.record.operation->kind;
  return kind == plan::OperationKind::kHibernate || kind == plan::OperationKind::kDelete ||
         kind == plan::OperationKind::kRecovery || kind == plan::OperationKind::kBootstrap;
}

const json::Value* etcd_of(const json::Value& pod) {
  const auto* list = pod.at("status.containerStatuses");
  const auto* items = list == nullptr ? nullptr : list->if_array();
  if (items == nullptr) return nullptr;
  const auto found = std::ranges::find_if(
      *items, [](const auto& container) { return text_at(container, "name") == "etcd"; });
  return found == items->end() ? nullptr : &*found;
}

bool is_up(const json::Value& pod) {
  const auto* etcd = etcd_of(pod);
  return etcd != nullptr && etcd->at("state.running") != nullptr;
}

// It may come up by itself: nothing of it has ended, and nothing keeps it from starting.
bool is_coming_up(const json::Value& pod) {
  const auto phase = text_at(pod, "status.phase");
  if (text_at(pod, "spec.nodeName").empty() || (phase != "Pending" && phase != "Running"))
    return false;
  const auto* etcd = etcd_of(pod);
  if (etcd == nullptr) return true;  // its node has not said anything yet
  const auto reason = text_at(*etcd, "state.waiting.reason");
  return etcd->at("lastState.terminated") == nullptr && etcd->at("state.terminated") == nullptr &&
         (reason.empty() || reason == "PodInitializing" || reason == "ContainerCreating");
}

std::int64_t replicas_of(const json::Value& set) {
  return json::get_int(set, "spec.replicas").value_or(1);
}

// The set was made for an older spec than the wanted one, and this member's turn to follow it has
// not come.
bool waits_for_rollout(const plan::MemberRecord& member, const json::Value& set,
                       const std::string& wanted_hash) {
  const auto old = guard::decode_ticket(template_annotation(set, render::kTicketAnnotation));
  return old && plan::parse_template(member.template_hash).spec != wanted_hash &&
         old->template_hash == member.template_hash && old->version == member.version.text();
}

}  // namespace

render::KubernetesMember KubeDriver::rendered(const plan::MemberRecord& member,
                                              const engine::Job& job) const {
  const plan::Record& record = job.record;
  render::KubernetesMember out;
  out.name = member.name;
  out.version = member.version;
  out.incarnation = member.incarnation;
  out.volume = member.volume;
  out.epoch = record.epoch;
  out.cluster_id = record.cluster_id;
  out.template_hash = member.template_hash;
  out.tls = plan::tls_of(member);
  out.volume_state = volume_state(member);
  out.voter = is_voter(member);
  out.serving = record.open_to_clients && member.phase == plan::Phase::kVoter;
  if (member.permit == plan::Permit::kRestore && record.recovery)
    out.survivor = record.recovery->survivor;
  else if (member.permit == plan::Permit::kRestore)
    if (auto fetched = store_jobs_.fetched_backup(job)) out.fetch = *std::move(fetched);
  return out;
}

base::Status KubeDriver::prepare_claim(const plan::MemberRecord& member, const Call& call) {
  const auto& cluster = call.job.intent.cluster;
  if (!render::has_claims(cluster.spec, shared_.options.objects)) return {};
  const auto claim = api::claim_of_member(member.name);
  TRY(const auto present, objects_.read_ours(kube::kClaims, claim, "", call.stop));
  if (present) {
    if (annotation(*present, render::kVolumeAnnotation) != member.volume)
      return base::fail(base::Code::kFailedPrecondition,
                        fmt::format("claim {} is there and is of another volume", claim));
    return {};
  }
  // A lost volume is never replaced by an empty one: the loss would not be seen.
  if (member.ran || member.permit == plan::Permit::kData)
    return base::fail(base::Code::kFailedPrecondition, fmt::format("claim {} is gone", claim));
  const auto wanted = render::member_claim(cluster, rendered(member, call.job));
  TRY_OK(objects_.ensure(kube::kClaims, wanted, call.stop));
  return {};
}

base::Status KubeDriver::prepare(const plan::MemberRecord& member, const Call& call) {
  TRY_OK(keep_shared(call, count_voters(call.job.record)));
  TRY_OK(certificates_.prepare(scope(call), member.incarnation));
  return prepare_claim(member, call);
}

KubeDriver::Done KubeDriver::act(const plan::PrepareMember& a, const Call& call) {
  const auto* member = find(call.job.record, a.member);
  if (member == nullptr) return refused("the record does not know " + a.member);
  return result_of(prepare(*member, call));
}

base::Result<guard::Ticket> KubeDriver::make_ticket(const plan::MemberRecord& member,
                                                    const std::optional<Value>& set,
                                                    const Call& call) {
  const auto& record = call.job.record;
  live::TicketSource source{record, member, {}};
  if (member.permit == plan::Permit::kJoin) {
    const plan::Record by_ip = dialled(record);
    const engine::Job job{call.job.intent, by_ip, call.job.deadline};
    if (const auto now = etcd_.live({job, call.stop}))
      for (const auto& m : now->list.members)
        if (!m.peer_urls.empty()) source.live.emplace_back(m.name, m.peer_urls.front());
  }
  auto ticket = live::ticket_of(source);
  ticket.etcd = render::kEtcdPath;
  ticket.etcdutl = render::kEtcdutlPath;
  if (!ticket.restore_operation.empty())
    ticket.restore_snapshot =
        record.recovery ? render::kSurvivorSnapshot : render::kFetchedSnapshot;
  const auto& cluster = call.job.intent.cluster;
  const auto of = rendered(member, call.job);
  TRY(ticket.args,
      render::etcd_args(cluster.spec, member.version,
                        render::kubernetes_addresses(cluster, of, shared_.options.objects),
                        render::kubernetes_tls_paths(of.tls)));
  if (set)
    if (const auto old = guard::decode_ticket(template_annotation(*set, render::kTicketAnnotation)))
      live::keep_flags(*old, call.job.intent.template_hash, ticket);
  return ticket;
}

base::Status KubeDriver::put_set(const plan::MemberRecord& member, bool start, const Call& call) {
  const auto& cluster = call.job.intent.cluster;
  TRY(const auto set, objects_.read_ours(kube::kStatefulSets, member.name, cluster.uid, call.stop));
  if (set && annotation(*set, render::kVolumeAnnotation) != member.volume)
    return base::fail(base::Code::kFailedPrecondition,
                      fmt::format("StatefulSet {} is there and is of another volume", member.name));
  TRY(const guard::Ticket ticket, make_ticket(member, set, call));
  auto of = rendered(member, call.job);
  of.ticket = guard::encode(ticket);
  of.running = start || (set && replicas_of(*set) > 0);
  const auto wanted = render::member_workload(cluster, of, shared_.options.objects);
  if (!set || !waits_for_rollout(member, *set, call.job.intent.template_hash)) {
    TRY(const auto now, objects_.ensure(kube::kStatefulSets, wanted, call.stop));
    return set ? hand_over(member, now, call) : base::Status{};
  }
  // What runs in the pod stays as it is; only what is ours alone changes.
  const auto* metadata = wanted.at("spec.template.metadata");
  const Value patch =
      json::Object{{"spec", json::Object{{"replicas", of.running ? 1 : 0},
                                         {"template", json::Object{{"metadata", *metadata}}}}}};
  TRY(const auto now, objects_.send(kube::merge_patch(kube::kStatefulSets, name(member.name), patch,
                                                      {.uid = text_at(*set, "metadata.uid")}),
                                    call.stop));
  return hand_over(member, now, call);
}

// The ticket of a pod that lives is changed too: its guard reads it before the next start of etcd.
// A pod of another template keeps its own; one that does not get up is made anew.
base::Status KubeDriver::hand_over(const plan::MemberRecord& member, const Value& set,
                                   const Call& call) {
  const auto pod_name = api::pod_of_member(member.name);
  TRY(const auto pod, objects_.read(kube::kPods, pod_name, call.stop));
  if (!pod || is_going(*pod) || owner_uid(*pod) != text_at(set, "metadata.uid")) return {};
  const auto text = template_annotation(set, render::kTicketAnnotation);
  if (annotation(*pod, render::kTicketAnnotation) == text) return {};
  const kube::Expected same{.uid = text_at(*pod, "metadata.uid")};
  const auto old = guard::decode_ticket(annotation(*pod, render::kTicketAnnotation));
  const bool same_template =
      old && old->version == member.version.text() && old->template_hash == member.template_hash;
  // Its node tells late that it runs: a pod that only begins is not made anew for its ticket.
  if (!is_up(*pod) && !(same_template && is_coming_up(*pod))) {
    const auto removed =
        objects_.send(kube::remove(kube::kPods, name(pod_name), {.expected = same}), call.stop);
    if (!removed && removed.error().code != base::Code::kNotFound)
      return std::unexpected(removed.error());
    return {};
  }
  if (!same_template) return {};
  json::Object annotations;
  annotations[render::kTicketAnnotation] = text;
  const Value patch =
      json::Object{{"metadata", json::Object{{"annotations", std::move(annotations)}}}};
  TRY_OK(objects_.send(kube::merge_patch(kube::kPods, name(pod_name), patch, same), call.stop));
  return {};
}

KubeDriver::Done KubeDriver::act(const plan::StartMember& a, const Call& call) {
  const auto* member = find(call.job.record, a.member);
  if (member == nullptr || !member->may_start)
    return refused("the record does not allow to start " + a.member);
  if (member->phase == plan::Phase::kRetired || member->phase == plan::Phase::kSurvivor)
    return refused(a.member + " is out of the cluster");
  if (member->permit == plan::Permit::kRestore)
    if (const auto there = check_source(call); !there) return result_of(there);
  if (const auto ready = prepare(*member, call); !ready) return result_of(ready);
  return result_of(put_set(*member, /*start=*/true, call));
}

KubeDriver::Done KubeDriver::act(const plan::WriteTicket& a, const Call& call) {
  const auto* member = find(call.job.record, a.member);
  if (member == nullptr) return refused("the record does not know " + a.member);
  // From here on its data counts: said where it lies, before its ticket says so.
  if (member->permit == plan::Permit::kData && member->phase != plan::Phase::kRetired)
    if (const auto marked =
            mark_claim(member->name, member->volume, render::VolumeState::kMember, call.stop);
        !marked)
      return result_of(marked);
  if (const auto put = put_set(*member, /*start=*/false, call); !put) return result_of(put);
  return result_of(wait_for_notice(member->name, call));
}

// S3: the next pod of this member gets its ticket from the set as its controller knows it.
base::Status KubeDriver::wait_for_notice(const std::string& member, const Call& call) {
  const auto until = shared_.parts.clock.tick() + std::min(kNotice, call.job.deadline);
  for (;;) {
    TRY(const auto set, objects_.read(kube::kStatefulSets, member, call.stop));
    if (set && is_observed(*set)) return {};
    if (shared_.parts.clock.tick() >= until || call.stop.stop_requested())
      return base::fail(base::Code::kDeadlineExceeded,
                        "Kubernetes has not taken notice of the ticket of " + member + " yet");
    shared_.parts.machine.pause(kLook, call.stop);
  }
}

base::Status KubeDriver::wait_for_end(const std::string& member, base::Tick until,
                                      const Call& call) {
  for (;;) {
    TRY(const auto pod, objects_.read(kube::kPods, api::pod_of_member(member), call.stop));
    if (!pod) return {};
    if (shared_.parts.clock.tick() >= until || call.stop.stop_requested())
      return base::fail(base::Code::kDeadlineExceeded, member + " has not stopped yet");
    shared_.parts.machine.pause(kLook, call.stop);
  }
}

// `guarded`: within the disruption budget, so that a drain and we cannot both take a member. The
// eviction comes first, because a set that is scaled down deletes its pod whatever the budget says;
// the pod needs longer to end than the scaling takes, so that none is made in between, and one that
// was would end again.
base::Status KubeDriver::stop_pod(const std::string& member, bool guarded, const Call& call) {
  const auto pod_name = api::pod_of_member(member);
  const auto until = shared_.parts.clock.tick() + std::min(kStop, call.job.deadline);
  TRY(const auto set,
      objects_.read_ours(kube::kStatefulSets, member, call.job.intent.cluster.uid, call.stop));
  TRY(const auto pod, objects_.read(kube::kPods, pod_name, call.stop));
  if (set && pod && owner_uid(*pod) != text_at(*set, "metadata.uid"))
    return base::fail(base::Code::kFailedPrecondition,
                      fmt::format("pod {} is there and is not its StatefulSet's", pod_name));
  if (guarded && pod && is_ready(*pod) && !is_going(*pod)) {
    const auto evicted = objects_.send(
        kube::evict(name(pod_name), {.expected = {.uid = text_at(*pod, "metadata.uid")}}),
        call.stop);
    if (!evicted && evicted.error().code != base::Code::kNotFound)
      return std::unexpected(evicted.error());
  }
  if (set && replicas_of(*set) > 0) {
    // The pod goes, and with it what its guard said last.
    json::Object annotations;
    annotations[kVerdictAnnotation] = Value();
    if (const auto verdict = pod ? verdict_of(*pod) : std::nullopt;
        verdict && guard::is_final(verdict->klass))
      annotations[kVerdictAnnotation] = guard::encode(*verdict);
    const Value patch =
        json::Object{{"metadata", json::Object{{"annotations", std::move(annotations)}}},
                     {"spec", json::Object{{"replicas", 0}}}};
    TRY_OK(objects_.send(kube::merge_patch(kube::kStatefulSets, name(member), patch,
                                           {.uid = text_at(*set, "metadata.uid")}),
                         call.stop));
  }
  return wait_for_end(member, until, call);
}

KubeDriver::Done KubeDriver::act(const plan::StopMember& a, const Call& call) {
  const auto* member = find(call.job.record, a.member);
  const bool guarded = member != nullptr && member->phase == plan::Phase::kVoter &&
                       count_voters(call.job.record) >= 3 && !is_going_down(call.job);
  if (guarded)
    if (const auto kept = keep_budget(call, count_voters(call.job.record)); !kept)
      return result_of(kept);
  return result_of(stop_pod(a.member, guarded, call));
}

}  // namespace k8s
