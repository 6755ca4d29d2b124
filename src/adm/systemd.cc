#include "adm/systemd.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>

#include "base/text.h"
#include "posix/files.h"
#include "posix/wakeup.h"

namespace adm {
namespace {

using base::Code;

constexpr const char* kName = "org.freedesktop.systemd1";
constexpr const char* kPath = "/org/freedesktop/systemd1";
constexpr const char* kInterface = "org.freedesktop.systemd1.Manager";
// For root it is there without a bus too; systemctl takes it as well.
constexpr const char* kPrivate = "unix:path=/run/systemd/private";
constexpr const char* kNoSuchUnit = "org.freedesktop.systemd1.NoSuchUnit";
constexpr const char* kNoSuchJob = "org.freedesktop.systemd1.NoSuchJob";
constexpr base::Duration kPoll{50};

// sd-bus(3): its types and functions as its header declares them.
struct Bus;
struct Message;
struct BusError {
  const char* name = nullptr;
  const char* message = nullptr;
  int need_free = 0;
};
struct Library {
  int (*create)(Bus**) = nullptr;
  int (*set_address)(Bus*, const char*) = nullptr;
  int (*start)(Bus*) = nullptr;
  int (*open_system)(Bus**) = nullptr;
  int (*set_timeout)(Bus*, std::uint64_t) = nullptr;
  int (*call)(Bus*, const char*, const char*, const char*, const char*, BusError*, Message**,
              const char*, ...) = nullptr;
  int (*read)(Message*, const char*, ...) = nullptr;
  Message* (*unref)(Message*) = nullptr;
  Bus* (*close)(Bus*) = nullptr;
  void (*free_error)(BusError*) = nullptr;
};

base::Result<Library> load() {
  // Never unloaded: it keeps state of its own for each thread.
  void* library = ::dlopen("libsystemd.so.0", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr)
    return base::fail(Code::kFailedPrecondition,
                      "--init-system systemd: libsystemd.so.0 is needed (Debian: apt-get install "
                      "libsystemd0); --init-system none needs none");
  Library out;
  bool all = true;
  const auto find = [&](auto& function, const char* name) {
    function =
        reinterpret_cast<std::remove_reference_t<decltype(function)>>(::dlsym(library, name));
    all = all && function != nullptr;
  };
  find(out.create, "sd_bus_new");
  find(out.set_address, "sd_bus_set_address");
  find(out.start, "sd_bus_start");
  find(out.open_system, "sd_bus_open_system");
  find(out.set_timeout, "sd_bus_set_method_call_timeout");
  find(out.call, "sd_bus_call_method");
  find(out.read, "sd_bus_message_read");
  find(out.unref, "sd_bus_message_unref");
  find(out.close, "sd_bus_flush_close_unref");
  find(out.free_error, "sd_bus_error_free");
  if (!all)
    return base::fail(Code::kFailedPrecondition,
                      "--init-system systemd: libsystemd.so.0 is older than systemd 240");
  return out;
}

// One connection; a null one closes nothing.
class Connection {
 public:
  Connection(const Library& library, Bus* bus) : library_(&library), bus_(bus) {}
  ~Connection() {
    if (bus_ != nullptr) library_->close(bus_);
  }
  Connection(Connection&& other) noexcept
      : library_(other.library_), bus_(std::exchange(other.bus_, nullptr)) {}
  Connection& operator=(Connection&&) = delete;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  [[nodiscard]] Bus* get() const { return bus_; }

 private:
  const Library* library_;
  Bus* bus_;
};

std::string words_of(int error) {
  return std::strerror(error < 0 ? -error : error);
}

class Dbus final : public UnitManager {
 public:
  explicit Dbus(Library library) : library_(library) {}

