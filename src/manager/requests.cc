#include "manager/requests.h"

#include <fmt/format.h>

#include <limits>
#include <utility>

#include "api/annotations.h"
#include "api/manifest.h"
#include "base/text.h"
#include "manager/event_log.h"
#include "manager/views.h"

namespace manager {
namespace {

base::Result<base::ClusterKey> needed(const Request& request) {
  if (request.cluster) return *request.cluster;
  return base::fail(base::Code::kInvalidArgument,
                    fmt::format("{} needs a cluster: NAME or NAMESPACE/NAME", name_of(request.op)));
}

std::string text_arg(const Request& request, std::string_view name) {
  const auto* value = request.args.find(name);
  const auto* text = value == nullptr ? nullptr : value->if_string();
  return text == nullptr ? std::string() : *text;
}

bool archive_name_fits(std::string_view name) {
  const auto slash = name.find('/');
  return slash != std::string_view::npos && slash > 0 &&
         name.substr(slash + 1).starts_with("full-") && !name.contains("..");
}
// What a cluster is to go back to, of its own backups.
base::Result<api::Restore> restore_wish(const Request& request) {
  const auto refuse = [](std::string why) {
    return base::fail(base::Code::kInvalidArgument, std::move(why));
  };
  api::Restore out;
  out.required = true;
  out.asked_by = "the command restore";
  out.backup = text_arg(request, "backup");
  if (!out.backup.empty() && !archive_name_fits(out.backup))
    return refuse(
        fmt::format("--backup: '{}' is no name of a backup: write it as `archive list` "
                    "shows it, <life>/full-...",
                    out.backup));
  const auto revision = text_arg(request, "toRevision"), time = text_arg(request, "toTime");
  if (!revision.empty() && !time.empty())
    return refuse("--to-revision, --to-time: only one may be given");
  if (!revision.empty()) {
    out.to_revision = base::parse_int(revision).value_or(0);
    if (out.to_revision < 1)
      return refuse(fmt::format("--to-revision: '{}' is not allowed: 1 to {}", revision,
                                std::numeric_limits<std::int64_t>::max()));
  }
  if (!time.empty()) {
    TRY_IN("--to-time", out.to_time, base::parse_rfc3339(time));
  }
  return out;
}

}  // namespace

json::Value connection_view(const host::Connection& connection) {
  json::Object out{{"endpoints", connection.endpoints}};
  out["cacert"] = connection.cacert;
  out["cert"] = connection.cert;
  out["key"] = connection.key;
  return out;
}

json::Value Requests::status() const {
  json::Array items;
  const auto now = parts_.clock.now();
  for (const auto& key : parts_.intents.keys())
    if (const auto view = parts_.intents.view(key))
      items.push_back(cluster_view(*view, parts_.fleet.last(key).get(), now));
  return json::Object{{"operator", parts_.about()},
                      {"items", std::move(items)},
                      {"problems", parts_.intents.problems()}};
}

Requests::Answer Requests::status_of(const Request& request) const {
  if (!request.cluster) return status();
  TRY(const auto view, parts_.intents.view(*request.cluster));
  const auto report = parts_.fleet.last(*request.cluster);
  return json::Value(
      json::Object{{"operator", parts_.about()},
                   {"items", json::Array{cluster_view(view, report.get(), parts_.clock.now())}},
                   {"problems", json::Array{}}});
}

Requests::Answer Requests::plan_text(const std::string& text, const std::stop_token& stop) {
  const auto manifest = api::parse_manifest(text, "the given manifest", api::Platform::kHost);
  if (!manifest.ok())
    return base::fail(base::Code::kInvalidArgument,
                      base::join(manifest.lines(api::Severity::kError), "\n"));
  json::Array plans;
  for (const auto& document : manifest.documents) {
    if (document.cluster() == nullptr) continue;
    const auto& key = document.cluster()->key;
    auto view = parts_.intents.view(key);
    plan::Intent intent = view ? view->intent : plan::Intent{};
    const auto generation = intent.cluster.generation;
    intent.cluster = *document.cluster();
    intent.cluster.generation = generation + 1;
    intent.wish = plan::Wish::kPresent;
    intent.problem.clear();
    intent.template_hash = template_hash_of(intent.cluster.spec);
    TRY(const auto report, parts_.fleet.dry_run(key, intent, stop));
    plans.push_back(plan_view(key, report.plan));
  }
  return json::Value(std::move(plans));
}

Requests::Answer Requests::plan(const Request& request, const std::stop_token& stop) {
  if (const auto text = text_arg(request, "text"); !text.empty()) return plan_text(text, stop);
  json::Array plans;
  const auto keys =
      request.cluster ? std::set<base::ClusterKey>{*request.cluster} : parts_.intents.keys();
  for (const auto& key : keys) {
    TRY(const auto view, parts_.intents.view(key));
    if (!view.known) {
      plans.push_back(json::Object{{"cluster", key.text()}, {"note", view.intent.problem}});
      continue;
    }
    TRY_IN("plan " + key.text(), const auto report, parts_.fleet.dry_run(key, view.intent, stop));
    plans.push_back(plan_view(key, report.plan));
  }
  return json::Value(std::move(plans));
}

Requests::Answer Requests::events(const Request& request) const {
  const auto* wanted = request.args.find("limit");
  const auto number = wanted == nullptr ? base::Result<std::int64_t>(50) : wanted->as_int();
  if (!number || *number < 1 || *number > 1000)
    return base::fail(base::Code::kInvalidArgument, "limit: 1 to 1000 is allowed");
  const auto keys =
      request.cluster ? std::set<base::ClusterKey>{*request.cluster} : parts_.intents.keys();
  json::Array all;
  for (const auto& key : keys) {
    if (const auto known = parts_.intents.view(key); !known) return std::unexpected(known.error());
    TRY(auto some,
        read_events(parts_.platform.files(key).events, key, static_cast<size_t>(*number)));
    std::ranges::move(some, std::back_inserter(all));
  }
  return json::Value(std::move(all));
}

Requests::Answer Requests::connect(const base::ClusterKey& key) const {
  if (const auto known = parts_.intents.view(key); !known) return std::unexpected(known.error());
  TRY(const auto connection, parts_.platform.connection(key));
  return connection_view(connection);
}

Requests::Answer Requests::approve(const Request& request, const base::ClusterKey& key) {
  TRY(const auto view, parts_.intents.view(key));
  const auto report = parts_.fleet.last(key);
  const auto status = current_status(view, report.get(), parts_.clock.now());
  const auto* needs = api::find_condition(status, api::ConditionType::kNeedsApproval);
  const bool waits = needs != nullptr && needs->status == api::Truth::kTrue;
  auto operation = text_arg(request, "operation");
  if (operation.empty() && waits && status.operation) operation = status.operation->id;
  if (operation.empty())
    return base::fail(base::Code::kFailedPrecondition,
                      waits ? key.text() + ": name the operation: " + needs->message
                            : key.text() + ": nothing waits for approval");
  const auto text = text_arg(request, "for");
  TRY_IN("--for", const auto valid_for, base::parse_duration(text.empty() ? "1h" : text));
  if (valid_for > std::chrono::hours(24 * 7))
    return base::fail(base::Code::kInvalidArgument, "--for: at most 7d");
  TRY_OK(parts_.intents.approve(key, {operation, parts_.clock.now() + valid_for}));
  parts_.wake(key);
  return json::Value(json::Object{{"cluster", key.text()},
                                  {"approved", operation},
                                  {"wasWaiting", waits},
                                  {"message", waits ? needs->message : ""}});
}

Requests::Answer Requests::backup_now(const base::ClusterKey& key) {
  TRY(const auto view, parts_.intents.view(key));
  if (!view.known || !view.intent.cluster.spec.backup)
    return base::fail(base::Code::kFailedPrecondition,
                      key.text() + " has no backup block: add spec.backup to its manifest");
  TRY_OK(parts_.intents.backup_now(key));
  parts_.wake(key);
  return json::Value(json::Object{{"cluster", key.text()}, {"done", name_of(Op::kBackupNow)}});
}

// What is judged by the store, the planner says: by events, when it was looked into.
Requests::Answer Requests::restore(const Request& request, const base::ClusterKey& key) {
  const auto forbidden = [&key](std::string_view why) {
    return base::fail(base::Code::kFailedPrecondition, fmt::format("{}: {}", key.text(), why));
  };
  TRY(const auto view, parts_.intents.view(key));
  TRY(auto wish, restore_wish(request));
  if (!view.known || !view.intent.cluster.spec.backup)
    return forbidden(
        "it has no backup block, so that a safety copy of what it holds has nowhere to go: add "
        "spec.backup to its manifest (with enabled: false no other backups are taken)");
  if (api::is_protected(view.intent.cluster))
    return forbidden(
        fmt::format("it is protected: remove the annotation {} first", api::kProtectAnnotation));
  const auto report = parts_.fleet.last(key);
  if (report == nullptr || report->plan.record.formation != plan::Formation::kLatched)
    return forbidden("it has not begun; spec.restore says from what it begins");
  const auto& record = report->plan.record;
  if (record.in_place.goes_on())
    return forbidden(
        fmt::format("a restore in place goes on already ({})", record.in_place.operation));
  if (parts_.clock.now() < record.bootstrapped_at)
    return forbidden("by this machine's clock it begins in the future: set the clock");
  TRY_OK(parts_.intents.restore(key, std::move(wish)));
  parts_.wake(key);
  return json::Value(json::Object{{"cluster", key.text()}, {"done", name_of(Op::kRestore)}});
}

Requests::Answer Requests::switch_to(const Request& request, const base::ClusterKey& key) {
  if (request.op == Op::kPause || request.op == Op::kResume)
    TRY_OK(parts_.intents.pause(key, request.op == Op::kPause));
  else
    TRY_OK(parts_.intents.stop(key, request.op == Op::kStop));
  parts_.wake(key);
  return json::Value(json::Object{{"cluster", key.text()}, {"done", name_of(request.op)}});
}

base::Result<json::Value> Requests::handle(const Request& request, const std::stop_token& stop) {
  switch (request.op) {
    case Op::kStatus:
      return status_of(request);
    case Op::kPlan:
      return plan(request, stop);
    case Op::kEvents:
      return events(request);
    case Op::kShutdown:
      parts_.shutdown();
      return json::Value(json::Object{{"done", "shutdown"}});
    case Op::kConnect:
    case Op::kDebug:
    case Op::kApprove:
    case Op::kPause:
    case Op::kResume:
    case Op::kStop:
    case Op::kStart:
    case Op::kBackupNow:
    case Op::kRestore:
      break;
  }
  TRY(const auto key, needed(request));
  if (request.op == Op::kConnect) return connect(key);
  if (request.op == Op::kApprove) return approve(request, key);
  if (request.op == Op::kBackupNow) return backup_now(key);
  if (request.op == Op::kRestore) return restore(request, key);
  if (request.op != Op::kDebug) return switch_to(request, key);
  TRY(const auto view, parts_.intents.view(key));
  return debug_view(view, parts_.fleet.last(key).get());
}

}  // namespace manager
