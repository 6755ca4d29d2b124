#include "adm/steps.h"

#include <fmt/format.h>

#include <algorithm>
#include <ranges>

#include "base/text.h"
#include "json/json.h"
#include "posix/files.h"

namespace adm {
namespace {

constexpr size_t kLimit = size_t{1} << 16;

using Journal = Unfinished;

base::Result<Journal> read_journal(const Places& places) {
  Journal out;
  const auto text = posix::read_file(places.journal(), kLimit);
  if (!text && text.error().code == base::Code::kNotFound) return out;
  if (!text) return std::unexpected(text.error());
  TRY_IN(places.journal(), const auto value, json::parse(*text));
  TRY_IN(places.journal(), out.command, json::get_string(value, "command"));
  TRY_IN(places.journal(), out.step, json::get_string(value, "step"));
  return out;
}

base::Status write_journal(const Places& places, const Journal& journal) {
  TRY_OK(posix::make_dirs(places.state_dir));
  const json::Value value = json::Object{{"command", journal.command}, {"step", journal.step}};
  return posix::write_atomic(places.journal(), json::print(value, json::Style::kPretty) + "\n");
}

base::Status put_back(const Places& places, const Journal& before) {
  return before.command.empty() ? forget_journal(places) : write_journal(places, before);
}

std::string names_of(const std::vector<Step>& steps) {
  std::vector<std::string> names;
  for (const auto& step : steps) names.push_back(step.name);
  return base::join(names, ", ");
}

}  // namespace

base::Status run_steps(const Context& context, const Run& run, const std::vector<Step>& steps) {
  if (!run.phase.empty()) {
    const auto step = std::ranges::find(steps, run.phase, &Step::name);
    if (step == steps.end())
      return base::fail(
          base::Code::kInvalidArgument,
          fmt::format("{} phase: '{}' is none of {}", run.command, run.phase, names_of(steps)));
    context.say(step->what);
    return step->act();
  }
  if (!run.takes_over) TRY_OK(no_other(context.places(), run.command));
  TRY(const Journal before, read_journal(context.places()));
  const bool goes_on = before.command == run.command;
  if (goes_on) context.say(fmt::format("goes on: an earlier run had come to '{}'", before.step));
  auto first = steps.begin();
  if (run.once && goes_on)
    if (const auto at = std::ranges::find(steps, before.step, &Step::name); at != steps.end())
      first = at;
  for (const auto& step : std::ranges::subrange(first, steps.end())) {
    if (context.stop.stop_requested())
      return base::fail(base::Code::kCancelled,
                        "asked to stop; the same command goes on from here");
    TRY_OK(write_journal(context.places(), {run.command, step.name}));
    context.say(step.what);
    if (context.fault) context.fault(step.name + ".before");
    if (auto done = step.act(); !done) {
      if (!goes_on && &step == &steps.front()) TRY_OK(put_back(context.places(), before));
      return std::unexpected(done.error().in(step.name));
    }
    if (context.fault) context.fault(step.name + ".after");
  }
  return forget_journal(context.places());
}

Answer dry_run(const Run& run, const std::vector<Step>& steps) {
  Answer out;
  out.text = fmt::format("etcdadm {} would do this, and changes nothing now:\n", run.command);
  json::Array list;
  for (const auto& step : steps) {
    if (!run.phase.empty() && step.name != run.phase) continue;
    out.text += fmt::format("  {:<26} {}\n", step.name, step.what);
    list.emplace_back(json::Object{{"name", step.name}, {"what", step.what}});
  }
  out.value["steps"] = std::move(list);
  return out;
}

base::Result<std::string> unfinished(const Places& places) {
  TRY(const Journal journal, read_journal(places));
  return journal.command;
}

base::Result<Unfinished> unfinished_step(const Places& places) {
  return read_journal(places);
}

base::Status no_other(const Places& places, const std::string& command) {
  TRY(const Journal journal, read_journal(places));
  if (journal.command.empty() || journal.command == command) return {};
  return base::fail(
      base::Code::kFailedPrecondition,
      fmt::format("`etcdadm {}` was begun here and did not end: run it again, or `etcdadm reset`",
                  journal.command));
}

base::Status forget_journal(const Places& places) {
  return posix::remove_file(places.journal());
}

}  // namespace adm
