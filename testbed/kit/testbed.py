"""One testbed: where its files are, what it is made of, and how it is brought up and taken down."""
import concurrent.futures
import contextlib
import fcntl
import json
import os
import random
import re
import shutil
import socket
import sys
import time

from . import api, build, control, images, machine, node, pki, processes, versions

SYSTEM_PACKAGES = {"containerd": "containerd", "runc": "runc", "iptables": "iptables",
                   "conntrack": "conntrack", "ip": "iproute2", "openssl": "openssl"}
PORTS = {"etcd": 2379, "etcd-peer": 2380, "server": machine.API_PORT}
# What the machines put something of their own in place of, and so cannot hold our files.
COVERED = ("/var/lib", "/var/log", "/run", "/proc")


BEGAN = time.monotonic()


def say(text: str) -> None:
    print(f"testbed: {time.monotonic() - BEGAN:5.1f} s  {text}", file=sys.stderr, flush=True)


def root() -> str:
    base = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return os.path.join(base, "etcd-operator", "testbeds")


def named(name: str) -> "Testbed":
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,18}[a-z0-9])?", name):
        raise ValueError(f"name '{name}': lower-case letters, digits and '-', at most 20")
    return Testbed(os.path.join(root(), name))


def standing(name: str) -> "Testbed":
    """One that was brought up; RuntimeError if it never was."""
    testbed = named(name)
    if not testbed.config:
        raise RuntimeError(f"there is no testbed '{name}'; testbed/up --name {name}")
    return testbed


