// Runs one command of etcdadm and prints its answer.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>

#include "bin/commands.h"
#include "bin/etcdadm_line.h"
#include "posix/clock.h"
#include "posix/env.h"
#include "posix/files.h"
#include "posix/signals.h"

namespace bin {
namespace {

constexpr const char* kProgram = "etcdadm";

bool ask(const std::string& question) {
  if (!posix::is_terminal(STDIN_FILENO)) return false;
  fmt::print(stderr, "{} [yes/no] ", question);
  std::string answer;
  return std::getline(std::cin, answer) && answer == "yes";
}

std::string exit_codes() {
  return "\n## Exit codes\n\n| Code | Meaning |\n| --- | --- |\n"
         "| 0 | done, and well |\n"
         "| 1 | it was tried and did not work, or what was looked at is not well |\n"
         "| 2 | the flags are wrong; nothing was touched |\n"
         "| 3 | something that is needed is not there: the authority, a file, this host's "
         "configuration |\n"
         "| 4 | the present state forbids it; the message says what must change |\n"
         "| 5 | no answer in time; the same command goes on |\n";
}

int write_reference_page(const std::string& folder) {
  const auto made = posix::make_dirs(folder, 0755);
  if (!made) return report(made.error(), kProgram);
  const auto written =
      posix::write_atomic(folder + "/etcdadm.md", etcdadm_reference() + exit_codes(), 0644);
  return written ? kDone : report(written.error(), kProgram);
}

}  // namespace

int run_line(const AdmLine& line, const adm::Context& context) {
  const auto reply = line.run(context);
  if (!reply) return report(reply.error(), kProgram);
  if (line.output == Output::kText)
    print_text(reply->text);
  else
    print_value(reply->value, line.output);
  return reply->failed ? kFailed : kDone;
}

int run_etcdadm(int argc, const char* const* argv, std::string_view guard) {
  const AdmLine line = parse_etcdadm(argc, argv);
  if (!line.reference_folder.empty()) return write_reference_page(line.reference_folder);
  if (line.run == nullptr) return line.exit;
  const auto signals = posix::StopOnSignal::install();
  if (!signals) return report(signals.error(), kProgram);
  const posix::SystemClock clock;
  const bool quiet = line.log_level == "warn" || line.log_level == "error";
  const auto say = [quiet](const std::string& words) {
    if (!quiet) fmt::print(stderr, "{}\n", words);
  };
  return run_line(line, {line.flags, clock, (*signals)->source().get_token(), guard, say, ask});
}

}  // namespace bin
