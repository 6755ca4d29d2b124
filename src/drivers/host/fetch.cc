// How a version of etcd gets onto this machine. Each way fills one fresh folder; install() checks
// it and renames it into place.
#include <fmt/format.h>
#include <sys/utsname.h>

#include <array>
#include <thread>
#include <utility>

#include "base/text.h"
#include "drivers/host/binaries.h"
#include "http/client.h"
#include "posix/env.h"
#include "posix/files.h"
#include "posix/lock.h"
#include "posix/process.h"
#include "posix/wakeup.h"

namespace host {
namespace {

constexpr base::Duration kDownload = std::chrono::minutes(10), kBuild = std::chrono::minutes(20);
constexpr base::Duration kConnect{5'000}, kTell{5'000};

// $1 to $2, writable, and its programs can be run.
constexpr std::string_view kCopyOfGo =
    R"(cp -r "$1" "$2" && chmod -R u+w "$2" && chmod -R a+x "$2/bin" "$2/pkg/tool")";

struct Work {
  const api::Version& version;
  const FetchOptions& options;
  const Progress& progress;
  const std::stop_token& stop;
  std::string target;  // …/v3.5.12
  std::string dir;     // scratch, removed at the end
  [[nodiscard]] std::string out() const { return dir + "/out"; }
};

std::string path_variable() {
  return posix::get_env("PATH").value_or("/usr/bin:/bin") + ":/usr/local/go/bin:/usr/lib/go/bin";
}

base::Result<std::string> program(std::string_view name) {
  return posix::find_program(name, path_variable());
}

// A pause that a stop ends.
void pause(base::Duration d, const std::stop_token& stop) {
  (void)posix::poll_until({}, posix::deadline_in(d), stop);
}

// Runs it to a good end and gives its output; the error holds the end of what it said. While it
// runs, `what` is said every few seconds.
base::Result<std::string> run(const Work& work, const std::string& what,
                              const posix::Launch& launch, base::Duration deadline) {
  work.progress(what);
  const std::jthread ticker([&](const std::stop_token& done) {
    for (int seconds = 5;; seconds += 5) {
      pause(base::Duration{5'000}, done);
      if (done.stop_requested()) return;
      work.progress(fmt::format("{} ({} s)", what, seconds));
    }
  });
  TRY_IN(what, auto result, posix::run(launch, {deadline}, work.stop));
  if (result.exit_code == 0) return result.out;
  const std::string& said = result.err.empty() ? result.out : result.err;
  const size_t from = said.size() > 600 ? said.size() - 600 : 0;
  return base::fail(base::Code::kUnavailable,
                    fmt::format("{}: {} ended with {}: {}", what, launch.argv.at(0),
                                result.exit_code, base::trim(said.substr(from))));
}

std::string architecture() {
  utsname names{};
  const std::string_view machine = ::uname(&names) == 0 ? names.machine : "";
  return machine == "aarch64" ? "arm64" : "amd64";
}

base::Status download(const Work& work, const std::string& url, const std::string& sha256,
                      const std::string& to) {
  const std::string what = "downloading " + url;
  work.progress(what);
  auto next = posix::deadline_in(kTell);
  http::Download wanted{.url = url, .file = to, .sha256 = sha256};
  wanted.connect_deadline = kConnect;
  wanted.deadline = kDownload;
  wanted.progress = [&](std::uint64_t got, std::uint64_t all) {
    if (posix::deadline_in({}) < next) return;
    next = posix::deadline_in(kTell);
    work.progress(fmt::format("{} ({} of {} MiB)", what, got >> 20U, all >> 20U));
  };
  TRY_OK(http::download(wanted, work.stop));
  return {};
}

// Of the file in a text of lines "<64 hex digits>  <name>".
base::Result<std::string> published_sum(const std::string& sums, const std::string& name) {
  for (const auto line : base::split(sums, '\n'))
    if (line.size() > 64 && line.ends_with(" " + name)) return std::string(line.substr(0, 64));
  return base::fail(base::Code::kNotFound, "SHA256SUMS does not name " + name);
}

base::Status from_archive(const Work& work) {
  const std::string base =
      work.options.release_url.empty() ? std::string(kDefaultReleaseUrl) : work.options.release_url;
  const std::string folder = fmt::format("etcd-v{}-linux-{}", work.version.text(), architecture());
  const std::string name = folder + ".tar.gz";
  const std::string url = fmt::format("{}/v{}/", base, work.version.text());
  http::Fetch sums{.url = url + "SHA256SUMS"};
  sums.connect_deadline = kConnect;
  TRY(const std::string text, http::fetch(sums, work.stop));
  TRY(const std::string sum, published_sum(text, name));
  TRY_OK(download(work, url + name, sum, work.dir + "/" + name));
  TRY(const std::string tar, program("tar"));
  TRY_OK(run(work, "unpacking " + name,
             {{tar, "--extract", "--gzip", "--no-same-owner", "--file", name},
              posix::environment(),
              work.dir},
             base::Duration{120'000}));
  return posix::rename(work.dir + "/" + folder, work.out());
}

// Debian's packages, unpacked and never installed: their scripts would start an etcd.
base::Status from_debian(const Work& work) {
  TRY(const std::string apt, program("apt-get"));
  TRY(const std::string dpkg, program("dpkg"));
  TRY_OK(run(work, "downloading Debian's etcd packages",
             {{apt, "download", "etcd-server", "etcd-client"}, posix::environment(), work.dir},
             kDownload));
  TRY(const auto names, posix::list_dir(work.dir));
  for (const auto& name : names)
    if (name.ends_with(".deb"))
      TRY_OK(run(work, "unpacking " + name,
                 {{dpkg, "-x", name, work.dir + "/deb"}, posix::environment(), work.dir},
                 base::Duration{60'000}));
  return posix::rename(work.dir + "/deb/usr/bin", work.out());
}

std::vector<std::string> go_environment() {
  std::vector<std::string> env;
  for (auto& entry : posix::environment())
    if (!entry.starts_with("GOFLAGS=") && !entry.starts_with("GOWORK=") &&
        !entry.starts_with("GOTOOLCHAIN=") && !entry.starts_with("GOBIN=") &&
        !entry.starts_with("GOROOT=") && !entry.starts_with("CGO_ENABLED=") &&
        !entry.starts_with("PATH="))
      env.push_back(std::move(entry));
  // GOTOOLCHAIN=local: we choose the toolchain, so that Go 1.19 and 1.26 go the same way.
  for (const char* entry :
       {"GOFLAGS=-mod=mod -buildvcs=false", "GOWORK=off", "GOTOOLCHAIN=local", "CGO_ENABLED=0"})
    env.emplace_back(entry);
  env.push_back("PATH=" + path_variable());
  return env;
}

// "go1.26.8" or "1.25" to comparable numbers; zeros where there are none.
std::array<int, 3> go_numbers(std::string_view text) {
  if (text.starts_with("go")) text.remove_prefix(2);
  std::array<int, 3> out{};
  size_t i = 0;
  for (const auto part : base::split(text, '.')) {
    if (i == out.size()) break;
    out.at(i++) = static_cast<int>(base::parse_int(part).value_or(0));
  }
  return out;
}

// The Go version that the go.mod text asks for.
std::string wanted_go(const std::string& go_mod) {
  std::string wanted = "1.20";
  for (const auto line : base::split(go_mod, '\n')) {
    if (line.starts_with("go ")) wanted = base::trim(line.substr(3));
    if (line.starts_with("toolchain go")) return std::string(base::trim(line.substr(12)));
  }
  return wanted;
}

// Of "key": "value" in Go's JSON.
std::string json_text(const std::string& json, const std::string& key) {
  const auto at = json.find("\"" + key + "\": \"");
  if (at == std::string::npos) return "";
  const auto from = at + key.size() + 5;
  return json.substr(from, json.find('"', from) - from);
}

// A Go that is new enough: the installed one, or the toolchain published as a Go module, which an
// older Go downloads and checks.
base::Result<std::string> usable_go(const Work& work, const std::string& go,
                                    const std::string& go_mod) {
  TRY(const std::string out,
      run(work, "asking go for its version", {{go, "env", "GOVERSION"}, go_environment(), work.dir},
          base::Duration{30'000}));
  std::string wanted = wanted_go(go_mod);
  auto numbers = go_numbers(wanted);
  const std::string own(base::trim(out));
  // A toolchain line is a wish; the go line's minor is what the sources need.
  if (std::array{go_numbers(own)[0], go_numbers(own)[1]} >= std::array{numbers[0], numbers[1]})
    return go;
  if (numbers < std::array{1, 21, 0}) wanted = "1.21.13";  // the first ones published so
  if (base::split(wanted, '.').size() < 3) wanted += ".0";
  const std::string module =
      fmt::format("golang.org/toolchain@v0.0.1-go{}.linux-{}", wanted, architecture());
  TRY(const std::string json,
      run(work, fmt::format("downloading Go {} ({} is too old)", wanted, own),
          {{go, "mod", "download", "-json", module}, go_environment(), work.dir}, kDownload));
  const std::string from = json_text(json, "Dir");
  if (from.empty())
    return base::fail(base::Code::kUnavailable, "go did not say where it put " + module);
  // The module cache is read-only and its files are not executable: a copy of our own.
  TRY(const std::string shell, program("sh"));
  TRY_OK(run(work, "unpacking Go " + wanted,
             {{shell, "-c", std::string(kCopyOfGo), "sh", from, work.dir + "/go"},
              posix::environment(),
              work.dir},
             base::Duration{300'000}));
  return work.dir + "/go/bin/go";
}

base::Status from_modules(const Work& work) {
  auto go = program("go");
  if (!go)
    return base::fail(base::Code::kNotFound,
                      "Go is not installed; install it (Debian: apt-get install golang-go, any "
                      "version) or put etcd " +
                          work.version.text() + " into --etcd-dir");
  const std::string build = work.dir + "/build", at = "@v" + work.version.text();
  TRY_OK(posix::make_dirs(build));
  TRY_OK(posix::make_dirs(work.out()));
  const std::string root = "go.etcd.io/etcd/";
  TRY(const std::string json,
      run(work, "downloading the sources of etcd " + work.version.text(),
          {{*go, "mod", "download", "-json", root + "server/v3" + at}, go_environment(), build},
          kDownload));
  TRY(const std::string go_mod, posix::read_file(json_text(json, "GoMod"), size_t{1} << 20));
  TRY(*go, usable_go(work, *go, go_mod));
  auto env = go_environment();
  if (go->starts_with(work.dir)) env.push_back("GOROOT=" + work.dir + "/go");
  TRY_OK(run(work, "preparing the build", {{*go, "mod", "init", "build"}, env, build},
             base::Duration{60'000}));
  TRY_OK(run(
      work, "downloading what etcd is built from",
      {{*go, "get", root + "server/v3" + at, root + "etcdctl/v3" + at, root + "etcdutl/v3" + at},
       env,
       build},
      kDownload));
  for (const auto& [name, module] :
       {std::pair{"etcd", "server/v3"}, std::pair{"etcdctl", "etcdctl/v3"},
        std::pair{"etcdutl", "etcdutl/v3"}})
    TRY_OK(run(work, fmt::format("building {} {}", name, work.version.text()),
               {{*go, "build", "-trimpath", "-ldflags", "-s -w", "-o", work.out() + "/" + name,
                 root + module},
                env,
                build},
               kBuild));
  return {};
}

// What was made says the right version, then gets its name.
base::Status install(const Work& work) {
  const std::string etcd = work.out() + "/etcd";
  TRY(const std::string said,
      run(work, "checking " + work.target, {{etcd, "--version"}, posix::environment(), work.dir},
          base::Duration{30'000}));
  const std::string wanted = "etcd Version: " + work.version.text();
  if (std::string_view(said).substr(0, said.find('\n')) != wanted)
    return base::fail(base::Code::kNotFound,
                      "this way gives another version: " + said.substr(0, said.find('\n')));
  if (posix::exists(work.target) == base::Fact<bool>(true))
    TRY_OK(posix::rename(work.target, work.dir + "/old"));
  return posix::rename(work.out(), work.target);
}

base::Status try_ways(const Work& work) {
  using Way = base::Status (*)(const Work&);
  std::vector<std::pair<std::string, Way>> ways{{"release archive", &from_archive}};
  const bool modules = work.version >= api::Version{3, 5, 0, ""};
  if (work.options.allow_build) {
    if (modules)
      ways.emplace_back("Go modules", &from_modules);
    else
      ways.emplace_back("Debian packages", &from_debian);
  }
  std::string problems;
  for (const auto& [name, way] : ways) {
    TRY_OK(posix::remove_tree(work.dir));
    TRY_OK(posix::make_dirs(work.dir, 0755));
    auto made = way(work);
    if (made) made = install(work);
    if (made) return {};
    if (made.error().code == base::Code::kCancelled) return made;
    work.progress(fmt::format("no {}: {}", name, made.error().message));
    problems += fmt::format("\n  {}: {}", name, made.error().message);
  }
  return base::fail(base::Code::kUnavailable,
                    fmt::format("etcd {} could not be had:{}", work.version.text(), problems));
}

}  // namespace

base::Result<EtcdPrograms> fetch_etcd(const api::Version& version, const FetchOptions& options,
                                      const Progress& progress, const std::stop_token& stop) {
  Binaries binaries(options.etcd_dir);
  if (auto found = binaries.find(version, stop)) return found;
  std::string root = options.etcd_dir;
  if (root.empty()) {
    TRY(root, etcd_cache_dir());
  }
  TRY(root, posix::absolute_path(root));
  TRY_OK(posix::make_dirs(root, 0755));
  // One fetch of a version at a time: the second waits and finds what the first has brought.
  std::optional<posix::FileLock> lock;
  while (!lock) {
    auto tried = posix::FileLock::try_lock(root + "/.lock-v" + version.text());
    if (tried) {
      lock = std::move(*tried);
    } else if (tried.error().code != base::Code::kFailedPrecondition) {
      return std::unexpected(tried.error());
    } else {
      progress("another fetch of etcd " + version.text() + " is at work; waiting");
      pause(base::Duration{2'000}, stop);
      if (stop.stop_requested()) return base::fail(base::Code::kCancelled, "asked to stop");
    }
  }
  if (auto found = binaries.find(version, stop)) return found;
  const Work work{version,
                  options,
                  progress,
                  stop,
                  root + "/v" + version.text(),
                  root + "/.fetch-v" + version.text()};
  const auto made = try_ways(work);
  (void)posix::remove_tree(work.dir);
  if (!made) return std::unexpected(made.error());
  return binaries.find(version, stop);
}

}  // namespace host
