// etcd-guard: the parent of every etcd process.
#include <fmt/format.h>
#include <sys/stat.h>

#include <cstdio>
#include <span>

#include "base/text.h"
#include "guard/install.h"
#include "guard/look.h"
#include "guard/supervisor.h"

namespace {

constexpr std::string_view kUsage =
    R"(usage: etcd-guard run --member-dir DIR [--stop-grace SECONDS]
                      [--termination-message FILE] [--echo yes]
       etcd-guard classify --member-dir DIR
       etcd-guard install --member-dir DIR --to FILE --ticket FILE
       etcd-guard copy --from FILE --to FILE
       etcd-guard version

run       starts etcd as DIR/ticket allows, watches it and says in DIR/verdict why it ended
          --termination-message: the verdict goes there as well; --echo: logs go to stderr as well
classify  prints what run would find and decide; changes nothing
copy      for an init container: copies a program out of an image that has no shell
install   for an init container: copies this program to FILE and lets DIR/ticket point to the ticket

exit codes of run: 0 stopped as asked; 10 data lost, 11 data corrupt, 12 foreign data or volume,
13 removed from the cluster, 14 configuration refused, 15 no volume; 1 DIR/member.lock cannot be
opened or locked (DIR/verdict says why, if it can be written), 64 usage, 70 internal,
75 another guard or its etcd holds DIR/member.lock
)";

int usage(std::string_view why) {
  fmt::print(stderr, "etcd-guard: {}\n{}", why, kUsage);
  return guard::kExitUsage;
}

int classify(const guard::Paths& paths) {
  guard::WalCursor cursor(paths.data());
  const auto ticket = guard::read_ticket(paths);
  const auto seen = guard::look(paths, cursor);
  fmt::print("{}", guard::describe(ticket, seen));
  return 0;
}

struct Flags {
  guard::Options options;
  std::string to, ticket;  // of install
  std::string from;        // of copy, with `to`
};

int install(const Flags& flags) {
  if (!flags.to.starts_with('/') || !flags.ticket.starts_with('/'))
    return usage("install needs --to and --ticket with absolute paths");
  if (const auto done = guard::install({flags.to, flags.ticket}, flags.options.paths); !done) {
    fmt::print(stderr, "etcd-guard: {}\n", done.error().message);
    return guard::kExitInternal;
  }
  return 0;
}

int copy(const Flags& flags) {
  if (!flags.from.starts_with('/') || !flags.to.starts_with('/'))
    return usage("copy needs --from and --to with absolute paths");
  if (const auto done = guard::copy_program(flags.from, flags.to); !done) {
    fmt::print(stderr, "etcd-guard: {}\n", done.error().message);
    return guard::kExitInternal;
  }
  return 0;
}

// What is wrong with them; empty: nothing.
std::string parse(std::string_view command, std::span<char*> args, Flags& flags) {
  auto& options = flags.options;
  for (std::size_t i = 0; i < args.size(); i += 2) {
    const std::string_view flag = args[i];
    if (i + 1 == args.size()) return fmt::format("{} needs a value", flag);
    const std::string_view value = args[i + 1];
    if (flag == "--member-dir") {
      options.paths.member = value;
    } else if (flag == "--stop-grace" && command == "run") {
      const auto seconds = base::parse_int(value);
      if (!seconds || *seconds < 0 || *seconds > 86'400)
        return fmt::format("--stop-grace: '{}' is not a number of seconds", value);
      options.stop_grace = base::Duration(*seconds * 1000);
    } else if (flag == "--termination-message" && command == "run") {
      options.termination_message = value;
    } else if (flag == "--echo" && command == "run" && (value == "yes" || value == "no")) {
      options.echo = value == "yes";
    } else if (flag == "--to" && (command == "install" || command == "copy")) {
      flags.to = value;
    } else if (flag == "--from" && command == "copy") {
      flags.from = value;
    } else if (flag == "--ticket" && command == "install") {
      flags.ticket = value;
    } else {
      return fmt::format("no flag '{}'", flag);
    }
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  const std::span<char*> args(argv, static_cast<std::size_t>(argc));
  if (argc < 2) return usage("no command");
  const std::string_view command = args[1];
  if (command == "version" || command == "--version") {
    fmt::print("etcd-guard {}\n", EO_VERSION);
    return 0;
  }
  if (command == "help" || command == "--help" || command == "-h") {
    fmt::print("{}", kUsage);
    return 0;
  }
  if (command != "run" && command != "classify" && command != "install" && command != "copy")
    return usage(fmt::format("no command '{}'", command));
  Flags flags;
  if (const auto wrong = parse(command, args.subspan(2), flags); !wrong.empty())
    return usage(wrong);
  if (command == "copy") return copy(flags);
  const auto& options = flags.options;
  if (!options.paths.member.starts_with('/')) return usage("--member-dir must be an absolute path");
  struct stat st{};
  if (::stat(options.paths.member.c_str(), &st) != 0 || !S_ISDIR(st.st_mode))
    return usage(fmt::format("'{}' is not a directory", options.paths.member));
  if (command == "classify") return classify(options.paths);
  if (command == "install") return install(flags);
  return guard::Supervisor(options).run();
}
