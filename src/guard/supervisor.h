// The life of one guard: look, decide, start etcd, watch it, say why it ended, again.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "guard/child.h"
#include "guard/decide.h"
#include "guard/logfile.h"
#include "guard/paths.h"
#include "guard/signatures.h"

namespace guard {

struct Options {
  Paths paths;
  base::Duration stop_grace{30'000};
  // Where a container's end is explained: the verdict goes there too, as it is no file to rename.
  std::string termination_message = {};
  bool echo = false;  // what goes to the logs goes to stderr as well
};

// Exit codes beside exit_code_of().
inline constexpr int kExitUsage = 64;
inline constexpr int kExitInternal = 70;
inline constexpr int kExitLocked = 75;

class Supervisor {
 public:
  explicit Supervisor(Options options);
  // Single-threaded, as the death signal of etcd is bound to the thread that made it.
  int run();

 private:
  // FailedPrecondition: another holds it. Cancelled: asked to stop. Else it cannot be taken.
  base::Status take_lock();
  int end_unlocked(const base::Error& why);  // the exit code
  // One look and, if it allows, one life of etcd.
  Verdict round();
  // Brings the volume into the state that the decision wants; a verdict if that failed.
  std::optional<Verdict> prepare(const Ticket& ticket, const Decision& decision, const Seen& seen);
  base::Status note_restoring(const Decision& decision);
  std::optional<Verdict> build_restored(const Ticket& ticket);
  base::Status move_aside();
  base::Status keep_marker(const Marker& marker);
  Verdict run_etcd(const Ticket& ticket, const Decision& decision, WalCursor& cursor);
  void note_log(WalCursor& cursor);
  void take_back_start(const Decision& decision);
  void wait_backoff(const Verdict& verdict);

  // Until `child` has ended and its output is read; stops it when asked to.
  Exit watch(Child& child, LogScanner& scanner, base::Duration grace, WalCursor* cursor);
  void read_output(const Child& child, LogScanner& scanner);
  // Waits for a signal, output of `child` or the time; handles the signals.
  void wait(int child_output, std::int64_t until_ms);
  void take_signals();
  void reap();

  void write_state(Phase phase, std::int64_t etcd_pid = 0);
  void write_verdict(Verdict& verdict);
  void log(std::string_view event, std::string_view detail);

  Options options_;
  Fd lock_, signals_;
  RotatedLog etcd_log_, guard_log_;
  State state_;
  Marker marker_;       // as it is on disk
  std::string volume_;  // what was looked at, for the verdict on it
  unsigned failures_ = 0;
  bool stopping_ = false;       // SIGTERM or SIGINT came
  bool nudged_ = false;         // SIGHUP came: look again now
  bool state_owed_ = false;     // the last write of the state failed
  pid_t child_ = 0;             // 0: none, or it ended
  std::optional<Exit> exited_;  // of child_
};

// The flags of etcd for this start.
std::vector<std::string> etcd_argv(const Ticket& ticket, const Paths& paths, Start start);
// Empty with a reason in `why` if the ticket does not allow it.
std::vector<std::string> restore_argv(const Ticket& ticket, const Paths& paths, std::string& why);

}  // namespace guard
