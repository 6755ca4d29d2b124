#include "drivers/host/driver.h"

#include <fmt/format.h>

#include <thread>

#include "drivers/host/members.h"
#include "drivers/host/metrics_page.h"
#include "drivers/host/rebuild.h"
#include "drivers/host/tombs.h"
#include "engine/record_codec.h"
#include "json/json.h"
#include "posix/files.h"
#include "posix/rotating_file.h"

namespace host {
namespace {

constexpr size_t kRecordLimit = size_t{16} << 20;
constexpr int kMostDamaged = 9;  // the last of them is replaced

}  // namespace

base::Result<etcd::Tls> Around::credentials(const api::Tls& tls) {
  return certificates_.operator_tls(tls);
}

std::optional<api::Version> Around::cluster_version(const plan::MemberRecord& member,
                                                    base::Duration deadline,
                                                    const std::stop_token& stop) {
  const auto page = get_page(member.addresses.metrics_url, "/metrics", deadline, stop);
  return page ? cluster_version_in(*page) : std::nullopt;
}

void Around::together(std::span<const std::function<void()>> calls) {
  std::vector<std::jthread> threads;
  for (size_t i = 1; i < calls.size(); ++i) threads.emplace_back([&call = calls[i]] { call(); });
  if (!calls.empty()) calls[0]();
}

HostDriver::HostDriver(Shared& shared, base::ClusterKey key)
    : shared_(shared),
      key_(std::move(key)),
      files_(shared.layout.cluster(key_)),
      certificates_(files_, shared.clock),
      around_(certificates_),
      etcd_(shared.connect, around_, shared.clock) {}

base::Result<engine::Loaded> HostDriver::load_record() {
  engine::Loaded loaded;
  loaded.record.key = key_;
  const auto bytes = posix::read_file(files_.record, kRecordLimit);
  if (!bytes && bytes.error().code == base::Code::kNotFound) return load_ended();
  if (!bytes) return std::unexpected(bytes.error());
  auto record = engine::decode_record(*bytes);
  if (!record && record.error().code == base::Code::kUnimplemented) {
    loaded.state = plan::RecordState::kTorn;
    loaded.problem = files_.record + ": " + record.error().message;
    return loaded;
  }
  if (record && record->key != key_)
    record = base::fail(base::Code::kDataLoss, "the record is of cluster " + record->key.text());
  if (!record) {
    // Only what the files of every member agree on is put together again; nothing is guessed.
    auto rebuilt = rebuild_record(shared_.layout, key_);
    if (!rebuilt) {
      loaded.state = plan::RecordState::kTorn;
      loaded.problem = files_.record + ": " + record.error().message +
                       "; it was not rebuilt: " + rebuilt.error().message +
                       "; put the file back from a copy, or move it away together with the data of "
                       "its members";
      return loaded;
    }
    shared_.log.warning("record_rebuilt",
                        {{"cluster", key_.text()}, {"why", record.error().message}});
    record = std::move(rebuilt);
    damaged_ = *bytes;
  }
  loaded.state = plan::RecordState::kOk;
  loaded.record = std::move(*record);
  shared_.ports.learn(loaded.record);
  shared_.watch_list.learn(loaded.record);
  return loaded;
}

// Without a record there is no cluster, but there may have been one of this name. Where members
// are, the record was lost, and what an earlier cluster left is not theirs.
base::Result<engine::Loaded> HostDriver::load_ended() const {
  engine::Loaded loaded;
  loaded.record.key = key_;
  const auto members = posix::exists(files_.members);
  if (!members.known()) return base::fail(base::Code::kUnavailable, members.why());
  if (*members) return loaded;
  auto rest = load_rest(shared_.layout, key_);
  if (!rest && rest.error().code == base::Code::kNotFound) return loaded;
  if (!rest) return std::unexpected(rest.error());
  loaded.state = plan::RecordState::kOk;
  loaded.record = std::move(*rest);
  return loaded;
}

base::Status HostDriver::save_record(const plan::Record& record) {
  ended_ = is_rest(record) && posix::exists(files_.dir) == base::Fact<bool>(false);
  if (ended_) return save_rest(shared_.layout, record);
  TRY_OK(shared_.ports.claim(record));
  TRY_OK(posix::make_dirs(files_.dir));
  TRY_OK(keep_damaged());
  TRY_OK(posix::write_atomic(files_.record, engine::encode_record(record)));
  TRY_OK(posix::remove_file(shared_.layout.ended(key_)));  // the record says it from now on
  shared_.ports.learn(record);
  shared_.watch_list.learn(record);
  return {};
}

// Not moved away when it was read: without a record a new cluster would begin.
base::Status HostDriver::keep_damaged() {
  if (!damaged_) return {};
  std::string to;
  for (int i = 1; i <= kMostDamaged; ++i) {
    to = fmt::format("{}.damaged-{}", files_.record, i);
    const auto there = posix::exists(to);
    if (!there.is_unknown() && (there.is_absent() || !*there)) break;
  }
  TRY_OK(posix::write_atomic(to, *damaged_));
  shared_.log.info("damaged_record_kept", {{"cluster", key_.text()}, {"file", to}});
  damaged_.reset();
  return {};
}

base::Status HostDriver::publish(const api::ClusterStatus& status,
                                 std::span<const plan::Event> events) {
  if (ended_) return {};  // nobody looks for it any more, and its folder must not come back
  TRY_OK(posix::make_dirs(files_.dir));
  // First, because only a status is written anew whatever becomes of this one.
  TRY_OK(append(events));
  if (shared_.options.status_text)
    TRY_OK(posix::write_atomic(files_.status, shared_.options.status_text(key_, status)));
  appended_ = 0;
  return {};
}

base::Status HostDriver::append(std::span<const plan::Event> events) {
  posix::RotatingFile log(files_.events, {std::uint64_t{256} << 10, 1, 0600});
  for (; appended_ < events.size(); ++appended_) {
    const auto& event = events[appended_];
    const json::Object line{{"time", base::to_rfc3339(shared_.clock.now())},
                            {"type", event.warning ? "Warning" : "Normal"},
                            {"reason", plan::name_of(event.reason)},
                            {"message", event.message}};
    TRY_OK(log.append(json::print(line)));
  }
  return {};
}

void HostDriver::take_certificates(const engine::Job& job) {
  certificates_.set_record(job.record);
  const api::Tls& tls = job.intent.cluster.spec.tls;
  if (tls.provider != api::TlsProvider::kUserSecrets) return certificates_.set_own();
  std::vector<MemberFiles> members;
  for (const auto& [name, member] : job.record.members)
    if (member.phase != plan::Phase::kRetired && member.phase != plan::Phase::kSurvivor)
      members.push_back(files_of(name));
  certificates_.set_users(
      read_user_certificates(tls, key_.ns, shared_.secrets, shared_.clock.now()), members);
}

engine::ApplyResult HostDriver::apply(const plan::Step& step, const engine::Job& job,
                                      const std::stop_token& stop) {
  const Call call{job, stop};
  take_certificates(job);
  return std::visit(
      [&](const auto& action) {
        if constexpr (requires { etcd_.act(action, call); })
          return etcd_.act(action, call);
        else
          return act(action, call);
      },
      step.action);
}

}  // namespace host
