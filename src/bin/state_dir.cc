#include "bin/state_dir.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <utility>

#include "base/text.h"
#include "bin/commands.h"
#include "drivers/host/binaries.h"
#include "drivers/host/layout.h"
#include "drivers/host/members.h"
#include "drivers/host/tombs.h"
#include "engine/record_codec.h"
#include "json/json.h"
#include "manager/event_log.h"
#include "manager/manager.h"
#include "manager/saved_intent.h"
#include "posix/clock.h"
#include "posix/env.h"
#include "posix/errors.h"
#include "posix/files.h"
#include "posix/lock.h"
#include "posix/output_file.h"
#include "posix/process.h"
#include "posix/wakeup.h"

namespace bin {
namespace {

constexpr size_t kFileBytes = size_t{16} << 20, kIntentBytes = size_t{32} << 20;
constexpr base::Duration kStopDeadline{60'000}, kLockDeadline{5'000}, kPoll{50};
constexpr size_t kStopsAtOnce = 32;

base::Result<std::vector<base::ClusterKey>> clusters(const host::Layout& layout,
                                                     const MaybeKey& key) {
  if (const auto there = posix::file_info(layout.root()); !there)
    return std::unexpected(there.error().in("--state"));
  TRY(auto out, host::list_clusters(layout));
  if (key) std::erase_if(out, [&](const base::ClusterKey& other) { return other != *key; });
  if (key && out.empty())
    return base::fail(base::Code::kNotFound,
                      fmt::format("there is no cluster {} in {}", key->text(), layout.root()));
  return out;
}

// Every folder of a member counts, also those that no record names.
base::Result<std::vector<host::MemberFiles>> members(const host::Layout& layout,
                                                     const MaybeKey& key) {
  std::vector<host::MemberFiles> out;
  TRY(const auto keys, clusters(layout, key));
  for (const auto& cluster : keys) {
    const auto names = posix::list_dir(layout.cluster(cluster).members);
    if (!names && names.error().code != base::Code::kNotFound)
      return std::unexpected(names.error());
    for (const auto& name : names ? *names : std::vector<std::string>())
      out.push_back(layout.member(cluster, name));
  }
  return out;
}

bool runs(const host::MemberFiles& member) {
  const auto alive = host::is_alive(member);
  return alive.is_unknown() || (alive.known() && *alive);
}

base::Result<posix::FileLock> wait_for_lock(const std::string& file, const std::stop_token& stop) {
  const auto until = posix::deadline_in(kLockDeadline);
  for (;;) {
    auto lock = posix::FileLock::try_lock(file);
    if (lock || lock.error().code != base::Code::kFailedPrecondition) return lock;
    if (posix::deadline_in({}) >= until || stop.stop_requested())
      return base::fail(base::Code::kFailedPrecondition,
                        "another operator holds " + file + " and does not answer: end it first");
    static_cast<void>(posix::poll_until({}, posix::deadline_in(kPoll), stop));
  }
}

// What the operator that is started next will find commanded. The caller holds the operator's lock.
base::Status keep(const host::Layout& layout, const base::ClusterKey& key,
                  const Commanded& command) {
  const auto file = layout.cluster(key).intent;
  const auto bytes = posix::read_file(file, kIntentBytes);
  if (!bytes && bytes.error().code == base::Code::kNotFound)
    return base::fail(base::Code::kFailedPrecondition,
                      "no operator has ever stored what is wanted of " + key.text());
  if (!bytes) return std::unexpected(bytes.error());
  TRY_IN(file, auto saved, manager::decode_saved_intent(*bytes));
  if (command.stopped) saved.stop = *command.stopped;
  if (command.paused) saved.paused = *command.paused;
  // Who commands need not be who runs the operator, and that one has to read it.
  TRY(auto out, posix::OutputFile::create(file));
  TRY_OK(out.give_to_owner_of_dir());
  TRY_OK(out.write(manager::encode(saved)));
  return out.commit();
}

std::string text_of(const json::Value& value, std::string_view path) {
  const auto text = json::get_string(value, path);
  return text ? *text : std::string();
}

std::vector<std::string> endpoints_of(const json::Value& connection) {
  std::vector<std::string> out;
  const auto* list = connection.find("endpoints");
  if (list != nullptr && list->if_array() != nullptr)
    for (const auto& url : *list->if_array())
      if (url.if_string() != nullptr) out.push_back(*url.if_string());
  return out;
}

std::vector<std::pair<std::string, std::string>> variables(const json::Value& connection) {
  // No ETCDCTL_API: 3 is what every version since 3.4 takes by itself, and newer ones warn of it.
  std::vector<std::pair<std::string, std::string>> out{
      {"ETCDCTL_ENDPOINTS", base::join(endpoints_of(connection), ",")}};
  for (const auto& [name, path] :
       {std::pair{"ETCDCTL_CACERT", "cacert"}, std::pair{"ETCDCTL_CERT", "cert"},
        std::pair{"ETCDCTL_KEY", "key"}})
    if (auto file = text_of(connection, path); !file.empty())
      out.emplace_back(name, std::move(file));
  return out;
}

// As execve() takes them; it lives no longer than the words.
std::vector<char*> ended_by_null(std::vector<std::string>& words) {
  std::vector<char*> out;
  for (auto& word : words) out.push_back(word.data());
  out.push_back(nullptr);
  return out;
}

}  // namespace

base::Result<json::Value> written_status(const std::string& state_dir, const MaybeKey& key) {
  const host::Layout layout(state_dir);
  TRY(const auto keys, clusters(layout, key));
  const posix::SystemClock clock;
  json::Array items;
  std::optional<base::Instant> newest;
  for (const auto& cluster : keys) {
    const auto file = layout.cluster(cluster).status;
    json::Object item{
        {"metadata", json::Object{{"name", cluster.name}, {"namespace", cluster.ns}}}};
    item["status"] = json::Object{{"phase", "Unknown"}};
    if (const auto text = posix::read_file(file, kFileBytes))
      if (auto status = json::parse(*text); status && status->if_object() != nullptr)
        item["status"] = std::move(*status);
    if (const auto info = posix::file_info(file); info && (!newest || info->modified > *newest))
      newest = info->modified;
    items.push_back(std::move(item));
  }
  const auto age = newest ? base::to_text(std::chrono::duration_cast<std::chrono::seconds>(
                                std::max(base::Duration{0}, clock.now() - *newest)))
                          : std::string();
  return json::Value(
      json::Object{{"items", std::move(items)},
                   {"problems", json::Array{}},
                   {"note", "no operator runs here: nobody looks after these clusters" +
                                (age.empty() ? "; no status was ever written"
                                             : "; this is what was written " + age + " ago")}});
}

base::Result<json::Value> written_events(const std::string& state_dir, const MaybeKey& key,
                                         size_t limit) {
  const host::Layout layout(state_dir);
  TRY(const auto keys, clusters(layout, key));
  json::Array all;
  for (const auto& cluster : keys) {
    TRY(auto some, manager::read_events(layout.cluster(cluster).events, cluster, limit));
    std::ranges::move(some, std::back_inserter(all));
  }
  return json::Value(std::move(all));
}

base::Status wait_until_down(const std::string& state_dir, const MaybeKey& key,
                             const std::stop_token& stop) {
  const host::Layout layout(state_dir);
  const auto until = posix::deadline_in(kStopDeadline);
  for (;;) {
    TRY(const auto all, members(layout, key));
    const auto left = std::ranges::count_if(all, runs);
    if (left == 0) return {};
    if (stop.stop_requested()) return base::fail(base::Code::kCancelled, "asked to stop");
    if (posix::deadline_in({}) >= until)
      return base::fail(
          base::Code::kDeadlineExceeded,
          fmt::format("{} of {} members still run; `status` says why", left, all.size()));
    static_cast<void>(posix::poll_until({}, posix::deadline_in(kPoll), stop));
  }
}

base::Result<size_t> stop_guards(const std::string& state_dir, const MaybeKey& key,
                                 const std::stop_token& stop) {
  const host::Layout layout(state_dir);
  TRY(const auto lock, wait_for_lock(layout.lock(), stop));
  TRY(auto all, members(layout, key));  // after the lock: nobody adds one now
  // First, so that a member is never stopped and then started by the next operator.
  base::Status kept;
  if (key) kept = keep(layout, *key, {.stopped = true, .paused = {}});
  TRY(const auto boot_id, posix::boot_id());
  std::erase_if(all, [](const auto& member) { return !runs(member); });
  std::atomic<size_t> next = 0;
  std::mutex mutex;
  base::Status result;  // the first that failed; guarded by mutex
  {
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < std::min(all.size(), kStopsAtOnce); ++i)
      threads.emplace_back([&] {
        for (size_t at = next++; at < all.size(); at = next++) {
          const auto stopped = host::stop_guard(all[at], boot_id, kStopDeadline, stop);
          const std::lock_guard guard(mutex);
          if (!stopped && result) result = std::unexpected(stopped.error().in(all[at].dir));
        }
      });
  }
  if (!result) return std::unexpected(result.error());
  if (!kept)
    return std::unexpected(kept.error().in(
        "no member runs any more, but an operator that is started will start them again"));
  return all.size();
}

