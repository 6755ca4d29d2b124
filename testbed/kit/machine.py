"""Machines: the control plane's and one per node, each a set of namespaces held by one process.

The control machine has a bridge, and every other machine hangs on it by a veth pair. All of it is
inside these namespaces: the computer's own network is left alone, so every testbed may use the same
addresses. Killing a machine's first process is pulling its plug; nothing of it is left but files.
"""
import os
import shutil
import subprocess
import sys

from . import processes

CONTROL = "control"
CONTROL_ADDRESS = "10.200.0.1"
POD_NETWORK, SERVICE_NETWORK, DNS_ADDRESS = "10.244.0.0/16", "10.96.0.0/16", "10.96.0.10"
API_PORT = 6443
CGROUPS = "/sys/fs/cgroup"
INIT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "machine_init.py")


def number(node: str) -> int:
    return int(node.removeprefix("node-"))


def address(node: str) -> str:
    return f"10.200.0.{10 + number(node)}"


def hardware_address(place: int) -> str:
    """Fixed: a machine that is started again must be known under the old one to its neighbours."""
    return f"02:00:0a:c8:00:{place:02x}"


def pods(node: str) -> str:
    return f"10.244.{number(node)}.0/24"


class Machine:
    def __init__(self, testbed_name: str, folder: str, runs: processes.Processes, name: str):
        self.name, self.folder, self.runs = name, f"{folder}/machines/{name}", runs
        self.cgroup = f"/etcd-operator-testbed-{testbed_name}-{name}"
        self.holder = f"machine-{name}"

    def pid(self):
        """Its first process, as the computer sees it; None when the machine is off."""
        return self.runs.inner_pid(self.holder)

    def enter(self) -> list[str]:
        if not (pid := self.pid()):
            raise RuntimeError(f"{self.name} is off")
        return ["nsenter", "--target", str(pid), "--net", "--mount", "--uts", "--ipc", "--pid",
                "--"]

    def power_on(self) -> bool:
        """False if it is on."""
        if self.pid():
            return False
        os.makedirs(self.folder, exist_ok=True)
        if os.path.exists(f"{self.folder}/started"):
            os.remove(f"{self.folder}/started")
        self.runs.start(self.holder, [
            "unshare", "--net", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child",
            "--mount-proc", "--propagation", "private", "--", sys.executable, INIT, self.name,
            self.folder])
        processes.wait_for(lambda: os.path.exists(f"{self.folder}/started"), 20,
                           f"machine {self.name}; see {self.runs.log(self.holder)}")
        return True

    def power_off(self) -> None:
        """At once, as by the plug; what its programs wrote to disk stays."""
        self.runs.stop(self.holder, grace=0)
        for name in self.runs.names():  # what waited outside for the programs within
            if name.startswith(f"{self.name}-"):
                self.runs.stop(name, grace=0)
        self._remove_cgroups()

    def wipe(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def _remove_cgroups(self) -> None:
        """Containers that were killed leave their empty groups behind."""
        def controllers():
            return [f"{CGROUPS}/{entry}{self.cgroup}" for entry in ("", *os.listdir(CGROUPS))]

        def empty():
            for top in filter(os.path.isdir, controllers()):
                for path, _, _ in os.walk(top, topdown=False):
                    try:
                        os.rmdir(path)
                    except OSError:  # its processes are on their way out
                        pass
            return not any(map(os.path.isdir, controllers()))

        processes.wait_for(empty, 20, f"the cgroups of {self.name} to become empty")

    def ip(self, *arguments: str) -> None:
        """The ip program in this machine's network, in the computer's view of pids."""
        command = ["nsenter", "--target", str(self.pid()), "--net", "--", "ip", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{self.name}: ip {' '.join(arguments)}: {done.stderr.strip()}")

    def firewall(self, *arguments: str) -> bool:
        command = [*self.enter(), "iptables", "-w", *arguments]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


def make_bridge(control: Machine) -> None:
    control.ip("link", "add", "bridge", "address", hardware_address(0), "type", "bridge")
    control.ip("address", "add", f"{CONTROL_ADDRESS}/24", "dev", "bridge")
    control.ip("link", "set", "bridge", "up")
    # Service addresses need some route before kube-proxy's rules turn them into pods'. Its rules for
    # this machine, which is no node, are there only half a minute after the start: until then the
    # first node stands in.
    control.ip("route", "add", "default", "dev", "bridge")
    control.ip("route", "add", SERVICE_NETWORK, "via", address("node-1"))


def plug_in(control: Machine, node: Machine, nodes: list[str]) -> None:
    """Gives a node its link, and everybody the route to its pods."""
    own = address(node.name)
    control.ip("link", "add", node.name, "type", "veth", "peer", "name", "eth0", "address",
               hardware_address(number(node.name)), "netns", str(node.pid()))
    control.ip("link", "set", node.name, "master", "bridge", "up")
    control.ip("route", "replace", pods(node.name), "via", own)
    node.ip("address", "add", f"{own}/24", "dev", "eth0")
    node.ip("link", "set", "eth0", "up")
    node.ip("route", "add", "default", "via", CONTROL_ADDRESS)
    for other in nodes:
        if other != node.name:
            node.ip("route", "replace", pods(other), "via", address(other))


# What cuts a node off from the API server and from nobody else: its own calls, its pods', the
# server's calls to its kubelet, and what is still under way of either.
def cut_rules() -> list[list[str]]:
    server, port = ["-s", CONTROL_ADDRESS], str(API_PORT)
    to_server = ["-d", CONTROL_ADDRESS, "-p", "tcp", "--dport", port, "-j", "DROP"]
    from_server = [*server, "-p", "tcp", "--sport", port, "-j", "DROP"]
    to_kubelet = [*server, "-p", "tcp", "--dport", "10250", "-j", "DROP"]
    return [["OUTPUT", *to_server], ["FORWARD", *to_server], ["INPUT", *from_server],
            ["FORWARD", *from_server], ["INPUT", *to_kubelet]]


def is_cut(node: Machine) -> bool:
    return node.firewall("-C", *cut_rules()[0])


def cut(node: Machine) -> None:
    for chain, *rule in cut_rules():
        if not node.firewall("-C", chain, *rule) and not node.firewall("-I", chain, "1", *rule):
            raise RuntimeError(f"{node.name}: iptables refused a rule")


def heal(node: Machine) -> None:
    for rule in cut_rules():
        while node.firewall("-D", *rule):
            pass
