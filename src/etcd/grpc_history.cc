#include <fmt/format.h>
#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/support/async_stream.h>

#include <deque>
#include <utility>

#include "etcd/errors.h"
#include "etcd/grpc_link.h"
#include "etcd/history_api.h"

namespace etcd {
namespace {

namespace pb = etcdserverpb;
using base::Code;

std::unexpected<base::Error> fail_read(const grpc::Status& status) {
  return std::unexpected(
      judge(Call::kRead, static_cast<GrpcCode>(status.error_code()), status.error_message()).error);
}

gpr_timespec after(base::Duration time) {
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                      gpr_time_from_millis(std::max<long long>(time.count(), 0), GPR_TIMESPAN));
}

// One read and one write are under way at most, so that what we do not take stays with the member.
class GrpcWatch final : public Watch {
 public:
  explicit GrpcWatch(std::shared_ptr<Link> link) : link_(std::move(link)), stub_(link_->channel) {}
  ~GrpcWatch() override {
    context_.TryCancel();
    queue_.Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) {
    }
  }

  base::Status begin(std::int64_t from, gpr_timespec until) {
    context_.AddMetadata("hasleader", "true");
    stream_ = stub_.PrepareAsyncWatch(&context_, &queue_);
    stream_->StartCall(tag(Tag::kStart));
    TRY(const bool started, wait(Tag::kStart, until));
    if (!started) return ended();
    pb::WatchRequest request;
    auto& create = *request.mutable_create_request();
    create.set_key(std::string(1, '\0'));
    create.set_range_end(std::string(1, '\0'));
    create.set_start_revision(from);
    create.set_fragment(true);
    create.set_progress_notify(true);
    stream_->Write(request, tag(Tag::kWrite));
    writing_ = true;
    read();
    while (!created_) {
      TRY(const bool came, wait(Tag::kRead, until));
      if (!came) return ended();
      if (part_.canceled()) return canceled();
      created_ = part_.created();
      read();
    }
    return {};
  }

  base::Result<std::optional<Batch>> next(base::Duration time) override {
    for (const auto until = after(time);;) {
      void* got = nullptr;
      bool ok = false;
      switch (queue_.AsyncNext(&got, &ok, until)) {
        case grpc::CompletionQueue::TIMEOUT:
          return std::nullopt;
        case grpc::CompletionQueue::SHUTDOWN:
          return base::fail(Code::kUnavailable, "the watch has ended");
        case grpc::CompletionQueue::GOT_EVENT:
          break;
      }
      if (got == tag(Tag::kWrite)) {
        writing_ = false;
        continue;
      }
      if (!ok) return ended();
      if (part_.canceled()) return canceled();
      TRY(auto batch, take());
      read();
      if (batch) return batch;
    }
  }

  void ask_progress() override {
    if (writing_) return;
    pb::WatchRequest request;
    request.mutable_progress_request();
    stream_->Write(request, tag(Tag::kWrite));
    writing_ = true;
  }
  [[nodiscard]] std::int64_t compacted() const override { return compacted_; }

 private:
  enum class Tag : std::uintptr_t { kStart = 1, kRead, kWrite, kFinish };
  static void* tag(Tag which) { return reinterpret_cast<void*>(which); }

  void read() {
    part_.Clear();
    stream_->Read(&part_, tag(Tag::kRead));
  }

  // DeadlineExceeded: it did not come.
  base::Result<bool> wait(Tag which, gpr_timespec until) {
    for (;;) {
      void* got = nullptr;
      bool ok = false;
      if (queue_.AsyncNext(&got, &ok, until) != grpc::CompletionQueue::GOT_EVENT)
        return base::fail(Code::kDeadlineExceeded, "no answer to a watch in time");
      if (got == tag(Tag::kWrite)) writing_ = false;
      if (got == tag(which)) return ok;
    }
  }

  // A response may be cut into fragments, in the midst of a revision.
  base::Result<std::optional<Batch>> take() {
    for (auto& event : *part_.mutable_events())
      joined_.events.push_back(
          {.deleted = event.type() == 1, .kv = std::move(*event.mutable_kv())});
    if (part_.fragment()) return std::nullopt;
    joined_.revision = part_.header().revision();
    joined_.cluster_id = {part_.header().cluster_id()};
    return std::exchange(joined_, {});
  }

  std::unexpected<base::Error> canceled() {
    compacted_ = part_.compact_revision();
    if (compacted_ > 0)
      return base::fail(Code::kNotFound,
                        fmt::format("history before revision {} is compacted", compacted_));
    return base::fail(Code::kUnavailable,
                      fmt::format("etcd ends the watch: {}", part_.cancel_reason()));
  }

  std::unexpected<base::Error> ended() {
    grpc::Status status;
    stream_->Finish(&status, tag(Tag::kFinish));
    if (!wait(Tag::kFinish, after(base::Duration(1000))))
      return base::fail(Code::kUnavailable, "the watch has ended");
    if (status.ok()) return base::fail(Code::kUnavailable, "the member ended the watch");
    return fail_read(status);
  }

  std::shared_ptr<Link> link_;
  pb::Watch::Stub stub_;
  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::ClientAsyncReaderWriter<pb::WatchRequest, pb::WatchResponse>> stream_;
  pb::WatchResponse part_;
  Batch joined_;
  bool writing_ = false, created_ = false;
  std::int64_t compacted_ = 0;
};

class GrpcHistory final : public HistoryApi {
 public:
  GrpcHistory(const std::string& endpoint, const Tls& tls) : linker_(endpoint, tls) {}

  base::Result<std::unique_ptr<Watch>> watch(std::int64_t from, base::Duration deadline) override {
    const auto until = after(deadline);
    auto link = linker_.connected(until);
    if (!link) return fail_read(link.error());
    auto watch = std::make_unique<GrpcWatch>(*std::move(link));
    TRY_OK(watch->begin(from, until));
    return watch;
  }

  base::Result<std::optional<std::int64_t>> granted_ttl(std::int64_t lease,
                                                        base::Duration deadline) override {
    pb::LeaseTimeToLiveRequest request;
    request.set_id(lease);
    pb::LeaseTimeToLiveResponse response;
    TRY_OK(call<pb::Lease::Stub>(&pb::Lease::Stub::LeaseTimeToLive, request, response, deadline));
    if (response.ttl() < 0 || response.grantedttl() <= 0) return std::nullopt;
    return response.grantedttl();
  }

  base::Result<AuthState> auth(base::Duration deadline) override {
    pb::AuthStatusResponse response;
    TRY_OK(call<pb::Auth::Stub>(&pb::Auth::Stub::AuthStatus, pb::AuthStatusRequest(), response,
                                deadline));
    return AuthState{.enabled = response.enabled(),
                     .revision = response.authrevision(),
                     .store_revision = response.header().revision()};
  }

 private:
  template <class Stub, class Method, class Request, class Response>
  base::Status call(Method method, const Request& request, Response& response,
                    base::Duration deadline) {
    const auto until = after(deadline);
    const auto link = linker_.connected(until);
    if (!link) return fail_read(link.error());
    grpc::ClientContext context;
    context.set_deadline(until);
    Stub stub((*link)->channel);
    const auto status = (stub.*method)(&context, request, &response);
    if (!status.ok()) return fail_read(status);
    return {};
  }

  Linker linker_;
};

}  // namespace

std::unique_ptr<HistoryApi> connect_history(const std::string& endpoint, const Tls& tls) {
  return std::make_unique<GrpcHistory>(endpoint, tls);
}

}  // namespace etcd
