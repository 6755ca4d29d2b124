// `plan` without an operator: from a manifest alone, or with the state directory as it is.
#include <fmt/format.h>

#include "api/manifest.h"
#include "base/text.h"
#include "bin/commands.h"
#include "drivers/host/platform.h"
#include "engine/reconciler.h"
#include "manager/intents.h"
#include "manager/table.h"
#include "manager/views.h"
#include "posix/clock.h"
#include "posix/files.h"
#include "posix/logger.h"

namespace bin {
namespace {

// Of a machine on which nothing of that name is, and where everything that is needed can be had.
plan::Observation blank(const api::Cluster& cluster) {
  plan::Observation seen;
  seen.record_state = plan::RecordState::kNone;
  seen.fresh_incarnation = "example";
  seen.fresh_operation = "example";
  seen.binaries[cluster.spec.version.text()] = base::Fact<plan::Binary>(plan::Binary::kPresent);
  for (int i = 0; i < cluster.spec.size; ++i) {
    seen.fresh_volumes.push_back(fmt::format("example-{}", i));
    const int port = 23000 + 3 * i;
    seen.addresses[i] = {fmt::format("https://127.0.0.1:{}", port),
                         fmt::format("https://127.0.0.1:{}", port + 1),
                         fmt::format("http://127.0.0.1:{}", port + 2)};
  }
  return seen;
}

base::Result<std::vector<plan::Intent>> intents_of_file(const std::string& file) {
  TRY(const auto text, read_input(file));
  const auto manifest = api::parse_manifest(text, file, api::Platform::kHost);
  if (!manifest.ok())
    return base::fail(base::Code::kInvalidArgument,
                      base::join(manifest.lines(api::Severity::kError), "\n"));
  std::vector<plan::Intent> out;
  for (const auto& document : manifest.documents) {
    if (document.cluster() == nullptr) continue;
    plan::Intent intent;
    intent.cluster = *document.cluster();
    intent.cluster.generation = 1;
    intent.template_hash = manager::template_hash_of(intent.cluster.spec);
    out.push_back(std::move(intent));
  }
  return out;
}

// What was in force when the last operator ended.
base::Result<std::vector<plan::Intent>> saved_intents(const host::Platform& platform,
                                                      const std::optional<base::ClusterKey>& key) {
  std::vector<plan::Intent> out;
  TRY(const auto keys, platform.clusters());
  for (const auto& cluster : keys) {
    if (key && *key != cluster) continue;
    TRY(const auto bytes, posix::read_file(platform.files(cluster).intent, size_t{32} << 20));
    TRY_IN(cluster.text(), const auto saved, manager::decode_saved_intent(bytes));
    const auto manifest = api::parse_manifest(saved.text, saved.file, api::Platform::kHost);
    for (const auto& document : manifest.documents) {
      if (document.cluster() == nullptr || document.cluster()->key != cluster) continue;
      plan::Intent intent;
      intent.cluster = *document.cluster();
      intent.cluster.generation = saved.generation;
      intent.template_hash = manager::template_hash_of(intent.cluster.spec);
      intent.wish = saved.deleted ? plan::Wish::kDeleted : plan::Wish::kPresent;
      intent.paused = saved.paused;
      intent.stop = saved.stop;
      intent.approvals = saved.approvals;
      out.push_back(std::move(intent));
    }
  }
  if (key && out.empty())
    return base::fail(base::Code::kNotFound, "there is no cluster " + key->text());
  return out;
}

int print_plans(const json::Array& plans, Output output) {
  if (output != Output::kText) {
    print_value(plans, output);
    return kDone;
  }
  for (const auto& plan : plans) print_text(manager::plan_text(plan));
  return kDone;
}

}  // namespace

int plan_files(const ClusterFlags& flags) {
  const auto intents = intents_of_file(flags.file);
  if (!intents) return report(intents.error());
  json::Array plans;
  const posix::SystemClock clock;
  for (const auto& intent : *intents) {
    plan::Record record;
    record.key = intent.cluster.key;
    auto view = manager::plan_view(record.key,
                                   plan::plan(intent, record, blank(intent.cluster), clock.now()));
    view["note"] = "planned as a new cluster; with --state DIR it is planned as it is there";
    plans.push_back(std::move(view));
  }
  return print_plans(plans, flags.output);
}

int plan_offline(const ClusterFlags& flags, const std::string& state_dir,
                 const std::optional<base::ClusterKey>& key, const std::stop_token& stop) {
  if (const auto there = posix::file_info(state_dir); !there)
    return report(there.error().in("--state"));
  host::PlatformOptions options;
  options.state_dir = state_dir;
  options.fetch = false;
  const posix::SystemClock clock;
  posix::SystemRandom random;
  const auto log = posix::make_null_logger();
  const auto platform = host::Platform::open(options, clock, random, *log);
  if (!platform) return report(platform.error());
  const auto intents =
      flags.file.empty() ? saved_intents(**platform, key) : intents_of_file(flags.file);
  if (!intents) return report(intents.error());
  json::Array plans;
  for (const auto& intent : *intents) {
    if (key && *key != intent.cluster.key) continue;
    const auto driver = (*platform)->driver(intent.cluster.key);
    engine::Reconciler reconciler(
        {intent.cluster.key, *driver, clock, random, *log, &plan::plan, nullptr});
    const auto seen = reconciler.think(intent, stop);
    if (!seen) return report(seen.error());
    auto view = manager::plan_view(intent.cluster.key, seen->plan);
    view["note"] = "no operator runs here: this is what one would do first";
    plans.push_back(std::move(view));
  }
  return print_plans(plans, flags.output);
}

}  // namespace bin
