#include "drivers/host/platform.h"

#include <algorithm>
#include <map>
#include <utility>

#include "drivers/host/driver.h"
#include "drivers/host/members.h"
#include "drivers/host/rebuild.h"
#include "drivers/host/shared.h"
#include "drivers/host/tombs.h"
#include "engine/record_codec.h"
#include "posix/files.h"
#include "posix/process.h"
#include "posix/wakeup.h"

namespace host {

void WatchList::learn(const plan::Record& record) {
  std::vector<std::string> names;
  for (const auto& [name, member] : record.members) names.push_back(name);
  const std::lock_guard lock(mutex_);
  members_[record.key] = std::move(names);
}

void WatchList::forget(const base::ClusterKey& key) {
  const std::lock_guard lock(mutex_);
  members_.erase(key);
}

void LongWork::tell(const base::ClusterKey& key, std::string words) {
  const std::lock_guard lock(mutex_);
  words_[key] = std::move(words);
}

void LongWork::end(const base::ClusterKey& key) {
  const std::lock_guard lock(mutex_);
  words_.erase(key);
}

std::string LongWork::of(const base::ClusterKey& key) const {
  const std::lock_guard lock(mutex_);
  const auto found = words_.find(key);
  return found == words_.end() ? std::string() : found->second;
}

std::map<base::ClusterKey, std::vector<std::string>> WatchList::members() const {
  const std::lock_guard lock(mutex_);
  return members_;
}

namespace {

constexpr size_t kRecordLimit = size_t{16} << 20;
// A look costs two stat() a member; the locks, which are a little dearer, are tried less often.
constexpr base::Duration kLook{200};
constexpr int kLocksEvery = 5;

// What a guard's files looked like.
struct Trace {
  std::array<std::pair<std::uint64_t, base::Instant>, 2> files;
  bool alive = false;
  bool operator==(const Trace&) const = default;
};

class HostPlatform final : public Platform {
 public:
  HostPlatform(const PlatformOptions& options, const base::Clock& clock, base::Random& random,
               base::Logger& log, live::Connect connect, std::string boot_id, posix::FileLock lock,
               std::unique_ptr<Spawner> spawner)
      : lock_(std::move(lock)),
        shared_{options,
                clock,
                random,
                log,
                Layout(options.state_dir),
                std::move(connect),
                std::move(boot_id),
                Binaries(options.etcd_dir),
                PortBook(options.ports),
                {},
                Fetcher(options, clock, log),
                std::move(spawner),
                [](const base::ClusterKey&) {
                  return base::Fact<api::Secret>::unknown("the manifests are not read here");
                }} {}

  base::Status learn_all() {
    remove_all_buried(shared_.layout, shared_.log);
    TRY(const auto keys, clusters());
    for (const auto& key : keys) {
      const auto bytes = posix::read_file(files(key).record, kRecordLimit);
      const auto record = bytes ? engine::decode_record(*bytes) : std::unexpected(bytes.error());
      if (record && record->key == key) {
        shared_.ports.learn(*record);
        shared_.watch_list.learn(*record);
      } else {
        // Its members may be put back, and then need the ports that they had.
        shared_.ports.hold(key, ports_on_disk(shared_.layout, key));
      }
    }
    return {};
  }

  [[nodiscard]] base::Result<std::vector<base::ClusterKey>> clusters() const override {
    return list_clusters(shared_.layout);
  }

  [[nodiscard]] ClusterFiles files(const base::ClusterKey& key) const override {
    return shared_.layout.cluster(key);
  }

  void use_secrets(SecretSource secrets) override { shared_.secrets = std::move(secrets); }

  [[nodiscard]] std::unique_ptr<engine::Driver> driver(const base::ClusterKey& key) override {
    return std::make_unique<HostDriver>(shared_, key);
  }

