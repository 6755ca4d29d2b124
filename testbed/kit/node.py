"""A node: containerd, kubelet and kube-proxy on a machine of its own."""
import json
import os
import subprocess

from . import build, control, machine, processes, versions

ZONES = 3
SOCKET = "/run/containerd/containerd.sock"

CONTAINERD = """version = 2
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.native", "io.containerd.tracing.processor.v1.otlp",
  "io.containerd.internal.v1.tracing", "io.containerd.internal.v1.opt"]
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "registry.k8s.io/pause:{pause}"
  # Without CAP_SYS_RESOURCE no score may be lowered, and every sandbox would fail.
  restrict_oom_score_adj = true
  disable_apparmor = true
  stream_server_address = "127.0.0.1"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{cni}"
    conf_dir = "{folder}/cni"
"""


def zone(name: str) -> str:
    return f"zone-{(machine.number(name) - 1) % ZONES + 1}"


def network_config(name: str) -> str:
    """Every pod on a link of its own: with a bridge, whether a Service's rules apply between two
    pods of one node would depend on a module of the computer's kernel."""
    return json.dumps({
        "cniVersion": "0.4.0", "name": "pods", "plugins": [
            {"type": "ptp", "ipMasq": False, "ipam": {
                "type": "host-local", "ranges": [[{"subnet": machine.pods(name)}]],
                "routes": [{"dst": "0.0.0.0/0"}]}},
            {"type": "portmap", "capabilities": {"portMappings": True}}]}, indent=1)


def kubelet_config(authority, cgroup: str) -> str:
    return json.dumps({
        "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
        "authentication": {"anonymous": {"enabled": False}, "webhook": {"enabled": True},
                           "x509": {"clientCAFile": authority.path("ca.crt")}},
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "cgroupfs", "cgroupRoot": cgroup, "cgroupsPerQOS": False,
        "enforceNodeAllocatable": [], "failCgroupV1": False, "failSwapOn": False,
        "oomScoreAdj": 0, "resolvConf": "", "serializeImagePulls": False,
        "clusterDNS": [machine.DNS_ADDRESS], "clusterDomain": "cluster.local",
        "containerRuntimeEndpoint": f"unix://{SOCKET}", "readOnlyPort": 0,
        # All nodes share one disk: its state says nothing about any of them.
        "evictionHard": {"memory.available": "50Mi", "nodefs.available": "0%",
                         "nodefs.inodesFree": "0%", "imagefs.available": "0%"},
        "imageGCHighThresholdPercent": 100, "nodeLeaseDurationSeconds": 20,
        "nodeStatusUpdateFrequency": "5s", "staticPodPath": "",
        # Without cgroupsPerQOS kubelet 1.34 panics in doPodResizeAction, and it comes there by
        # itself when a container that has a memory limit was killed and is started again.
        "featureGates": {"InPlacePodVerticalScaling": False},
    }, indent=1)


class Node:
    def __init__(self, testbed, name: str):
        self.testbed, self.name = testbed, name
        self.machine = machine.Machine(testbed.name, testbed.folder, testbed.runs, name)

    def _start(self, name: str, *command: str) -> None:
        self.testbed.runs.start(f"{self.name}-{name}", [*self.machine.enter(), *command])

    def start(self) -> None:
        """Power, network, container runtime, images, kubelet: what is there already stays."""
        testbed, folder = self.testbed, self.machine.folder
        if self.machine.power_on():
            machine.plug_in(testbed.control, self.machine, testbed.node_names)
        self._make_cgroups()
        os.makedirs(f"{folder}/cni", exist_ok=True)
        build.write(f"{folder}/cni/10-pods.conflist", network_config(self.name))
        build.write(f"{folder}/containerd.toml", CONTAINERD.format(
            pause=versions.PAUSE, cni=cni_plugins(), folder=folder))
        self._start("containerd", "containerd", "--config", f"{folder}/containerd.toml",
                    "--log-level", "warn")
        testbed.authority.issue(self.name, f"system:node:{self.name}", "system:nodes")
        build.write(f"{folder}/kubelet.kubeconfig", control.kubeconfig(
            testbed.server, testbed.authority, self.name))
        build.write(f"{folder}/kubelet.json", kubelet_config(testbed.authority,
                                                             self.machine.cgroup))
        processes.wait_for(self._runtime_answers, 30, f"containerd of {self.name}; see "
                           + testbed.runs.log(f"{self.name}-containerd"))

    def start_kubelet(self) -> None:
        self._start("kubelet", f"{self.testbed.programs}/kubelet",
                    f"--config={self.machine.folder}/kubelet.json",
                    f"--kubeconfig={self.machine.folder}/kubelet.kubeconfig",
                    f"--hostname-override={self.name}",
                    f"--node-ip={machine.address(self.name)}",
                    f"--node-labels=topology.kubernetes.io/zone={zone(self.name)},"
                    "topology.kubernetes.io/region=testbed")
        control.start_proxy(self._start, self.testbed, self.name)

    def stop(self) -> None:
        """Kubelet, containerd and every pod at once: the plug is pulled."""
        self.machine.power_off()

    def ctr(self, *arguments: str):
        return subprocess.run([*self.machine.enter(), "ctr", "--namespace", "k8s.io", *arguments],
                              capture_output=True, text=True, check=False)

    def _runtime_answers(self) -> bool:
        return self.ctr("version").returncode == 0

    def load_missing(self, archives: list[str]) -> None:
        """What was imported once stays on the node's disk."""
        noted = f"{self.machine.folder}/imported"
        imported = []
        if os.path.exists(noted):
            with open(noted, encoding="utf-8") as file:
                imported = file.read().splitlines()
        for archive in archives:
            if archive not in imported:
                self._import(archive)
                imported.append(archive)
                build.write(noted, "\n".join(imported))

    def _import(self, archive: str) -> None:
        done = self.ctr("images", "import", archive)
        if done.returncode != 0:
            raise RuntimeError(f"{self.name}: cannot import {archive}: {done.stderr.strip()}")

    def _make_cgroups(self) -> None:
        """kubelet wants its root to be there; containers come below it."""
        for entry in os.listdir(machine.CGROUPS):
            if os.path.isdir(f"{machine.CGROUPS}/{entry}"):
                os.makedirs(f"{machine.CGROUPS}/{entry}{self.machine.cgroup}", exist_ok=True)


def cni_plugins() -> str:
    for folder in ("/usr/lib/cni", "/opt/cni/bin"):
        if os.path.exists(f"{folder}/ptp"):
            return folder
    raise RuntimeError("no CNI plugins; run tools/setup testbed")