base::Status command_offline(const std::string& state_dir, const base::ClusterKey& key,
                             const Commanded& command, const std::stop_token& stop) {
  const host::Layout layout(state_dir);
  TRY_OK(clusters(layout, key));
  TRY(const auto lock, wait_for_lock(layout.lock(), stop));
  return keep(layout, key, command);
}

std::string etcdctl_environment(const json::Value& connection) {
  std::string out;
  for (const auto& [name, value] : variables(connection))
    out += fmt::format("export {}='{}'\n", name, value);
  return out;
}

int run_etcdctl(const std::string& state_dir, const base::ClusterKey& key,
                const json::Value& connection, const std::vector<std::string>& args) {
  const auto bytes = posix::read_file(host::Layout(state_dir).cluster(key).record, kFileBytes);
  if (!bytes) return report(bytes.error());
  const auto record = engine::decode_record(*bytes);
  if (!record) return report(record.error());
  std::string etcd_dir;
  if (const auto about = posix::read_file(manager::about_file(state_dir), kFileBytes))
    if (const auto value = json::parse(*about)) etcd_dir = text_of(*value, "etcdDir");
  const auto programs = host::Binaries(etcd_dir).find(record->version, {});
  if (!programs) return report(programs.error());
  if (programs->etcdctl.empty())
    return report({base::Code::kNotFound, "there is no etcdctl beside " + programs->etcd});
  std::vector<std::string> environment = posix::environment();
  for (const auto& [name, value] : variables(connection)) {
    std::erase_if(environment, [&](const auto& word) { return word.starts_with(name + "="); });
    environment.push_back(fmt::format("{}={}", name, value));
  }
  std::vector<std::string> words{programs->etcdctl};
  words.insert(words.end(), args.begin(), args.end());
  auto argv = ended_by_null(words), envp = ended_by_null(environment);
  sigset_t none;
  sigemptyset(&none);
  ::pthread_sigmask(SIG_SETMASK, &none, nullptr);  // ours would pass to it
  ::execve(argv[0], argv.data(), envp.data());
  return report(posix::from_errno(errno, words[0]));
}

}  // namespace bin
