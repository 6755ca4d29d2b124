#include "kubelet.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <optional>
#include <vector>

#include "api/yaml.h"
#include "json/json.h"
#include "looks.h"

namespace e2e {
namespace {

using namespace std::chrono_literals;

// Arguments: the pod's root, the image's folder, folders of libraries, then of each mount what is
// to be there ("d" or "f"), where it is, where it goes and "ro" or "rw", then "--" and the command.
constexpr const char* kScript = R"sh(set -eu
root=$1; image=$2; libraries=$3; shift 3
mount --make-rprivate /
mount -t tmpfs pod "$root"
mkdir -p "$root/usr/local/bin" "$root/proc" "$root/dev"
bind() {
  mkdir -p "$(dirname "$root$3")"
  test "-$1" "$2"
  if [ "$1" = d ]; then mkdir -p "$root$3"; else : > "$root$3"; fi
  mount --bind "$2" "$root$3"
  [ "$4" = rw ] || mount -o remount,bind,ro "$root$3"
}
# A guard that is built with sanitizers is no static program; etcd's image has no libraries.
for folder in $libraries; do bind d "$folder" "$folder" ro; done
for name in etcd etcdutl; do bind f "$image/$name" "/usr/local/bin/$name" ro; done
: > "$root.termination"
bind f "$root.termination" /dev/termination-log rw
bind c /dev/null /dev/null rw
while [ "$1" != -- ]; do bind "$1" "$2" "$3" "$4"; shift 4; done
shift
mount -t proc proc "$root/proc"
mount -o remount,ro "$root"
exec chroot "$root" "$@"
)sh";

struct Pod {
  std::vector<std::string> argv, env;
};

// What the text says of one container; empty: it is none that could run here.
std::optional<Pod> read_pod(const std::string& text, const std::string& root,
                            const std::string& image) {
  const auto documents = api::read_yaml(text);
  if (!documents || documents->size() != 1 || !documents->front().value) return std::nullopt;
  const json::Value& pod = *documents->front().value;
  const json::Value* spec = pod.find("spec");
  if (json::get_string(pod, "kind") != "Pod" || spec == nullptr ||
      json::get_bool(*spec, "hostNetwork") != true)
    return std::nullopt;
  const json::Value& container = spec->at("containers")->if_array()->front();
  Pod out;
  out.argv = {"/usr/bin/unshare", "--mount", "--pid", "--fork", "--kill-child"};
  if (::geteuid() != 0) out.argv.insert(out.argv.end(), {"--user", "--map-root-user"});
  out.argv.insert(out.argv.end(), {"/bin/sh", "-c", kScript, "pod", root, image, EO_LIBRARIES});
  for (const auto& mount : *container.at("volumeMounts")->if_array())
    for (const auto& volume : *spec->at("volumes")->if_array()) {
      if (*json::get_string(volume, "name") != *json::get_string(mount, "name")) continue;
      const auto& path = *volume.at("hostPath");
      const bool read_only = json::get_bool(mount, "readOnly") == true;
      out.argv.insert(
          out.argv.end(),
          {*json::get_string(path, "type") == "File" ? "f" : "d", *json::get_string(path, "path"),
           *json::get_string(mount, "mountPath"), read_only ? "ro" : "rw"});
    }
  out.argv.emplace_back("--");
  for (const auto& word : *container.at("command")->if_array())
    out.argv.push_back(*word.as_string());
  for (const auto& variable : *container.at("env")->if_array())
    out.env.push_back(fmt::format("{}={}", *json::get_string(variable, "name"),
                                  *json::get_string(variable, "value")));
  out.env.emplace_back("PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
  return out;
}

}  // namespace

Kubelet::Kubelet(Folders folders)
    : folders_(std::move(folders)), thread_([this](const std::stop_token& stop) { run(stop); }) {}

Kubelet::~Kubelet() {
  thread_.request_stop();
  thread_.join();
  end(SIGKILL);
}

// Like the real one it starts again what has ended, and takes a file that changed for another pod.
void Kubelet::run(const std::stop_token& stop) {
  std::string runs;
  while (!stop.stop_requested()) {
    const std::string wanted = read(folders_.manifests + "/etcd.manifest");
    if (wanted != runs) {
      end(SIGTERM);
      runs = wanted;
    }
    const bool alive = pod_.pid != 0 && posix::is_alive(pod_) == base::Fact<bool>(true);
    if (!runs.empty() && !alive && !start(runs)) ADD_FAILURE() << "no pod that could run\n" << runs;
    (void)posix::poll_until({}, posix::deadline_in(100ms), stop);
  }
}

bool Kubelet::start(const std::string& manifest) {
  const std::string root = folders_.work + "/root";
  if (!posix::make_dirs(root)) return false;
  const auto pod = read_pod(manifest, root, folders_.image);
  if (!pod) return false;
  const auto process =
      posix::spawn_detached({{pod->argv, pod->env, "/"}, folders_.work + "/pod.log", {}});
  if (process) pod_ = *process;
  return process || process.error().code == base::Code::kAborted;
}

// The first process of the pod; pid 0: it has none.
posix::ProcessId Kubelet::inside() const {
  const auto text = read(fmt::format("/proc/{0}/task/{0}/children", pod_.pid));
  return posix::identify(std::strtoll(text.c_str(), nullptr, 10)).value_or(posix::ProcessId{});
}

void Kubelet::end(int signal) {
  if (pod_.pid == 0) return;
  const auto first = inside();
  if (first.pid != 0) (void)posix::send_signal(first, signal);
  if (signal == SIGKILL) (void)posix::send_signal(pod_, SIGKILL);
  EXPECT_TRUE(eventually([&] { return posix::is_alive(pod_) == base::Fact<bool>(false); }));
  pod_ = {};
}

}  // namespace e2e
