#include "adm/systemd.h"

#include "base/text.h"
#include "posix/env.h"
#include "posix/files.h"
#include "posix/process.h"

namespace adm {

base::Result<Systemctl> Systemctl::find() {
  const std::string path = posix::get_env("PATH").value_or("/usr/bin:/bin");
  auto program = posix::find_program("systemctl", path);
  if (!program || posix::exists("/run/systemd/system") != base::Fact<bool>(true))
    return base::fail(base::Code::kFailedPrecondition,
                      "--init-system systemd: this machine was not booted with systemd; "
                      "--init-system none needs none");
  return Systemctl(*std::move(program));
}

base::Status Systemctl::run(std::vector<std::string> args, base::Duration deadline,
                            const std::stop_token& stop) const {
  const std::string what = "systemctl " + base::join(args, " ");
  args.insert(args.begin(), program_);
  const std::string path = posix::get_env("PATH").value_or("/usr/bin:/bin");
  TRY_IN(what, const auto ran,
         posix::run({args, {"PATH=" + path, "LC_ALL=C"}, "/"}, {deadline}, stop));
  if (ran.exit_code == 0) return {};
  return base::fail(base::Code::kUnavailable, what + ": " + std::string(base::trim(ran.err)));
}

// A '%' begins a specifier, a '$' a variable, and blanks part words.
std::string unit_word(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '%') out += '%';
    if (c == '$') out += '$';
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

}  // namespace adm
