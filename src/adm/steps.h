// A command as named steps, each of which finds out what is done already and may be done again. The
// journal in the state directory says which command was begun: after a kill the same one goes on,
// and no other begins before.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "adm/context.h"
#include "base/result.h"

namespace adm {

struct Step {
  std::string name;
  std::string what;  // for --dry-run and for the journal's reader
  std::function<base::Status()> act;
};

struct Run {
  std::string command;  // "init"
  std::string phase;    // only this step, without the journal; empty: all
  // After a kill, steps that had ended are not done again: they cannot look what they have done.
  bool once = false;
  bool takes_over = false;  // begins also where another command is unfinished, and ends that one
};

// FailedPrecondition: another command is unfinished here. A command that is refused in its first
// step was never begun: what was unfinished before it still is. Precondition: the state directory's
// lock.
base::Status run_steps(const Context& context, const Run& run, const std::vector<Step>& steps);
// What would be done: a line a step.
Answer dry_run(const Run& run, const std::vector<Step>& steps);

// Of the command that was begun here and has not ended; empty: none.
base::Result<std::string> unfinished(const Places& places);
base::Status forget_journal(const Places& places);

// The same with the step that was begun last.
struct Unfinished {
  std::string command, step;
};
base::Result<Unfinished> unfinished_step(const Places& places);
// FailedPrecondition: another command than this is unfinished. For those that act before run_steps.
base::Status no_other(const Places& places, const std::string& command);

}  // namespace adm