  [[nodiscard]] base::Result<Connection> connection(const base::ClusterKey& key) const override {
    const ClusterFiles of = files(key);
    const PkiFiles pki = pki_files(of);
    if (posix::exists(pki.published) != base::Fact<bool>(true))
      return base::fail(base::Code::kNotFound, key.text() + " is not open to clients yet");
    TRY(const std::string bytes, posix::read_file(of.record, kRecordLimit));
    TRY(const plan::Record record, engine::decode_record(bytes));
    Connection out;
    for (const auto& [name, member] : record.members)
      if (member.phase == plan::Phase::kVoter) out.endpoints.push_back(member.addresses.client_url);
    const bool tls = std::ranges::any_of(
        out.endpoints, [](const std::string& url) { return url.starts_with("https:"); });
    if (tls) {
      out.cacert = pki.user_ca;
      out.cert = pki.user_cert;
      out.key = pki.user_key;
    }
    return out;
  }

  [[nodiscard]] std::string long_work(const base::ClusterKey& key) const override {
    return shared_.long_work.of(key);
  }

  void forget(const base::ClusterKey& key) override { shared_.watch_list.forget(key); }

  void watch(const std::function<void(const base::ClusterKey&)>& changed,
             const std::stop_token& stop) override {
    std::map<std::string, Trace> before;  // by member directory
    unsigned fetched = shared_.fetcher.ended();
    for (int round = 0; !stop.stop_requested(); ++round) {
      const bool locks = round % kLocksEvery == 0;
      const unsigned now_fetched = shared_.fetcher.ended();
      for (const auto& [key, names] : shared_.watch_list.members()) {
        bool news = now_fetched != fetched;
        for (const auto& name : names) news = look(key, name, locks, before) || news;
        if (news) changed(key);
      }
      fetched = now_fetched;
      (void)posix::poll_until({}, posix::deadline_in(kLook), stop);
    }
  }

 private:
  // True if the member's files are others than at the last look.
  bool look(const base::ClusterKey& key, const std::string& name, bool locks,
            std::map<std::string, Trace>& before) const {
    const MemberFiles of = shared_.layout.member(key, name);
    auto& known = before[of.dir];
    Trace now = known;
    size_t i = 0;
    for (const auto* file : {&of.state, &of.verdict}) {
      const auto info = posix::file_info(*file);
      now.files.at(i++) = info ? std::pair(info->inode, info->modified)
                               : std::pair(std::uint64_t{0}, base::Instant{});
    }
    if (locks) now.alive = is_alive(of) == base::Fact<bool>(true);
    const bool news = !(now == known);
    known = now;
    return news;
  }

  posix::FileLock lock_;
  Shared shared_;
};

// A command that works without an operator holds it for a moment; another operator does for good.
base::Result<posix::FileLock> take_lock(const std::string& path) {
  constexpr int kTries = 60;  // of 50 ms
  auto lock = posix::FileLock::try_lock(path);
  for (int i = 1; i < kTries; ++i) {
    if (lock || lock.error().code != base::Code::kFailedPrecondition) break;
    lock = posix::FileLock::try_lock(path);
  }
  return lock;
}

}  // namespace

base::Result<std::unique_ptr<Platform>> Platform::open(const PlatformOptions& options,
                                                       const base::Clock& clock,
                                                       base::Random& random, base::Logger& log) {
  TRY_OK(posix::make_dirs(options.state_dir));
  auto lock = take_lock(options.state_dir + "/lock");
  if (!lock && lock.error().code == base::Code::kFailedPrecondition)
    return std::unexpected(lock.error().in("another operator works on " + options.state_dir));
  if (!lock) return std::unexpected(lock.error().in("take the lock of the state directory"));
  TRY(std::string boot, posix::boot_id());
  TRY(auto spawner, make_spawner(options.supervisor));
  auto platform =
      std::make_unique<HostPlatform>(options, clock, random, log, &etcd::connect, std::move(boot),
                                     std::move(*lock), std::move(spawner));
  TRY_OK(platform->learn_all());
  return platform;
}

}  // namespace host
