// `plan -f FILE` without a state directory: the first step of each cluster if it were new here.
#include <fmt/format.h>

#include "api/manifest.h"
#include "base/text.h"
#include "bin/commands.h"
#include "manager/intents.h"
#include "manager/table.h"
#include "manager/views.h"
#include "posix/clock.h"

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

}  // namespace

int plan_files(const ClusterFlags& flags) {
  const auto text = read_input(flags.file);
  if (!text) return report(text.error());
  const auto manifest = api::parse_manifest(*text, flags.file, api::Platform::kHost);
  if (!manifest.ok())
    return report(
        {base::Code::kInvalidArgument, base::join(manifest.lines(api::Severity::kError), "\n")});
  json::Array plans;
  const posix::SystemClock clock;
  for (const auto& document : manifest.documents) {
    if (document.cluster() == nullptr) continue;
    plan::Intent intent;
    intent.cluster = *document.cluster();
    intent.cluster.generation = 1;
    intent.template_hash = manager::template_hash_of(intent.cluster.spec);
    plan::Record record;
    record.key = intent.cluster.key;
    auto view = manager::plan_view(record.key,
                                   plan::plan(intent, record, blank(intent.cluster), clock.now()));
    view["note"] = "planned as a new cluster; with --state DIR it is planned as it is there";
    plans.push_back(std::move(view));
  }
  if (flags.output != Output::kText) {
    print_value(plans, flags.output);
    return kDone;
  }
  for (const auto& plan : plans) print_text(manager::plan_text(plan));
  return kDone;
}

}  // namespace bin
