// The command line of etcdadm as values. The table of its commands is in etcdadm_line.cc.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adm/commands.h"
#include "adm/flags.h"
#include "bin/command_line.h"

namespace bin {

using AdmRun = adm::Reply (*)(const adm::Context&);

struct AdmLine {
  AdmRun run = nullptr;  // null: help or the version was printed, or an error; `exit` says which
  int exit = kDone;
  std::string verb;  // "snapshot save"
  adm::Flags flags;
  Output output = Output::kText;
  std::string log_level = "info";
  std::string fault_point;       // where a test ends it; empty: nowhere
  std::string reference_folder;  // of `reference DIR`; empty: another command
};

// Prints help and the version to stdout and errors to stderr.
AdmLine parse_etcdadm(int argc, const char* const* argv);
// Runs it and prints its answer; gives the exit code of the process. Precondition: line.run.
int run_line(const AdmLine& line, const adm::Context& context);
// Parses and runs the command line of a process that does nothing else.
int run_etcdadm(int argc, const char* const* argv, std::string_view guard);

// Every command and flag as Markdown, made from the parser itself.
std::string etcdadm_reference();
// For bash, zsh and fish; no value: another shell.
std::optional<std::string> etcdadm_completion(const std::string& shell);
adm::Reply completion(const adm::Context& context);
// File names and texts of the pages for man(1).
std::vector<std::pair<std::string, std::string>> etcdadm_man_pages();

inline constexpr std::array<std::pair<ExitCode, std::string_view>, 6> exit_meanings() {
  return {{{kDone, "done, and well"},
           {kFailed, "it was tried and did not work, or what was looked at is not well"},
           {kBadInput, "the flags are wrong; nothing was touched"},
           {kNotThere,
            "something that is needed is not there: the authority, a file, this host's "
            "configuration"},
           {kRefused, "the present state forbids it; the message says what must change"},
           {kNoAnswer, "no answer in time; the same command goes on"}}};
}

}  // namespace bin
