#include "adm/kubelet.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "drivers/host/members.h"
#include "guard/files.h"
#include "pki/random.h"
#include "posix/files.h"
#include "posix/wakeup.h"

namespace adm {
namespace {

using base::Code;

constexpr size_t kLimit = size_t{1} << 20, kStartBytes = 8;
constexpr base::Duration kPoll{50};
// It may look at its folder every 20 s only, and gives the guard a minute.
constexpr base::Duration kKubeletTakes{90'000};
constexpr std::string_view kOurs = "app.kubernetes.io/managed-by: etcdadm\n";

std::string manifest_of(const Host& host) {
  return host.manifest_dir + "/" + kManifest;
}

// Absent: there is none. FailedPrecondition: somebody else's has the name.
base::Result<std::optional<std::string>> present(const std::string& file) {
  auto text = posix::read_file(file, kLimit);
  if (!text && text.error().code == Code::kNotFound) return std::optional<std::string>();
  if (!text) return std::unexpected(text.error());
  if (text->find(kOurs) == std::string::npos)
    return base::fail(Code::kFailedPrecondition,
                      fmt::format("{} is there and is not of etcdadm: nothing was changed; move it "
                                  "away, or give another --kubelet-pod-manifest-path",
                                  file));
  return std::optional(*std::move(text));
}

std::string start_in(const std::string& text) {
  const std::string key = std::string(kStartAnnotation) + ": ";
  const auto at = text.find(key);
  if (at == std::string::npos) return {};
  const auto from = at + key.size();
  return text.substr(from, text.find('\n', from) - from);
}

class Kubelet final : public Service {
 public:
  Kubelet(const Host& host, const Places& places, base::Duration settle)
      : host_(host),
        places_(places),
        settle_(settle),
        manifest_(manifest_of(host)),
        kept_(places.state_dir + "/" + kManifest),
        files_(places.member_files()) {}

  base::Status start(base::Duration /*deadline*/, const std::stop_token& /*stop*/) override {
    TRY_OK(check_manifests(host_));
    TRY(const auto there, present(manifest_));
    if (there) {
      TRY(const auto same, static_pod_text(host_, places_, start_in(*there)));
      if (same == *there) return {};
    }
    if (host::is_alive(files_) != base::Fact<bool>(true)) {
      // Of an earlier life: they must not be taken for this one's.
      TRY_OK(posix::remove_file(files_.verdict));
      TRY_OK(posix::remove_file(files_.state));
    }
    TRY(const auto random, pki::random_hex(kStartBytes));
    TRY(const auto text, static_pod_text(host_, places_, "s" + random));
    return posix::write_atomic(manifest_, text);
  }

  // The guard has the member's lock, and etcd inherits it: when it is free nothing of the pod runs.
  base::Status stop(base::Duration deadline, const std::stop_token& stop) override {
    TRY(const auto there, present(manifest_));
    if (there) {
      // Kept, as a person may have written into it.
      TRY_OK(posix::write_atomic(kept_, *there));
      TRY_OK(posix::remove_file(manifest_));
    }
    const auto until = posix::deadline_in(deadline + kKubeletTakes);
    auto quiet = posix::deadline_in(there ? settle_ : base::Duration{});
    for (;;) {
      const auto alive = host::is_alive(files_);
      if (alive.is_unknown()) return base::fail(Code::kUnavailable, alive.why());
      if (alive == base::Fact<bool>(true))
        quiet = posix::deadline_in(settle_);
      else if (was_told_to_end() || posix::deadline_in({}) >= quiet)
        return {};
      if (stop.stop_requested()) return base::fail(Code::kCancelled, "asked to stop");
      if (posix::deadline_in({}) >= until)
        return base::fail(
            Code::kDeadlineExceeded,
            fmt::format("{} was moved to {}, and the pod runs on: is the kubelet well? {}",
                        manifest_, kept_, kKubeletHint));
      (void)posix::poll_until({}, posix::deadline_in(kPoll), stop);
    }
  }

  base::Status retire(base::Duration deadline, const std::stop_token& stop_token) override {
    return stop(deadline, stop_token);
  }

  base::Status prepare() override {
    return base::fail(Code::kUnimplemented, "--init-system kubelet: none that runs is taken over");
  }

  base::Status forget() override {
    TRY(const auto there, present(manifest_));
    if (there) TRY_OK(posix::remove_file(manifest_));
    return posix::remove_file(kept_);
  }

 private:
  // Else the guard ended by itself, and the kubelet starts what ends.
  [[nodiscard]] bool was_told_to_end() const {
    const auto bytes = posix::read_file(files_.verdict, kLimit);
    if (!bytes) return false;
    const auto verdict = guard::decode_verdict(*bytes);
    return verdict && verdict->klass == guard::Class::kStopped;
  }

  const Host host_;
  const Places places_;
  const base::Duration settle_;
  const std::string manifest_, kept_;
  const host::MemberFiles files_;
};

}  // namespace

base::Status check_manifests(const Host& host) {
  const auto folder = posix::file_info(host.manifest_dir);
  if (!folder && folder.error().code != Code::kNotFound) return std::unexpected(folder.error());
  if (!folder || !folder->directory)
    return base::fail(Code::kFailedPrecondition,
                      fmt::format("--init-system kubelet: there is no folder {}; is a kubelet set "
                                  "up here? --kubelet-pod-manifest-path names its staticPodPath",
                                  host.manifest_dir));
  TRY_OK(present(manifest_of(host)));
  return {};
}

std::unique_ptr<Service> kubelet_service(const Host& host, const Places& places,
                                         base::Duration settle) {
  return std::make_unique<Kubelet>(host, places, settle);
}

}  // namespace adm
