#include "sim/stores/members.h"

#include <algorithm>
#include <utility>

#include "etcd/bolt/hashkv.h"
#include "etcd/bolt/source.h"
#include "etcd/bolt/verify.h"
#include "etcd/refusing_api.h"
#include "posix/files.h"
#include "sim/stores/database.h"

namespace sim {
namespace {

using base::Code;

constexpr bolt::SipKey kSip{.low = 1, .high = 2};
constexpr std::size_t kLargest = std::size_t{1} << 28U;

class Live final : public etcd::RefusingApi {
 public:
  Live(const World& world, std::string url, Streamed& streamed)
      : world_(world), url_(std::move(url)), streamed_(streamed) {}

  base::Result<etcd::MemberStatus> status(base::Duration) override {
    TRY(const Process* p, there());
    return world_.etcd().status(p->pid);
  }
  base::Result<std::int64_t> quorum_read(base::Duration) override {
    TRY(const Process* p, there());
    if (!world_.etcd().can_read(p->pid))
      return base::fail(Code::kUnavailable, "etcdserver: request timed out");
    return p->state().revision;
  }
  base::Result<std::vector<etcd::Alarm>> alarms(base::Duration) override {
    TRY(const Process* p, there());
    return p->state().alarms;
  }
  base::Result<etcd::Hash> hash_kv(std::int64_t revision, base::Duration) override {
    TRY(const Process* p, there());
    const State& state = p->state();
    if (revision > state.revision)
      return base::fail(Code::kUnavailable, "mvcc: required revision is a future revision");
    if (revision < state.compacted)
      return base::fail(Code::kNotFound, "mvcc: required revision has been compacted");
    const std::string bytes = database_of(state, revision, p->dir.wrong_bytes);
    const bolt::StringSource source(bytes);
    TRY(const auto database, bolt::Database::open(source, bytes.size() - bolt::kTrailer));
    TRY(const auto hash,
        bolt::hash_kv(database, {.revision = revision, .compact_revision = {}, .sip = kSip}));
    return etcd::Hash{hash.hash, hash.compact_revision, hash.revision};
  }
  base::Status snapshot(const std::function<bool(std::string_view)>& sink,
                        base::Duration) override {
    TRY(const Process* p, there());
    streamed_[url_] = snapshot_of(*p);
    const std::string bytes = database_of(p->state(), p->state().revision, p->dir.wrong_bytes);
    if (!sink(bytes)) return base::fail(Code::kCancelled, "stopped by the sink");
    return {};
  }

 private:
  base::Result<const Process*> there() const {
    const Process* p = world_.etcd().at_client_url(url_);
    if (p == nullptr || !p->is_up() || !p->ready || !world_.reaches(p->args->machine))
      return base::fail(Code::kUnavailable, url_ + ": connection refused");
    return p;
  }

  const World& world_;
  const std::string url_;
  Streamed& streamed_;
};

class OfFile final : public etcd::RefusingApi {
 public:
  OfFile(std::string bytes, std::int64_t revision)
      : bytes_(std::move(bytes)), revision_(revision) {}
  base::Result<etcd::MemberStatus> status(base::Duration) override {
    etcd::MemberStatus s;
    s.cluster_id = {1};
    s.id = s.leader = {1};
    s.version = "3.5.0";
    s.revision = revision_;
    return s;
  }
  base::Result<std::int64_t> quorum_read(base::Duration) override { return revision_; }
  base::Result<std::vector<etcd::Alarm>> alarms(base::Duration) override {
    return std::vector<etcd::Alarm>();
  }
  base::Result<etcd::Hash> hash_kv(std::int64_t revision, base::Duration) override {
    const bolt::StringSource source(bytes_);
    TRY(const auto database, bolt::Database::open(source, bytes_.size()));
    TRY(const auto hash,
        bolt::hash_kv(database, {.revision = revision, .compact_revision = {}, .sip = kSip}));
    return etcd::Hash{hash.hash, hash.compact_revision, hash.revision};
  }

 private:
  const std::string bytes_;
  const std::int64_t revision_;
};

}  // namespace

std::unique_ptr<etcd::EtcdApi> ask_member(const World& world, const std::string& url,
                                          Streamed& streamed) {
  return std::make_unique<Live>(world, url, streamed);
}

base::Result<std::unique_ptr<etcd::EtcdApi>> serve_file(const std::string& path) {
  TRY(std::string bytes, posix::read_file(path, kLargest));
  const bolt::StringSource source(bytes);
  TRY(const auto facts, bolt::verify(source, {.trailer_required = false, .hash_kv = false}));
  return std::make_unique<OfFile>(std::move(bytes), facts.revision);
}

}  // namespace sim
