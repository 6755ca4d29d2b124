#include "drivers/kube/driver.h"

#include <fmt/format.h>

#include <algorithm>
#include <type_traits>

#include "base/text.h"
#include "drivers/live/endpoints.h"
#include "engine/record_codec.h"
#include "json/json.h"
#include "plan/template.h"

namespace k8s {
namespace {

// An event alone does not write a status that says the same again, but for its time.
constexpr base::Duration kTellAgain = std::chrono::minutes(1);

// "https://10.0.0.7:2379/c-3-0.c.shop.svc.cluster.local": dialled at the address, and its
// certificate checked for the name.
live::Connect by_address(live::Connect connect) {
  return [connect = std::move(connect)](const std::string& url, const etcd::Tls& tls) {
    const auto scheme = url.find("://");
    const auto slash = url.find('/', scheme == std::string::npos ? 0 : scheme + 3);
    if (slash == std::string::npos) return connect(url, tls);
    etcd::Tls named = tls;
    named.server_name = url.substr(slash + 1);
    return connect(url.substr(0, slash), named);
  };
}

constexpr int kMostDamaged = 3;                          // the last of them is replaced
constexpr size_t kMostDamagedBytes = size_t{200} << 10;  // a ConfigMap holds 1 MiB

// What goes beside a rebuilt record: the one that it takes the place of.
json::Object keep_damaged(const json::Value& map) {
  const std::string text = text_at(map, "data.record");
  const json::Value* data = map.find("data");
  if (text.empty() || text.size() > kMostDamagedBytes || data == nullptr) return {};
  int n = 1;
  while (n < kMostDamaged && data->find(fmt::format("record.damaged-{}", n)) != nullptr) ++n;
  return {{fmt::format("record.damaged-{}", n), text}};
}

}  // namespace

engine::ApplyResult result_of(const base::Status& status) {
  if (status) return done();
  const auto code = status.error().code;
  const bool open = code == base::Code::kDeadlineExceeded || code == base::Code::kCancelled;
  return {open ? plan::Outcome::kMayHaveHappened : plan::Outcome::kRefused, status.error().message};
}

const plan::MemberRecord* find(const plan::Record& record, const std::string& name) {
  const auto found = record.members.find(name);
  return found == record.members.end() ? nullptr : &found->second;
}

bool is_voter(const plan::MemberRecord& member) {
  return member.phase == plan::Phase::kVoter || member.phase == plan::Phase::kForming ||
         member.phase == plan::Phase::kRemoving;
}

int count_voters(const plan::Record& record) {
  return static_cast<int>(
      std::ranges::count_if(record.members, [](const auto& m) { return is_voter(m.second); }));
}

render::VolumeState volume_state(const plan::MemberRecord& member) {
  if (member.phase == plan::Phase::kRetired) return render::VolumeState::kRemoved;
  return member.permit == plan::Permit::kData ? render::VolumeState::kMember
                                              : render::VolumeState::kForming;
}

KubeDriver::KubeDriver(Shared& shared, base::ClusterKey key)
    : shared_(shared),
      key_(std::move(key)),
      names_{key_.name},
      objects_(shared.parts.client, key_, shared.options.call),
      certificates_(objects_, shared.parts.clock, shared.options.objects),
      store_jobs_(shared, objects_),
      etcd_(by_address(shared.parts.connect), *this, shared.parts.clock),
      events_(event_options(shared.options)) {}

base::Result<etcd::Tls> KubeDriver::credentials(const api::Tls& tls) {
  return certificates_.operator_tls(tls, stop_);
}

std::optional<api::Version> KubeDriver::cluster_version(const plan::MemberRecord& member,
                                                        base::Duration deadline,
                                                        const std::stop_token& stop) {
  return shared_.parts.machine.cluster_version(member.addresses.metrics_url, deadline, stop);
}

void KubeDriver::together(std::span<const std::function<void()>> calls) {
  shared_.parts.machine.together(calls);
}

base::Duration KubeDriver::may_change_for(base::Duration at_most) {
  return shared_.parts.client.may_change_for(at_most);
}

base::Result<engine::Loaded> KubeDriver::load_record() {
  engine::Loaded loaded;
  loaded.record.key = key_;
  stored_.reset();
  TRY(const auto map, objects_.read_ours(kube::kConfigMaps, names_.record(), "", stop_));
  if (!map) {
    stored_ = Stored{};
    return loaded;
  }
  stored_ = Stored{text_at(*map, "metadata.uid"), text_at(*map, "metadata.resourceVersion"), {}};
  auto record = engine::decode_record(text_at(*map, "data.record"));
  if (!record && record.error().code == base::Code::kUnimplemented) {
    loaded.state = plan::RecordState::kTorn;
    loaded.problem =
        fmt::format("ConfigMap {}/{}: {}", key_.ns, names_.record(), record.error().message);
    return loaded;
  }
  if (record && record->key != key_)
    record = base::fail(base::Code::kDataLoss, "the record is of cluster " + record->key.text());
  if (!record) {
    // Only what the objects of every member agree on is put together again; nothing is guessed.
    auto rebuilt = rebuild_record();
    if (!rebuilt) {
      loaded.state = plan::RecordState::kTorn;
      loaded.problem = fmt::format(
          "ConfigMap {}/{}: {}; it was not rebuilt: {}; put its data back from a copy, "
          "or delete it together with the claims of its members",
          key_.ns, names_.record(), record.error().message, rebuilt.error().message);
      return loaded;
    }
    shared_.parts.log.warning("record_rebuilt",
                              {{"cluster", key_.text()}, {"why", record.error().message}});
    record = std::move(rebuilt);
    stored_->damaged = keep_damaged(*map);
  }
  loaded.state = plan::RecordState::kOk;
  loaded.record = *std::move(record);
  return loaded;
}

// Optimistic: it takes the place of what was read last, or of nothing.
base::Status KubeDriver::save_record(const plan::Record& record) {
  const auto text = engine::encode_record(record);
  const Stored before = stored_.value_or(Stored{});
  json::Object data = before.damaged;
  data["record"] = text;
  const auto map = render::record_map(key_, text);
  const auto request =
      before.version.empty()
          ? kube::create(kube::kConfigMaps, key_.ns, map)
          : kube::merge_patch(kube::kConfigMaps, name(names_.record()),
                              json::Object{{"data", std::move(data)}},
                              {.uid = before.uid, .resource_version = before.version});
  const auto took = [&](const Value& answer) {
    stored_ =
        Stored{text_at(answer, "metadata.uid"), text_at(answer, "metadata.resourceVersion"), {}};
  };
  const auto answer = objects_.send(request, stop_);
  if (answer) {
    took(*answer);
    return {};
  }
  auto error = answer.error().in("store the record");
  if (error.code == base::Code::kAlreadyExists) error.code = base::Code::kAborted;
  if (error.code == base::Code::kNotFound) error.code = base::Code::kAborted;  // it was deleted
  if (error.code != base::Code::kDeadlineExceeded) return std::unexpected(std::move(error));
  // It may have happened: what is there now tells.
  TRY(const auto now, objects_.read_ours(kube::kConfigMaps, names_.record(), "", stop_));
  if (now && text_at(*now, "data.record") == text) {
    took(*now);
    return {};
  }
  const auto version = now ? text_at(*now, "metadata.resourceVersion") : "";
  error.code = version == before.version ? base::Code::kUnavailable : base::Code::kAborted;
  return std::unexpected(std::move(error));
}

void KubeDriver::remember(const engine::Job& job) {
  cluster_ = job.intent.cluster;
}

engine::ApplyResult KubeDriver::apply(const plan::Step& step, const engine::Job& job,
                                      const std::stop_token& stop) {
  stop_ = stop;
  remember(job);
  const Call call{job, stop};
  const plan::Record by_ip = dialled(job.record);
  const engine::Job dialled_job{job.intent, by_ip, job.deadline};
  const Call at{dialled_job, stop};
  return std::visit(
      [&](const auto& action) -> Done {
        using Action = std::remove_cvref_t<decltype(action)>;
        if constexpr (std::is_same_v<Action, plan::RemoveMember>) {
          return remove_member(action, call, at);
        } else if constexpr (requires { store_jobs_.act(action, {job, stop}); }) {
          return result_of(store_jobs_.act(action, {job, stop}));
        } else if constexpr (requires { etcd_.act(action, at); }) {
          if constexpr (std::is_same_v<Action, plan::PromoteMember>)
            if (const auto kept = keep_budget(call, count_voters(job.record) + 1); !kept)
              return result_of(kept);
          return etcd_.act(action, at);
        } else {
          return act(action, call);
        }
      },
      step.action);
}

base::Status KubeDriver::publish(const api::ClusterStatus& status,
                                 std::span<const plan::Event> events) {
  for (const auto& event : events) tell(event.warning, plan::name_of(event.reason), event.message);
  for (const auto& request : events_.flush(shared_.parts.clock.now()))
    if (const auto sent = shared_.parts.client.call(request, shared_.options.call, stop_); !sent)
      events_.failed(request, sent.error());
  if (!cluster_ || cluster_->uid.empty()) return {};
  api::ClusterStatus full = status;
  full.selector = render::pod_selector(*cluster_);
  auto timeless = full;
  timeless.observed_at.reset();
  auto text = json::print(status_json(timeless, *cluster_));
  const auto look = full.observed_at.value_or(base::Instant{});
  if (text == told_ && look >= told_look_ && look - told_look_ < kTellAgain) return {};
  TRY_OK(objects_.send(status_request(*cluster_, status_json(full, *cluster_)), stop_));
  told_ = std::move(text);
  told_look_ = look;
  return {};
}

void KubeDriver::tell(bool warning, std::string_view reason, const std::string& message) {
  if (!cluster_ || cluster_->uid.empty()) return;
  const auto& resource = resource_of(cluster_->group);
  const kube::Happening happening{
      {resource.api_version(), std::string(resource.kind), name(key_.name), cluster_->uid},
      warning,
      std::string(reason),
      "",
      message};
  for (const auto& request : events_.add(happening, shared_.parts.clock.now()))
    if (const auto sent = shared_.parts.client.call(request, shared_.options.call, stop_); !sent)
      events_.failed(request, sent.error());
}

}  // namespace k8s
