// Runs one command of etcdadm and prints its answer.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
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
constexpr int kFaultExit = 85;  // so that a test knows that the death was injected

bool ask(const std::string& question) {
  if (!posix::is_terminal(STDIN_FILENO)) return false;
  fmt::print(stderr, "{} [yes/no] ", question);
  std::string answer;
  return std::getline(std::cin, answer) && answer == "yes";
}

std::string exit_codes() {
  std::string out = "\n## Exit codes\n\n| Code | Meaning |\n| --- | --- |\n";
  for (const auto& [code, meaning] : exit_meanings())
    out += fmt::format("| {} | {} |\n", static_cast<int>(code), meaning);
  return out;
}

int write_reference_page(const std::string& folder) {
  const auto made = posix::make_dirs(folder, 0755);
  if (!made) return report(made.error(), kProgram);
  const auto written =
      posix::write_atomic(folder + "/etcdadm.md", etcdadm_reference() + exit_codes(), 0644);
  if (!written) return report(written.error(), kProgram);
  // Beside the pages that people read in a browser.
  for (const auto& [name, text] : etcdadm_man_pages())
    if (const auto page = posix::write_atomic(folder + "/" + name, text, 0644); !page)
      return report(page.error(), kProgram);
  return kDone;
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
  const auto program = posix::own_executable();
  if (!program) return report(program.error(), kProgram);
  adm::Context context{line.flags, clock,   (*signals)->source().get_token(), guard, say,
                       ask,        *program};
  if (!line.fault_point.empty())
    context.fault = [&line](const std::string& point) {
      if (point == line.fault_point) std::_Exit(kFaultExit);
    };
  return run_line(line, context);
}

}  // namespace bin