  base::Status reload(base::Duration deadline) override {
    return asked("Reload", "", deadline, "");
  }
  base::Status enable(const std::string& unit, base::Duration deadline) override {
    // At run time only: no; over links of others: yes.
    TRY_OK(asked("EnableUnitFiles", unit, deadline, "asbb", 1, unit.c_str(), 0, 1));
    return reload(deadline);
  }
  base::Status disable(const std::string& unit, base::Duration deadline) override {
    TRY_OK(asked("DisableUnitFiles", unit, deadline, "asb", 1, unit.c_str(), 0));
    return reload(deadline);
  }
  base::Status start(const std::string& unit, base::Duration deadline) override {
    (void)asked("ResetFailedUnit", unit, deadline, "s", unit.c_str());
    return asked("StartUnit", unit, deadline, "ss", unit.c_str(), "replace");
  }
  base::Status stop(const std::string& unit, base::Duration deadline,
                    const std::stop_token& stop) override {
    const auto until = posix::deadline_in(deadline);
    TRY(const auto bus, connect(deadline));
    const auto job = ask(bus, "StopUnit", "ss", unit.c_str(), "replace");
    if (!job.error.empty())
      return job.name == kNoSuchUnit ? base::Status() : failed("StopUnit", unit, job.error);
    const auto number = base::parse_int(job.path.substr(job.path.rfind('/') + 1));
    if (!number) return failed("StopUnit", unit, "an unknown kind of job: " + job.path);
    for (;;) {
      const auto now = ask(bus, "GetJob", "u", static_cast<std::uint32_t>(*number));
      if (now.name == kNoSuchJob) return {};
      if (!now.error.empty()) return failed("GetJob", unit, now.error);
      if (stop.stop_requested()) return base::fail(Code::kCancelled, "asked to stop");
      if (posix::deadline_in({}) >= until)
        return base::fail(Code::kDeadlineExceeded, unit + " is still being stopped by systemd");
      (void)posix::poll_until({}, posix::deadline_in(kPoll), stop);
    }
  }

 private:
  struct Reply {
    std::string name, error;  // both empty: it was done
    std::string path;         // of the job, where there is one
  };

  static base::Status failed(const char* method, const std::string& unit,
                             const std::string& error) {
    return base::fail(Code::kUnavailable, fmt::format("systemd, {}{}: {}", method,
                                                      unit.empty() ? "" : " " + unit, error));
  }

  base::Result<Connection> connect(base::Duration deadline) const {
    Bus* bus = nullptr;
    int error = 0;
    if (::geteuid() == 0) {
      error = library_.create(&bus);
      if (error >= 0) error = library_.set_address(bus, kPrivate);
      if (error >= 0) error = library_.start(bus);
    } else {
      error = library_.open_system(&bus);
    }
    Connection out(library_, bus);
    if (error < 0)
      return base::fail(Code::kUnavailable, "systemd cannot be asked: " + words_of(error));
    const auto limit = std::max<std::int64_t>(deadline.count(), 1) * 1000;
    (void)library_.set_timeout(out.get(), static_cast<std::uint64_t>(limit));
    return out;
  }

  template <typename... Args>
  Reply ask(const Connection& bus, const char* method, const char* types, Args... args) const {
    BusError error;
    Message* reply = nullptr;
    const int done =
        library_.call(bus.get(), kName, kPath, kInterface, method, &error, &reply, types, args...);
    Reply out;
    if (done < 0) {
      out.name = error.name == nullptr ? "" : error.name;
      out.error = error.message == nullptr ? words_of(done) : error.message;
    } else if (const char* path = nullptr; library_.read(reply, "o", &path) > 0) {
      out.path = path;
    }
    library_.free_error(&error);
    library_.unref(reply);
    return out;
  }

  template <typename... Args>
  base::Status asked(const char* method, const std::string& unit, base::Duration deadline,
                     const char* types, Args... args) const {
    TRY(const auto bus, connect(deadline));
    const Reply reply = ask(bus, method, types, args...);
    return reply.error.empty() ? base::Status() : failed(method, unit, reply.error);
  }

  const Library library_;
};

}  // namespace

base::Result<std::unique_ptr<UnitManager>> systemd_manager() {
  // sd_booted(3)
  if (posix::exists("/run/systemd/system") != base::Fact<bool>(true))
    return base::fail(Code::kFailedPrecondition,
                      "--init-system systemd: this machine was not booted with systemd; "
                      "--init-system none needs none");
  TRY(const auto library, load());
  return std::make_unique<Dbus>(library);
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
