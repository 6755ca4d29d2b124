"""What the end-to-end tests on a testbed have in common: kubectl, etcdctl, a writer."""
import base64
import contextlib
import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.request

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../.."))
sys.path.insert(0, os.path.join(ROOT, "testbed"))
from kit import images, processes, testbed  # noqa: E402

NAME = os.environ.get("TESTBED", "default")
PORT = 2379
SYSTEM = "etcd-operator-system"
ACCOUNT = f"system:serviceaccount:{SYSTEM}:etcd-operator"
CLUSTER = "production-etcd"  # of the first example


def command(*arguments: str, text: str = "", check: bool = True) -> subprocess.CompletedProcess:
    done = subprocess.run(arguments, input=text, text=True, capture_output=True, check=False,
                          cwd=ROOT)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(arguments)}: {done.returncode}\n{done.stderr}")
    return done


def tool(name: str, *arguments: str, **options) -> subprocess.CompletedProcess:
    """A command of testbed/."""
    return command(f"{ROOT}/testbed/{name}", *arguments, **options)


def kubectl(*arguments: str, **options) -> subprocess.CompletedProcess:
    return tool("kubectl", *arguments, **options)


def get(*arguments: str) -> dict:
    return json.loads(kubectl("get", "-o", "json", *arguments).stdout)


def eventually(condition, what: str, seconds: float = 90):
    return processes.wait_for(condition, seconds, what, step=0.3)


class Client:
    """etcd as a user reaches it: by the cluster's own client certificate and Service."""

    def __init__(self, cluster: str, folder: str, namespace: str = "default",
                 version: str = "3.5.12"):
        self.cluster, self.namespace, self.folder = cluster, namespace, folder
        self.program = f"{images.etcd_folder(version)}/etcdctl"
        secret = get("-n", namespace, "secret", f"{cluster}-client-tls")["data"]
        for name in ("ca.crt", "tls.crt", "tls.key"):
            with open(f"{folder}/{name}", "wb") as file:
                file.write(base64.b64decode(secret[name]))

    def flags(self, host: str = "") -> list[str]:
        host = host or f"{self.cluster}-client.{self.namespace}"
        return [f"--endpoints=https://{host}:{PORT}", "--command-timeout=5s",
                f"--cacert={self.folder}/ca.crt", f"--cert={self.folder}/tls.crt",
                f"--key={self.folder}/tls.key"]

    def run(self, *arguments: str, host: str = "", check: bool = True):
        # As testbed/run does it, without another interpreter for every call.
        bed = testbed.standing(NAME)
        return command(*bed.inside(), "unshare", "--mount", "--propagation", "private", "sh", "-c",
                       'mount --bind "$0" /etc/resolv.conf && exec "$@"', bed.resolv_conf,
                       self.program, *self.flags(host), *arguments, check=check)

    def members(self) -> list[dict]:
        """Asked once more where the Service chose a member whose node is gone."""
        def ask():
            done = self.run("member", "list", "-w", "json", check=False)
            return done if done.returncode == 0 else None
        return json.loads(eventually(ask, "a list of the members", 30).stdout)["members"]

    def seen(self) -> dict:
        """What etcd says of itself, in the shape of `said`. Who does not answer fails the call."""
        names = {member["ID"]: member.get("name", "") for member in self.members()}
        answers = [one["Status"] for one in json.loads(
            self.run("endpoint", "status", "--cluster", "-w", "json").stdout)]
        ids = [one["header"]["member_id"] for one in answers]
        return {"cluster": {one["header"]["cluster_id"] for one in answers},
                "leader": {names.get(one["leader"]) for one in answers},
                "members": {names.get(number, ""): (number, one.get("isLearner", False),
                                                    one["version"])
                            for number, one in zip(ids, answers)}}

    def voters(self) -> list[str]:
        return sorted(member.get("name", "") for member in self.members()
                      if not member.get("isLearner"))


class Writer:
    """Writes one key after the other, retrying for a while, and remembers what was acknowledged.
    At the end each of them has to be there."""

    PATIENCE = 30

    def __init__(self, client: Client):
        self.client, self.acknowledged, self.failed, self.longest = client, 0, [], 0.0
        self.times = []  # of each acknowledgement, monotonic
        self.prefix = f"writer-{time.monotonic_ns()}/"
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._write, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join()

    def _write(self) -> None:
        while not self.stopping.is_set():
            began = time.monotonic()
            key = f"{self.prefix}{self.acknowledged:06}"
            while self.client.run("put", key, "x", check=False).returncode != 0:
                if time.monotonic() - began > self.PATIENCE:
                    self.failed.append(key)
                    return
            self.times.append(time.monotonic())
            self.acknowledged += 1
            self.longest = max(self.longest, time.monotonic() - began)

    def found(self, client: Client) -> set[str]:
        return set(client.run("get", self.prefix, "--prefix", "--keys-only").stdout.split())

    def keys(self, count: int) -> set[str]:
        """The first ones."""
        return {f"{self.prefix}{n:06}" for n in range(count)}

    def check(self, test) -> None:
        test.assertEqual(self.failed, [], "a write failed for a client that retries")
        lost = self.keys(self.acknowledged) - self.found(self.client)
        test.assertEqual(lost, set(), "acknowledged, and not there")
        test.assertGreater(self.acknowledged, 3)
        print(f"  {self.acknowledged} writes, the longest {self.longest:.1f} s", flush=True)


