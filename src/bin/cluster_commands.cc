// Commands about clusters: by the running operator where there is one, from the files otherwise.
#include <fmt/format.h>

#include <cstdio>
#include <stop_token>
#include <utility>

#include "base/text.h"
#include "bin/commands.h"
#include "bin/state_dir.h"
#include "manager/control.h"
#include "manager/manager.h"
#include "manager/requests.h"
#include "manager/table.h"
#include "posix/clock.h"
#include "posix/env.h"
#include "posix/logger.h"
#include "posix/signals.h"
#include "posix/socket.h"
#include "posix/wakeup.h"

namespace bin {
namespace {

using manager::Op;
using manager::Request;

constexpr base::Duration kDeadline{30'000};

struct Context {
  const ClusterFlags& flags;
  std::string state_dir;  // absolute
  std::optional<base::ClusterKey> key;
  std::stop_token stop;
};

base::Result<json::Value> ask(const Context& c, Op op, json::Object args = {}) {
  return manager::call_control(manager::control_socket(c.state_dir), {op, c.key, std::move(args)},
                               kDeadline, c.stop);
}

bool nobody_listens(const base::Error& error) {
  return error.code == base::Code::kNotFound || error.code == base::Code::kUnavailable;
}

bool operator_runs(const Context& c) {
  return posix::UnixStream::connect(manager::control_socket(c.state_dir)).has_value();
}

base::Error no_operator(const Context& c) {
  return {base::Code::kNotFound,
          fmt::format("no operator runs on {}: start one with `etcd-operator run --platform host "
                      "--manifests DIR --state {}`",
                      c.flags.state, c.flags.state)};
}

base::Result<json::Value> status_answer(const Context& c) {
  if (operator_runs(c)) return ask(c, Op::kStatus);
  return written_status(c.state_dir, c.key);
}

int show_status(const Context& c) {
  const auto answer = status_answer(c);
  if (!answer) return report(answer.error());
  const auto* items = answer->find("items");
  if (c.flags.output == Output::kText) {
    const posix::SystemClock clock;
    print_text(status_text(*answer,
                           {clock.now(), c.flags.state, posix::is_terminal(1), c.key.has_value()}));
    return kDone;
  }
  if (const auto note = json::get_string(*answer, "note"); note)
    std::fprintf(stderr, "etcd-operator: %s\n", note->c_str());
  if (const auto* problems = answer->find("problems"); problems != nullptr && problems->if_array())
    for (const auto& problem : *problems->if_array())
      if (const auto* text = problem.if_string())
        std::fprintf(stderr, "etcd-operator: manifest %s\n", text->c_str());
  const json::Value all = items == nullptr ? json::Value(json::Array{}) : *items;
  const auto* first = all.at("0");
  print_value(c.key && first != nullptr ? *first : all, c.flags.output);
  return kDone;
}

int watch_status(const Context& c) {
  print_text("\x1b[2J");
  const posix::SystemClock clock;
  while (!c.stop.stop_requested()) {
    const auto answer = status_answer(c);
    if (!answer) return report(answer.error());
    print_text(live_frame(*answer, clock.now(), c.flags.state));
    static_cast<void>(posix::poll_until({}, posix::deadline_in(base::Duration{1'000}), c.stop));
  }
  return kDone;
}

int show_plan(const Context& c) {
  if (!operator_runs(c)) return plan_offline(c.flags, c.state_dir, c.key, c.stop);
  json::Object args;
  if (!c.flags.file.empty()) {
    const auto text = read_input(c.flags.file);
    if (!text) return report(text.error());
    args["text"] = *text;
  }
  const auto answer = ask(c, Op::kPlan, std::move(args));
  if (!answer) return report(answer.error());
  if (c.flags.output != Output::kText) {
    print_value(*answer, c.flags.output);
    return kDone;
  }
  if (answer->if_array() != nullptr)
    for (const auto& plan : *answer->if_array()) print_text(manager::plan_text(plan));
  return kDone;
}

int show_events(const Context& c) {
  auto answer = operator_runs(c) ? ask(c, Op::kEvents, {{"limit", c.flags.limit}})
                                 : written_events(c.state_dir, c.key, c.flags.limit);
  if (!answer) return report(answer.error());
  if (c.flags.output == Output::kText)
    print_text(manager::event_table(*answer));
  else
    print_value(*answer, c.flags.output);
  return kDone;
}

// Without an operator the platform itself is asked, under the operator's lock.
base::Result<json::Value> connection(const Context& c) {
  if (operator_runs(c)) return ask(c, Op::kConnect);
  if (const auto there = written_status(c.state_dir, c.key); !there)
    return std::unexpected(there.error());
  host::PlatformOptions options;
  options.state_dir = c.state_dir;
  options.fetch = false;
  const posix::SystemClock clock;
  posix::SystemRandom random;
  const auto log = posix::make_null_logger();
  TRY(const auto platform, host::Platform::open(options, clock, random, *log));
  TRY(const auto found, platform->connection(*c.key));
  return manager::connection_view(found);
}

int connect(const Context& c) {
  const auto answer = connection(c);
  if (!answer) return report(answer.error());
  if (!c.flags.rest.empty()) return run_etcdctl(c.state_dir, *c.key, *answer, c.flags.rest);
  if (c.flags.output != Output::kText) {
    print_value(*answer, c.flags.output);
    return kDone;
  }
  print_text(etcdctl_environment(*answer));
  return kDone;
}

int approve(const Context& c) {
  json::Object args{{"for", c.flags.valid_for}};
  if (!c.flags.operation.empty()) args["operation"] = c.flags.operation;
  if (!operator_runs(c)) return report(no_operator(c));
  const auto answer = ask(c, Op::kApprove, std::move(args));
  if (!answer) return report(answer.error());
  const auto operation = json::get_string(*answer, "approved");
  const auto message = json::get_string(*answer, "message");
  print_text(fmt::format("approved {} of {}\n", operation.value_or(""), c.key->text()));
  if (message && !message->empty()) print_text(*message + "\n");
  return kDone;
}

int backup_now(const Context& c) {
  if (!operator_runs(c)) return report(no_operator(c));
  if (const auto answer = ask(c, Op::kBackupNow); !answer) return report(answer.error());
  print_text(
      fmt::format("{}: a backup is asked for; `etcd-operator status {} --state {}` shows "
                  "when it was taken\n",
                  c.key->text(), c.flags.cluster, c.flags.state));
  return kDone;
}

int restore(const Context& c) {
  if (!operator_runs(c)) return report(no_operator(c));
  json::Object args{{"backup", c.flags.backup}, {"toRevision", c.flags.to_revision}};
  args["toTime"] = c.flags.to_time;
  if (const auto answer = ask(c, Op::kRestore, std::move(args)); !answer)
    return report(answer.error());
  print_text(
      fmt::format("{}: a restore in place is asked for; `etcd-operator events {} --state "
                  "{}` says how it goes\n",
                  c.key->text(), c.flags.cluster, c.flags.state));
  return kDone;
}

Commanded command_of(Op op) {
  Commanded out;
  if (op == Op::kStart) out.stopped = false;
  if (op == Op::kPause || op == Op::kResume) out.paused = op == Op::kPause;
  return out;
}

// How a command is taken back.
std::string way_back(const Context& c, Op op) {
  if (op != Op::kPause && op != Op::kStop) return "";
  return fmt::format("; `etcd-operator {} {} --state {}` lets it go on",
                     op == Op::kPause ? "resume" : "start", c.flags.cluster, c.flags.state);
}

std::string_view said_of(Op op, bool now) {
  if (op == Op::kPause) return now ? "paused" : "paused when an operator is started";
  if (op == Op::kResume) return now ? "resumed" : "resumed; no operator runs here";
  if (op == Op::kStart) return now ? "starts" : "starts when an operator is started";
  return "stopped; data kept";
}

int switch_to(const Context& c, Op op) {
  const bool now = operator_runs(c);
  if (now) {
    if (const auto answer = ask(c, op); !answer) return report(answer.error());
    if (op == Op::kStop)
      if (const auto down = wait_until_down(c.state_dir, c.key, c.stop); !down)
        return report(down.error());
  } else {
    base::Status kept;
    if (op != Op::kStop)
      kept = command_offline(c.state_dir, *c.key, command_of(op), c.stop);
    else if (const auto stopped = stop_guards(c.state_dir, c.key, c.stop); !stopped)
      kept = std::unexpected(stopped.error());
    if (!kept) return report(kept.error());
  }
  print_text(fmt::format("{}: {}{}\n", c.key->text(), said_of(op, now), way_back(c, op)));
  return kDone;
}

int stop_all(const Context& c) {
  if (operator_runs(c)) {
    // A lost answer says nothing; that the operator has ended is seen by its lock.
    const auto asked = ask(c, Op::kShutdown);
    if (!asked && !nobody_listens(asked.error())) return report(asked.error());
  }
  const auto stopped = stop_guards(c.state_dir, std::nullopt, c.stop);
  if (!stopped) return report(stopped.error());
  print_text(*stopped == 0 ? "no member was running\n"
                           : fmt::format("{} member{} stopped; all data is kept\n", *stopped,
                                         *stopped == 1 ? "" : "s"));
  return kDone;
}

int dispatch(const Context& c) {
  const auto& verb = c.flags.verb;
  if (verb == "status") return c.flags.watch ? watch_status(c) : show_status(c);
  if (verb == "plan") return show_plan(c);
  if (verb == "events") return show_events(c);
  if (verb == "connect") return connect(c);
  if (verb == "approve") return approve(c);
  if (verb == "backup-now") return backup_now(c);
  if (verb == "restore") return restore(c);
  if (verb == "pause") return switch_to(c, Op::kPause);
  if (verb == "resume") return switch_to(c, Op::kResume);
  if (verb == "start") return switch_to(c, Op::kStart);
  if (c.flags.all) return stop_all(c);
  return switch_to(c, Op::kStop);
}

}  // namespace

int cluster_command(const ClusterFlags& flags) {
  if (flags.verb == "plan" && flags.state.empty()) {
    if (!flags.file.empty()) return plan_files(flags);
    return report({base::Code::kInvalidArgument, "plan needs --state DIR, or -f FILE"});
  }
  if (flags.verb == "stop" && flags.all != flags.cluster.empty())
    return report({base::Code::kInvalidArgument, flags.all ? "stop: --all or CLUSTER, not both"
                                                           : "stop needs CLUSTER, or --all"});
  const auto signals = posix::StopOnSignal::install();
  if (!signals) return report(signals.error());
  Context context{flags, {}, std::nullopt, (*signals)->source().get_token()};
  const auto state_dir = posix::absolute_path(flags.state);
  if (!state_dir) return report(state_dir.error());
  context.state_dir = *state_dir;
  if (!flags.cluster.empty()) {
    const auto key = manager::parse_cluster(flags.cluster);
    if (!key) return report(key.error());
    context.key = *key;
  }
  return dispatch(context);
}

}  // namespace bin