class Testbed:
    """Every process of it is found by its record, so any program may go on where another ended."""

    def __init__(self, folder: str):
        self.folder, self.name = folder, os.path.basename(folder)
        self.runs = processes.Processes(folder)
        self.kubeconfig = f"{folder}/kubeconfig"
        self.audit_log = f"{folder}/log/audit.log"
        self.resolv_conf = f"{folder}/resolv.conf"
        self.config = self._read_config()

    def _read_config(self) -> dict:
        """Empty before it was begun."""
        if not os.path.exists(f"{self.folder}/testbed.json"):
            return {}
        with open(f"{self.folder}/testbed.json", encoding="utf-8") as file:
            return json.load(file)

    @property
    def ports(self) -> dict:
        return self.config["ports"]

    @property
    def programs(self) -> str:
        return build.folder(versions.kubernetes(self.config["kubernetes"]))

    @property
    def node_names(self) -> list[str]:
        return [f"node-{index}" for index in range(1, self.config["nodes"] + 1)]

    @property
    def control(self):
        """The machine of the control plane; None for one that runs on loopback."""
        return self._machine(machine.CONTROL) if self.config["nodes"] else None

    @property
    def host(self) -> str:
        return machine.CONTROL_ADDRESS if self.config["nodes"] else "127.0.0.1"

    @property
    def server(self) -> str:
        return f"https://{self.host}:{self.ports['server']}"

    @property
    def authority(self) -> pki.Authority:
        return pki.Authority(f"{self.folder}/pki")

    def _machine(self, name: str) -> machine.Machine:
        return machine.Machine(self.name, self.folder, self.runs, name)

    def api(self, user: str) -> api.Api:
        network = self.control.pid() if self.control else None
        return api.Api((self.host, self.ports["server"]), self.authority, user, network)

    def node(self, name: str) -> node.Node:
        if name not in self.node_names:
            raise ValueError(f"no node '{name}'; there is: {', '.join(self.node_names) or 'none'}")
        return node.Node(self, name)

    def reaches_server(self, name: str) -> bool:
        """Whether that node is on and not cut off."""
        there = self.node(name).machine
        return bool(there.pid()) and not machine.is_cut(there)

    @contextlib.contextmanager
    def lock(self):
        """One program at a time changes a testbed. The lock is the folder's: it goes with it."""
        while True:
            os.makedirs(self.folder, mode=0o700, exist_ok=True)
            descriptor = os.open(self.folder, os.O_RDONLY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                if same_file(descriptor, self.folder):
                    yield
                    return
            finally:
                os.close(descriptor)

    # Up

    def up(self, wanted: dict) -> None:
        """`wanted`: kubernetes, nodes, etcd (versions whose images are loaded). What runs stays."""
        self._refuse_another(wanted)
        check_machine(wanted, self.folder)
        build_programs(wanted)
        with self.lock():
            self.config = self._read_config()  # another program may have changed it meanwhile
            self._refuse_another(wanted)
            if not self.config:
                self.config = wanted | {
                    "ports": PORTS if wanted["nodes"] else free_ports(PORTS), "archives": []}
            self.save()
            build.write(self.resolv_conf, f"nameserver {machine.CONTROL_ADDRESS}\noptions ndots:5\n"
                        "search default.svc.cluster.local svc.cluster.local cluster.local\n")
            self._start()

    def _refuse_another(self, wanted: dict) -> None:
        asked = {key: wanted[key] for key in ("kubernetes", "nodes")}
        if self.config and any(self.config[key] != asked[key] for key in asked):
            raise RuntimeError(f"testbed '{self.name}' is another one: Kubernetes "
                               f"{self.config['kubernetes']}, {self.config['nodes']} nodes; "
                               f"testbed/down --name {self.name} first")

    def save(self) -> None:
        build.write(f"{self.folder}/.testbed.json", json.dumps(self.config, indent=1))
        os.rename(f"{self.folder}/.testbed.json", f"{self.folder}/testbed.json")

    def _start(self) -> None:
        plane = control.ControlPlane(self)
        if self.control and self.control.power_on():
            machine.make_bridge(self.control)
        plane.prepare()
        plane.start_store()
        plane.start_server()
        # Machines, container runtimes and images need no API server.
        with concurrent.futures.ThreadPoolExecutor(max(1, self.config["nodes"])) as pool:
            machines = [pool.submit(self.node(name).start) for name in self.node_names]
            plane.wait_for_server()
            say("the API server is ready")
            plane.start_controllers()
            plane.create_objects()
            for done in machines:
                done.result()
            images_loaded = [pool.submit(self.load_images, name) for name in self.node_names]
            for name in self.node_names:
                self.node(name).start_kubelet()
            self.wait_for_nodes(self.node_names)
            for done in images_loaded:
                done.result()
        self._wait_for_accounts()

    def archives(self) -> list[str]:
        """Of every image that each node has: ours, and what `load-image` was given."""
        pause = f"{build.folder(versions.pause())}/pause"
        return [images.pause_archive(pause), *map(images.etcd_archive, self.config["etcd"]),
                *self.config["archives"]]

    def load_images(self, name: str) -> None:
        self.node(name).load_missing(self.archives())

    def node_heartbeats(self) -> dict:
        """name -> when it last said how it is."""
        return {item["metadata"]["name"]: heartbeat(item)
                for item in self.api("testbed").get("/api/v1/nodes")["items"]}

    def wait_for_nodes(self, names: list[str], seconds: float = 90, older=None) -> None:
        """Words of `older`, by node, do not count: a node that was off is believed for a while."""
        server, older = self.api("testbed"), older or {}

        def ready():
            listed = server.get("/api/v1/nodes")["items"]
            return set(names) <= {item["metadata"]["name"] for item in listed if is_ready(item)
                                  and older.get(item["metadata"]["name"]) != heartbeat(item)}

        if names:
            processes.wait_for(ready, seconds, f"nodes to be Ready; logs are in {self.folder}/log",
                               step=0.2)
            say(f"{', '.join(names)}: Ready")

    def _wait_for_accounts(self) -> None:
        """Pods are refused until the namespace's service account is there."""
        server = self.api("testbed")

        def there():
            try:
                return server.get("/api/v1/namespaces/default/serviceaccounts/default")
            except api.Refused:
                return None

        processes.wait_for(there, 60, "the service account `default`", step=0.1)

    # Down

    def down(self) -> None:
        """Ends what was started here and removes its files, however little of it there is."""
        if not os.path.isdir(self.folder):
            return
        with self.lock():
            machines = f"{self.folder}/machines"
            for name in os.listdir(machines) if os.path.isdir(machines) else []:
                self._machine(name).power_off()
            for name in self.runs.names():
                self.runs.stop(name, grace=0)
            processes.wait_for(self._remove_files, 20, f"{self.folder} to be removed")

    def _remove_files(self) -> bool:
        shutil.rmtree(self.folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            os.rmdir(root())
        return not os.path.exists(self.folder)

    # For callers that run programs against it

    def inside(self, where: str = machine.CONTROL) -> list[str]:
        """What to put before a command to run it in the network of a machine."""
        if not self.control:
            return []
        there = self._machine(where)
        if not (pid := there.pid()):
            raise RuntimeError(f"{where} is off")
        return ["nsenter", "--target", str(pid), "--net", "--"]


def same_file(descriptor: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def is_ready(item: dict) -> bool:
    return any(condition["type"] == "Ready" and condition["status"] == "True"
               for condition in item.get("status", {}).get("conditions", []))


def heartbeat(item: dict) -> str:
    return max((condition.get("lastHeartbeatTime") or ""
                for condition in item.get("status", {}).get("conditions", [])), default="")


def check_machine(wanted: dict, folder: str) -> None:
    needed = SYSTEM_PACKAGES if wanted["nodes"] else {"openssl": "openssl"}
    missing = [package for program, package in needed.items() if not shutil.which(program)]
    if missing:
        raise RuntimeError(f"missing: {', '.join(missing)}; run tools/setup testbed")
    if not wanted["nodes"]:
        return
    node.cni_plugins()
    if os.geteuid() != 0:
        raise RuntimeError("nodes are made of namespaces, which takes root; "
                           "--control-plane-only does not")
    for path in (folder, build.cache_root(), os.path.dirname(os.path.abspath(__file__))):
        if any(os.path.realpath(path).startswith(f"{top}/") for top in COVERED):
            raise RuntimeError(f"{path} is not seen inside a node, which has its own "
                               f"{', '.join(COVERED[:3])}; set XDG_STATE_HOME and XDG_CACHE_HOME")


def build_programs(wanted: dict) -> None:
    recipe = versions.kubernetes(wanted["kubernetes"])
    programs = list(recipe.packages)
    build.ensure(recipe, programs if wanted["nodes"] else programs[:3], say)
    control.etcd_program(say)
    if wanted["nodes"]:
        for other in (versions.pause(), versions.coredns()):
            build.ensure(other, list(other.packages), say)


def free_ports(names) -> dict:
    """Below the range that the kernel hands out by itself, so that they stay ours at a restart."""
    ports = {}
    while len(ports) < len(names):
        port = random.randrange(20000, 32000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            if port not in ports.values():
                ports[next(name for name in names if name not in ports)] = port
    return ports
