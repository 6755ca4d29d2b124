#include "sim/world/driver.h"

#include <array>

#include "drivers/live/rebuild.h"
#include "engine/record_codec.h"

namespace sim {
namespace {

std::string pem_of(const Leaf& leaf) {
  return leaf.name + std::to_string(leaf.until.time_since_epoch().count());
}

std::unique_ptr<etcd::EtcdApi> dial(World& world, const std::string& url, const etcd::Tls& tls) {
  Client client;
  client.machine = 0;
  client.tls.on = !tls.ca.empty();
  client.tls.leaf = world.operator_leaf;
  client.tls.trusted = {1};
  return connect(world, url, client);
}

constexpr std::array<std::string_view, 7> kInnerPoints{
    "StartMember.ticket",         "WriteTicket.ticket",      "IssueCertificates.member",
    "IssueCertificates.operator", "DiscardFormation.member", "ExportSurvivor.snapshot",
    "SnapshotSurvivor.bound"};

}  // namespace

std::span<const std::string_view> inner_points() {
  return kInnerPoints;
}

SimDriver::SimDriver(World& world, base::ClusterKey key, DriverMemory memory,
                     engine::FaultInjector* inner)
    : world_(world),
      key_(std::move(key)),
      memory_(memory),
      inner_(inner),
      clock_(world),
      etcd_(
          [&world](const std::string& url, const etcd::Tls& tls) { return dial(world, url, tls); },
          *this, clock_) {}

void SimDriver::between(std::string_view point) {
  if (inner_ != nullptr) inner_->at(point);
}

base::Result<engine::Loaded> SimDriver::load_record() {
  if (world_.faults.next("load_record", world_.faults.record, world_.draw()) != CallFault::kNone)
    return base::fail(base::Code::kUnavailable, "the store does not answer");
  engine::Loaded loaded;
  loaded.record.key = key_;
  memory_.record_version = world_.record.version;
  if (!world_.record.bytes) return loaded;
  auto record = engine::decode_record(*world_.record.bytes);
  if (!record) {
    std::map<std::string, base::Result<live::Kept>> members;
    for (const auto& [name, p] : world_.places) {
      if (p.ticket && p.volume.marker && !p.volume.marker_torn)
        members.emplace(name, live::Kept{*p.ticket, *p.volume.marker});
      else
        members.emplace(name, base::fail(base::Code::kNotFound, "no ticket or no marker"));
    }
    auto rebuilt = live::rebuild_record(key_, members, world_.published);
    if (!rebuilt) {
      loaded.state = plan::RecordState::kTorn;
      loaded.problem = record.error().message + "; it was not rebuilt: " + rebuilt.error().message;
      return loaded;
    }
    record = std::move(rebuilt);
  }
  loaded.state = plan::RecordState::kOk;
  loaded.record = std::move(*record);
  return loaded;
}

base::Status SimDriver::save_record(const plan::Record& record) {
  const auto fault = world_.faults.next("save_record", world_.faults.record, world_.draw());
  const auto unavailable = base::fail(base::Code::kUnavailable, "the store does not answer");
  if (fault == CallFault::kRefused || fault == CallFault::kLostRequest) return unavailable;
  if (world_.faults.record_disk_full)
    return base::fail(base::Code::kResourceExhausted, "no space left on device");
  if (memory_.record_version != world_.record.version)
    return base::fail(base::Code::kAborted, "another operator has stored a record meanwhile");
  world_.record.bytes = file(engine::encode_record(record));
  ++world_.record.version;
  if (fault == CallFault::kLostAnswer) return unavailable;
  memory_.record_version = world_.record.version;
  return {};
}

base::Status SimDriver::publish(const api::ClusterStatus& status,
                                std::span<const plan::Event> events) {
  if (world_.faults.next("publish", world_.faults.record, world_.draw()) != CallFault::kNone)
    return base::fail(base::Code::kUnavailable, "the store does not answer");
  world_.told = file(status);
  world_.events_told += events.size();
  return {};
}

base::Result<etcd::Tls> SimDriver::credentials(const api::Tls& tls) {
  if (tls.mode == api::TlsMode::kDisabled) return etcd::Tls{};
  if (world_.operator_leaf.until == base::Instant{})
    return base::fail(base::Code::kNotFound, "there is no client certificate yet");
  const std::string pem = pem_of(world_.operator_leaf);
  return etcd::Tls{"1", pem, pem, {}};
}

std::optional<api::Version> SimDriver::cluster_version(const plan::MemberRecord& member,
                                                       base::Duration /*deadline*/,
                                                       const std::stop_token& /*stop*/) {
  const Process* etcd = world_.process_of(member.name);
  if (etcd == nullptr || !etcd->is_up() || !world_.reaches(world_.places.at(member.name).machine))
    return std::nullopt;
  const int minor = etcd->state().cluster_minor;
  return minor == 0 ? std::nullopt : std::optional(api::Version{3, minor, 0, ""});
}

void SimDriver::together(std::span<const std::function<void()>> calls) {
  world_.begin_parallel();
  for (const auto& call : calls) {
    call();
    world_.next_parallel();
  }
  world_.end_parallel();
}

engine::ApplyResult SimDriver::apply(const plan::Step& step, const engine::Job& job,
                                     const std::stop_token& stop) {
  const Call call{job, stop};
  return std::visit(
      [&](const auto& action) -> Done {
        if constexpr (requires { etcd_.act(action, call); }) {
          return etcd_.act(action, call);  // its calls fail one by one
        } else {
          const auto fault =
              world_.faults.next(plan::name_of(step.action), world_.faults.acts, world_.draw());
          if (fault == CallFault::kRefused)
            return {plan::Outcome::kRefused, "the machine does not answer"};
          if (fault == CallFault::kLostRequest)
            return {plan::Outcome::kMayHaveHappened, "no answer"};
          Done result = act(action, call);
          if (fault == CallFault::kLostAnswer)
            return {plan::Outcome::kMayHaveHappened, "no answer"};
          return result;
        }
      },
      step.action);
}

}  // namespace sim