def condition(name: str, kind: str) -> dict:
    found = get("etcdclusters.operator.etcd.io", name).get("status", {}).get("conditions", [])
    return next((c for c in found if c["type"] == kind), {})


def said(status: dict) -> dict:
    """What the object's status says of its members, for `Client.seen`."""
    return {"cluster": {int(status.get("clusterID", "0"), 16)},
            "leader": {status.get("leader")},
            "members": {member["name"]: (int(member.get("id", "0"), 16), member["isLearner"],
                                         member.get("version"))
                        for member in status.get("members", [])}}


def member_pods(name: str) -> list[dict]:
    return get("pods", "-l", f"operator.etcd.io/cluster={name}")["items"]


def processes_of(pod: dict) -> list[int]:
    """Of its programs."""
    containers = [one["containerID"].rsplit("/", 1)[1]
                  for one in pod["status"]["containerStatuses"] if one.get("containerID")]
    out = []
    for name in glob.glob("/proc/[0-9]*/cgroup"):
        try:
            with open(name, encoding="ascii") as file:
                text = file.read()
            if any(container in text for container in containers):
                out.append(int(name.split("/")[2]))
        except (FileNotFoundError, ProcessLookupError):
            pass
    return out


def kill(pod: dict) -> None:
    """Its programs end, and do nothing any more."""
    for pid in processes_of(pod):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def operators() -> list[dict]:
    return get("-n", SYSTEM, "pods", "-l", "app.kubernetes.io/name=etcd-operator")["items"]


def operators_die() -> None:
    kubectl("-n", SYSTEM, "delete", "pod", "--all", "--grace-period=0", "--force")


def page(pod: dict, path: str) -> str:
    """Of an operator, which this program can reach; empty: there is no answer."""
    address = pod["status"].get("podIP")
    if not address:
        return ""
    try:
        with urllib.request.urlopen(f"http://{address}:8080{path}", timeout=5) as answer:
            return answer.read().decode()
    except OSError:
        return ""


class Steps(unittest.TestCase):
    """A life in steps, each of which tells its time, and what there was when it failed."""

    def steps(self, *all_steps) -> None:
        for step in all_steps:
            began = time.monotonic()
            try:
                step()
            except BaseException:
                print(f"{step.__name__} failed after {time.monotonic() - began:.1f} s", flush=True)
                self.tell()
                raise
            print(f"{step.__name__} in {time.monotonic() - began:.1f} s", flush=True)

    def tell(self) -> None:
        """What a person would look at."""
        for words in (["get", "etcd,sts,pods,pvc,pdb", "-A", "-o", "wide"],
                      ["describe", "etcd"], ["get", "events", "-A"],
                      ["-n", SYSTEM, "logs", "-l", "app.kubernetes.io/name=etcd-operator",
                       "--tail=40", "--prefix"]):
            print(kubectl(*words, check=False).stdout[-6000:], flush=True)


    def truthful(self, name: str, client: Client) -> None:
        """The status and an etcd client name the same cluster, members, leader and versions, and
        no condition says otherwise. Two looks are never at one time: they agree soon."""
        told = seen = {}

        def agree():
            nonlocal told, seen
            status = get("etcdclusters.operator.etcd.io", name).get("status", {})
            told, seen = said(status), client.seen()
            versions = [one[2] for one in seen["members"].values()]
            lowest = min(versions, key=lambda text: [int(part) for part in text.split(".")])
            return told == seen and status["currentVersion"] == lowest and \
                status["readyReplicas"] == sum(not one[1] for one in seen["members"].values())
        try:
            eventually(agree, "the status to be what a client sees", 60)
        except BaseException:
            print(f"  told: {told}\n  seen: {seen}", flush=True)
            raise
        for kind, status in (("Available", "True"), ("Degraded", "False")):
            self.assertEqual(condition(name, kind).get("status"), status, kind)


class Installed(Steps):
    """The operator from its image and what is to be installed."""

    MANIFEST = "deploy/install.yaml"

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        archive, = glob.glob(f"{ROOT}/build/image/etcd-operator-*.oci.tar")
        tool("load-image", archive)
        cls.install()

    @classmethod
    def install(cls):
        kubectl("apply", "-f", cls.MANIFEST)
        kubectl("-n", SYSTEM, "rollout", "status", "deployment/etcd-operator", "--timeout=120s")

    def healthy(self, size: int, seconds: float = 180, version: str = "") -> None:
        """The operator says so, and an etcd client sees the same."""
        def there():
            status = get("etcd", CLUSTER).get("status", {})
            return status.get("readyReplicas") == size and \
                condition(CLUSTER, "Available").get("status") == "True" and \
                condition(CLUSTER, "Progressing").get("status") != "True" and \
                version in ("", status.get("currentVersion"))
        eventually(there, f"{size} healthy members {version}", seconds)
        client = Client(CLUSTER, self.folder)
        self.assertEqual(len(client.voters()), size)
        health = client.run("endpoint", "health", "--cluster", "-w", "json").stdout
        self.assertTrue(all(one["health"] for one in json.loads(health)))
        self.truthful(CLUSTER, client)
